"""What the patient is told after the last dose: until when contraception, from when breast-feeding (MON-12, MON-13)."""

from collections.abc import Iterator

from clinical.chart.calendar import plus_months
from clinical.course.case import Case
from models.assessment import Finding


def dates_after_the_last_dose(case: Case) -> Iterator[Finding]:
    """Dates of the site's calendar, counted in calendar months from the day of the dose given last; each is included."""
    if case.last_dose is None:
        return
    spans, given_on = case.protocol.monitoring, case.last_dose.local_on
    men, women = spans.contraception_men, spans.contraception_women
    if case.course.child_bearing_potential is not False:
        until, feeding = plus_months(given_on, women.count), plus_months(given_on, spans.breast_feeding.count)
        yield case.finding("MON-12", None, f"contraception until {until}: {women.shown()} after the dose of {given_on}")
        yield case.finding(
            "MON-13",
            None,
            f"no breast-feeding until {feeding}: {spans.breast_feeding.shown()} after the dose of {given_on}",
        )
    if case.course.child_bearing_potential is not True:
        until = plus_months(given_on, men.count)
        whom = "a man whose partner can bear a child"
        yield case.finding(
            "MON-12", None, f"contraception until {until} for {whom}: {men.shown()} after the dose of {given_on}"
        )
