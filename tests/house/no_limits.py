"""Numbers in the source of the rules that are no limits: file, place, as written -> the reason. See `test_rules.py`."""

NO_LIMITS: dict[tuple[str, str, str], str] = {
    ("bedside_rulings.py", "observation_ended", "int((judging.at - dose.ended_at).total_seconds() // 60)"): (
        "seconds of a minute"
    ),
    ("bedside_rulings.py", "resumed", "0 < message.rate_ml_per_h <= full.number"): "a rate is above nothing",
    ("calendar.py", "_end_of_gap", "timedelta(seconds=1)"): "the smallest step of time here",
    ("weight.py", "weight_gate", "change < 0"): "the sign of a change",
    ("ecg.py", "_of_instant", "rr.canonical > 0"): "nothing is divided by nothing",
    ("infusion.py", "HOUR", "timedelta(hours=1)"): "the hour of a rate in mL/h",
    ("infusion.py", "_seconds", "timedelta(seconds=1)"): "the smallest step of time here",
    ("reading.py", "STRICTLY_AFTER", "timedelta(seconds=1)"): "the first instant after one that must be passed",
    ("trouble.py", "_limits", "result.lln <= 0"): "no limit of normal is nothing or below (CONV-03)",
    ("trouble.py", "_limits", "result.uln <= 0"): "no limit of normal is nothing or below (CONV-03)",
    ("results.py", "_positive", "limit > 0"): "no limit of normal is nothing or below (CONV-03)",
    ("counts.py", "_persisting", "timedelta(days=1)"): "the midnight after a day",
    ("interruption.py", "_interruption", "timedelta(days=1)"): "the next midnight, when a day is counted",
    ("schedule.py", "_days_held", "timedelta(days=1)"): "counting in days",
    ("schedule.py", "_interruption", "timedelta(days=1)"): "counting in days",
    ("severity.py", "_by_days", "timedelta(days=1)"): "counting in days",
    ("windows.py", "Planned._later_day_window", "timedelta(days=1)"): "the midnight after a day",
}

DEFINITIONS = {"units.py": "conversion factors and codes: closed tables of definitions (reference §9.1, §9.2)"}
"""Files whose tables, at the top and in capitals, hold definitions and no limits."""
