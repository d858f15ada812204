"""The list of planted bugs: each makes the rules less safe or lets them lose something. Read beside `mutants.py`."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from checker.mutants import C2, D1, D8, Mutant, Planted, both
from checker.planted_unknown import UNKNOWN
from checker.search import Scope
from checker.usual import End
from models.assessment import Refused
from models.facts import HoldSet
from models.people import Role


def _at(dose: str, deviations: int = 1, *kinds: str) -> Scope:
    return Scope(f"planted, {dose}", {dose: deviations}, kinds=kinds)


def _says_nothing(_: Any) -> Any:
    """A rule that never makes a finding."""

    def silent(*_args: Any, **_named: Any) -> Iterator[Any]:
        return iter(())

    return silent


def _answers(value: Any) -> Planted:
    """A rule that gives this answer to everything."""
    return lambda _: lambda *_args, **_named: value


def _also_for(command: str, *roles: Role) -> Planted:
    return lambda table: {**table, command: table[command] | frozenset(roles)}


def _forgets_old_holds(_: Any) -> Any:
    from clinical.gates.signs import personal_holds

    def fading(case: Any) -> Iterator[Any]:
        fresh = [f for f, _ in case.reading.of(HoldSet) if not case.reading.reached(f.at + timedelta(hours=2))]
        yield from personal_holds(case) if fresh else ()

    return fading


def _same_person_may_check(original: Any) -> Any:
    def checked(judging: Any, message: Any) -> Any:
        other = message.model_copy(update={"by": message.by.model_copy(update={"id": "somebody else"})})
        return original(judging, other)

    return checked


def _ignores_small_comparators(original: Any) -> Any:
    def above(self: Any, limit: Any) -> Any:
        return False if self.comparator in ("<", "<=") else original(self, limit)

    return above


def _without_unknowns(original: Any) -> Any:
    """The newest readable value is used although a newer one cannot be read."""
    from clinical.results.known import Opening

    def find(self: Any, analyte: str) -> Any:
        found = self.history(analyte)
        return Opening(found[-1:]) if found else original(self, analyte)

    return find


def _knows_cups(factors: Any) -> Any:
    return {**factors, ("bilirubin", "cups"): factors["bilirubin", "mg/dL"]}


def _any_signature(_: Any) -> Any:
    """A signature holds although what it was given for has changed."""
    from models.facts import DoseAuthorised

    def standing(case: Any, plan: Any) -> Any:
        if plan is None:
            return None
        signed = [(f, a) for f, a in case.reading.of(DoseAuthorised) if (a.cycle, a.day) == (plan.cycle, plan.day)]
        return signed[-1] if signed else None

    return standing


def _only_clocks(original: Any) -> Any:
    """A preparation is not compared with the signature: only its clocks count."""

    def troubles(case: Any, preparation: Any, authorisation: Any) -> Iterator[Any]:
        yield from (f for f in original(case, preparation, authorisation) if f.rule != "IDN-02")

    return troubles


def _refuses(kind: str) -> Planted:
    return lambda _: lambda *_args, **_named: Refused(type=kind, message="refused")


def _without_corrections(original: Any) -> Any:
    from models.facts import Correction

    return lambda facts: original([f for f in facts if not isinstance(f.what, Correction)])


def _ahead(_: Any) -> Any:
    return property(lambda self: self.message.at or self.case.now)


def _never_finished(original: Any) -> Any:
    return lambda self, fact: fact.what.kind != "dosing_finished" and original(self, fact)


def _nothing_signed(_: Any) -> Any:
    from clinical.course.levels import Signed

    return lambda reading, derived: Signed(0, ())


NUMBERS: tuple[Mutant, ...] = (
    Mutant(
        "five days",
        ("DOSE-04", "DAY-03"),
        "Five calendar days lie between two doses.",
        _at(D8),
        {"regimen.min_gap": "5"},
    ),
    Mutant("long window", ("DOSE-04", "DAY-06"), "The window is four days wide.", _at(D8), {"regimen.window": "4"}),
    Mutant("old liver", ("DATA-02",), "Liver values may be 96 h old.", _at(D8), {"ages.liver": "96"}),
    Mutant("old examination", ("MON-15",), "An examination may be ten days old.", _at(D8), {"ages.examination": "240"}),
    Mutant(
        "ALT to 5 x ULN", ("NON-08",), "ALT alone holds from 5 x ULN.", _at(D8), {"liver.isolated_ast_alt_max": "5"}
    ),
    Mutant(
        "late premedication", ("PRE-07",), "Premedication counts for 4 h.", _at(D8), {"premedication.earliest": "240"}
    ),
    Mutant(
        "no premedication time", ("PRE-07",), "Premedication works at once.", _at(D1), {"premedication.latest": "0"}
    ),
    Mutant("twelve-hour drug", ("PREP-12",), "The drug keeps for 12 h.", _at(D8), {"preparation.to_end": "12"}),
    Mutant("no observation", ("INF-02",), "Observation is over at once.", _at(D8), {"observation.minimum": "0"}),
    Mutant(
        "stop from grade 4",
        ("NON-05", "IRR-01"),
        "A reaction stops the drug from grade 4.",
        _at(D8),
        {"observation.stop_grade": "4"},
    ),
    Mutant(
        "reactions run from grade 3",
        ("NON-04",),
        "A reaction of grade 2 holds nothing.",
        _at(D8),
        {"observation.running_grade": "3"},
    ),
    Mutant("low platelets", ("HEM-03",), "Platelets of 30 are enough.", _at(C2), {"limits.platelets_min": "30"}),
    Mutant("low neutrophils", ("HEM-01",), "Neutrophils of 0.5 are enough.", _at(C2), {"limits.anc_min": "0.5"}),
    Mutant("many blasts", ("CYT-02",), "Blasts may be 100.", _at(D1), {"limits.blasts_max": "100"}),
    Mutant("long QT", ("QT-02",), "QTcF may be 500 ms.", _at(D1), {"limits.qtcf_max": "500"}),
    Mutant("low potassium", ("QT-05",), "Potassium of 2.5 is enough.", _at(D1), {"limits.potassium_min": "2.5"}),
    Mutant("fever from 39", ("MON-16",), "Fever begins at 39 degrees.", _at(D8), {"limits.fever": "39"}),
    Mutant("three signs", ("VOD-05", "VOD-11"), "VOD needs three signs.", _at(D8), {"vod.signs_needed": "3"}),
    Mutant("full day 8", ("DOSE-01",), "Day 8 is given like day 1.", _at(D8), {"regimen.cycle1_d8": "0.8"}),
)

RULES: tuple[Mutant, ...] = (
    Mutant(
        "no isolated hold",
        ("NON-08",),
        "One high liver value holds nothing.",
        _at(D8),
        rules={"isolated_hold": _says_nothing},
    ),
    Mutant(
        "no personal hold",
        ("HOLD-01",),
        "A person's hold holds nothing.",
        _at(D8),
        rules={"personal_holds": _says_nothing},
    ),
    Mutant(
        "no messages",
        ("LAB-05",),
        "What cannot be read is passed over.",
        _at(D8),
        rules={"_unreadable_messages": _says_nothing},
    ),
    Mutant(
        "old value",
        ("LAB-05",),
        "An older value is used under a newer unreadable one.",
        _at(D8),
        rules={"Results.opening": _without_unknowns},
    ),
    Mutant(
        "any unit",
        ("CONV-01",),
        "A unit that nobody knows is taken for the usual one.",
        _at(D8),
        rules={"FACTORS": _knows_cups},
    ),
    Mutant(
        "comparator",
        ("LAB-05",),
        "Less than 200 counts as low.",
        _at(D8),
        rules={"Known.above": _ignores_small_comparators},
    ),
    Mutant(
        "no corrections",
        ("COR-01",),
        "A corrected value is not read.",
        _at(D8),
        rules={"_versions": _without_corrections},
    ),
    Mutant(
        "any signature",
        ("§3.5",),
        "A signature outlives what it was given for.",
        _at(D8),
        rules={"standing_authorisation": _any_signature},
    ),
    Mutant(
        "any bag",
        ("IDN-02",),
        "A bag is not compared with the signature.",
        _at(D8),
        rules={"preparation_troubles": _only_clocks},
    ),
    Mutant(
        "self check",
        ("OWN-02",),
        "Who signs may check.",
        _at(D8),
        rules={"dose_rulings.verified": _same_person_may_check},
    ),
    Mutant(
        "physician checks",
        ("OWN-02",),
        "A physician may check in place of the pharmacist.",
        _at(D8),
        rules={"ROLES": _also_for("verify_dose", Role.PHYSICIAN)},
    ),
    Mutant(
        "nurse judges VOD",
        ("§7.2",),
        "A nurse may exclude VOD.",
        _at(D8, 2, "VOD"),
        rules={"ROLES": _also_for("judge_vod", Role.NURSE)},
    ),
    Mutant(
        "nurse releases",
        ("HOLD-01",),
        "A nurse may release a hold.",
        _at(D8, 2, "hold"),
        rules={"ROLES": _also_for("release_hold", Role.NURSE)},
    ),
    Mutant(
        "one identifier", ("IDN-02",), "One identifier is enough.", _at(D8), rules={"IDENTIFIERS_NEEDED": lambda _: 1}
    ),
    Mutant(
        "any patient",
        ("IDN-01",),
        "Results of anybody become facts.",
        _at(D8),
        rules={"_of_this_subject": _answers(True)},
    ),
    Mutant("no VOD", ("§7.2",), "VOD is never suspected.", _at(D8), rules={"suspicion": _says_nothing}),
    Mutant("no reactions", ("NON-04",), "A reaction holds nothing.", _at(D8), rules={"reactions": _says_nothing}),
    Mutant(
        "dosing never ends",
        ("design §4",),
        "The end of dosing is not seen.",
        _at(D8),
        rules={"Treatment._ends_dosing": _never_finished},
    ),
    Mutant(
        "refused report",
        ("design §2",),
        "A dose given elsewhere is refused.",
        _at(D8),
        rules={"bedside_rulings.administration": _refuses("TooEarly")},
    ),
    Mutant(
        "lost rungs",
        ("MON-02",),
        "Nobody is told that something is due.",
        _at(D8),
        rules={"rungs_reached": _answers([])},
    ),
    Mutant("lost ends", ("MON-02",), "What fell due vanishes.", _at(D8), rules={"obligations_closed": _answers([])}),
    Mutant(
        "fading hold",
        ("HOLD-01", "IRR-03"),
        "Time releases a hold.",
        _at(D8, 2, "hold", "hours"),
        rules={"personal_holds": _forgets_old_holds},
    ),
    Mutant(
        "never responded",
        ("DOSE-02", "DOSE-03"),
        "A response does not lower the dose.",
        _at(C2),
        rules={"Treatment.responded_before": _answers(False)},
    ),
    Mutant(
        "one signature on a correction",
        ("COR-02",),
        "One person undoes a stop.",
        Scope("planted, a stop", {D8: 2, "monitoring": 2}, kinds=("grade 3", "retracted")),
        rules={"confirmed": _answers(True)},
    ),
)

_LONG = Scope("planted, interruptions", {D8: 1, C2: 1}, kinds=("ALT was high for",), follow=1)
_AGAIN = Scope(
    "planted, interruptions in two cycles",
    {D8: 1, "C2D8": 1},
    kinds=("ALT was high for 14",),
    end=End(cycle=3),
    at_every_dose=True,
)
_RETRACTED = Scope("planted, a level", {D8: 1, C2: 2}, kinds=("ALT was high for 14", "the value that began"), follow=1)
_RESPONSES = Scope(
    "planted, responses",
    dict.fromkeys((C2, "C3D1", "C4D1"), 1),
    kinds=("no response",),
    end=End(cycle=4),
    at_every_dose=True,
)
_PLANNED = Scope("planted, a plan", {"C1D15": 1}, kinds=("a transplant is planned",), end=End(cycle=4), follow=20)

OVER_CYCLES: tuple[Mutant, ...] = (
    Mutant("no reduction", ("DUR-03",), "25 % less only after 60 days.", _LONG, {"limits.interruption_reduce": "60"}),
    Mutant("ten percent", ("DUR-03", "LVL-01"), "The level takes 10 % away.", _LONG, {"levels.factor": "0.9"}),
    Mutant("never left out", ("DUR-02",), "A held dose waits for 60 days.", _LONG, {"limits.interruption_max": "60"}),
    Mutant(
        "one step only",
        ("DUR-04", "LVL-01"),
        "A second reduction changes nothing.",
        _AGAIN,
        rules={"BELOW_TWO_DOSES": lambda _: 1},
    ),
    Mutant(
        "level undone by one",
        ("COR-02", "DOSE-10"),
        "A corrected value lifts a signed level at once.",
        _RETRACTED,
        rules={"levels_signed": _nothing_signed},
    ),
    Mutant(
        "four cycles",
        ("DOSE-07",),
        "Four cycles without a response.",
        _RESPONSES,
        {"regimen.stop_without_response_after": "4"},
    ),
    Mutant(
        "transplant later",
        ("DOSE-08",),
        "Five cycles before a transplant.",
        _PLANNED,
        {"regimen.max_cycles_before_transplant": "5"},
    ),
    Mutant(
        "seven cycles",
        ("DOSE-09",),
        "Seven cycles.",
        Scope("planted, six cycles", {}, end=End(cycle=7)),
        {"regimen.max_cycles": "7"},
    ),
)
"""Bugs that show only over several cycles."""

SINGLE = (*NUMBERS, *RULES, *OVER_CYCLES, *UNKNOWN)
_BY_NAME = {mutant.name: mutant for mutant in SINGLE}


def _pair(one: str, other: str, scope: Scope | None = None) -> Mutant:
    return both(_BY_NAME[one], _BY_NAME[other], scope)


_BILIRUBIN = Mutant(
    "bilirubin to 3 x ULN",
    ("NON-08",),
    "Bilirubin alone holds from 3 x ULN.",
    _at(D8),
    {"liver.isolated_bilirubin_max": "3"},
)
"""Alone it changes nothing: such a bilirubin is of grade 2 as well, and NON-06 holds it."""

PAIRS: tuple[Mutant, ...] = (
    both(
        _BY_NAME["no isolated hold"],
        Mutant(
            "no laboratory grades",
            ("NON-06",),
            "A liver value of grade 2 holds nothing.",
            _at(D8),
            rules={"laboratory_toxicity": _says_nothing},
        ),
        _at(D8, 1, "bilirubin comes back high"),
    ),
    both(
        Mutant("short first cycle", ("DOSE-05",), "Cycle 1 lasts 20 days.", _at(C2), {"regimen.cycle1_length": "20"}),
        Mutant("short gap", ("DAY-05",), "Day 1 may follow after 5 days.", _at(C2), {"regimen.after_last_dose": "5"}),
        _at(C2, 1, "the patient comes"),
    ),
    both(_BY_NAME["ALT to 5 x ULN"], _BILIRUBIN, _at(D8, 1, "ALT")),
    _pair("no premedication time", "late premedication"),
    _pair("old value", "no messages", _at(D8, 1, "cannot be read", "nobody can read")),
    _pair("no VOD", "nurse judges VOD", _at(D8, 1, "VOD")),
    _pair("any signature", "any bag"),
    _pair("self check", "physician checks"),
    _pair("stop from grade 4", "reactions run from grade 3"),
    _pair("low platelets", "low neutrophils"),
    _pair("lost rungs", "lost ends"),
    _pair("old liver", "old examination"),
    both(
        Mutant(
            "any time",
            ("LAB-04",),
            "What is dated tomorrow is taken.",
            _at(D8),
            rules={"_in_the_future": _answers(False)},
        ),
        Mutant("ahead", ("LAB-04",), "It is charted for tomorrow.", _at(D8), rules={"Judging.at": _ahead}),
        _at(D8, 1, "tomorrow"),
    ),
)

MUTANTS = (*SINGLE, *PAIRS)
"""Every planted bug; a test holds that there are at least 25 single ones and 10 pairs."""
SAMPLE = (*(_BY_NAME[name] for name in ("ALT to 5 x ULN", "no personal hold", "self check")), *UNKNOWN)
"""The few that every test run plants."""
