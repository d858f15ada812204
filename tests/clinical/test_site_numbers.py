"""What a site tightens holds more and opens nothing, number by number, in the direction that each one names (design §3)."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import assume, given

import tests.factories
from clinical.assess import assess
from models.assessment import Assessment
from models.chart import Chart
from models.protocol import Entry, Protocol
from plumbing.protocol_files import load_protocol
from plumbing.site_file import SiteFile
from tests.boundaries import ASKS, Boundary
from tests.clinical.test_boundaries import BOUNDARIES
from tests.clinical.test_boundaries_of_notes import DUE, READ
from tests.examples import few
from tests.factories import LABEL
from tests.scenarios import after_cycles, day_8, first_dose, next_cycle
from tests.strategies import charts

CHANGEABLE = {path: entry for path, entry in load_protocol(LABEL).entries() if entry.tighter}
OPENING = frozenset(
    {"authorise_dose", "verify_dose", "start_infusion", "resume_infusion", "start_next_cycle", "choose_rounding"}
)
"""Commands that lead to a dose; the others ask, report or stop."""
MEASURED = {p: found for p, found in {**DUE, **READ, **BOUNDARIES}.items() if p in CHANGEABLE}


def a_little(entry: Entry) -> Decimal | bool:
    """The value a site may write: one stricter, or a tenth where the number is small."""
    if isinstance(entry.value, bool):
        return entry.tighter == "higher"
    step = Decimal(1) if entry.number >= 2 or entry.number == entry.number.to_integral_value() else Decimal("0.1")
    return entry.number + (step if entry.tighter == "higher" else -step)


def a_lot(entry: Entry) -> Decimal | bool:
    """Twice as much, or half of it."""
    if isinstance(entry.value, bool):
        return entry.tighter == "higher"
    wanted = entry.number * 2 if entry.tighter == "higher" else entry.number / 2
    return wanted if entry.number != entry.number.to_integral_value() else Decimal(int(wanted))


def tightened(path: str, value: Decimal | bool, protocol: str = LABEL) -> Protocol:
    """A released protocol under a site file with this one number."""
    section, name = path.rsplit(".", 1)
    return load_protocol(protocol, site=SiteFile(f"[{section}]\n{name} = {str(value).lower()}\n".encode()))


def opened(card: Assessment) -> set[str]:
    return {c.command for c in card.commands if c.may} & OPENING


@pytest.mark.parametrize("path", CHANGEABLE)
@few
@given(charted=charts())
def test_a_stricter_number_opens_nothing(path: str, charted: tuple[Chart, str, datetime]) -> None:
    chart, protocol, now = charted
    released = load_protocol(protocol)
    entry = dict(released.entries())[path]
    loose, strict = assess(chart, released, now), assess(chart, tightened(path, a_lot(entry), protocol), now)
    assume(loose.next_dose == strict.next_dose)  # a longer hold may leave a dose out: another one is next (DUR-02)
    assert opened(strict) <= opened(loose)


@pytest.mark.parametrize("path", CHANGEABLE)
def test_patients_in_good_order_wait_at_most_longer(path: str) -> None:
    for story in (first_dose(), day_8(), next_cycle(), after_cycles(2, "CR")):
        course = story(LABEL)
        strict = assess(course.chart, tightened(path, a_lot(CHANGEABLE[path])), course.now)
        assert opened(strict) <= opened(course.card)


@pytest.mark.parametrize(
    ("path", "boundary"),
    [pytest.param(p, b, id=f"{p}-{i}") for p, found in MEASURED.items() for i, b in enumerate(found)],
)
def test_a_site_moves_the_limit_itself(path: str, boundary: Boundary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule speaks just below, at and above the site's number as it did at the released one."""
    ours = tightened(path, a_little(CHANGEABLE[path]), boundary.under)
    monkeypatch.setattr(
        tests.factories, "load_protocol", lambda name: ours if name == boundary.under else load_protocol(name)
    )
    entry = dict(ours.entries())[path]
    unit = boundary.told_in[0]
    answers = tuple(
        boundary.answer(boundary.under, point, unit)
        for point in boundary.points(entry.span if entry.unit in ("min", "h", "d") else entry.number)
    )
    assert answers == ASKS[boundary.sign]
