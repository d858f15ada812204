"""Veno-occlusive disease: each published definition met, not met or unknown, from the signs as they were last seen (VOD).

A sign that was seen stays seen until somebody looks again; one that was not seen counts only while the look is fresh.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from clinical.calendar import birthday, local_date, midnight_of
from clinical.case import Case
from clinical.once import once
from clinical.results import Known
from clinical.treatment import Measured
from clinical.units import PERCENT, bilirubin_umol_per_l
from models.assessment import Input
from models.base import plain
from models.facts import Imaging, VodExamination

Answer = bool | None
"""Met, not met, or (`None`) unknown."""

TENTH = Decimal("0.1")


def at_least(number: int, answers: Iterable[Answer]) -> Answer:
    """Whether so many are met: unknown only while the unknown ones could still decide it."""
    given = list(answers)
    met, unknown = given.count(True), given.count(None)
    return True if met >= number else False if met + unknown < number else None


def both(*answers: Answer) -> Answer:
    """All of them."""
    return at_least(len(answers), answers)


def either(*answers: Answer) -> Answer:
    """One of them."""
    return at_least(1, answers)


class Signs:
    """What was seen of a patient, as far as the definitions ask for it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.reading = case.reading

    @property
    @once
    def day(self) -> int | None:
        """Calendar days since the latest transplant in the zone of the site; none without one (VOD-08)."""
        if self.case.transplant is None:
            return None
        zone, limits = self.case.reading.zone, self.case.protocol.vod
        day_0 = local_date(self.case.transplant[1], zone)
        for until in (limits.seattle_until, limits.classical_until):
            self.case.reading.change_at(midnight_of(day_0 + until.span + timedelta(days=1), zone))
        return (self.case.reading.today - day_0).days

    @property
    @once
    def bilirubin(self) -> Answer:
        """Total bilirubin at or above 34 umol/L in either unit (AMB-12)."""
        known, limit = self.case.known("bilirubin"), self.case.protocol.vod.bilirubin_from.number
        if known is None:
            return None
        umol = self.bilirubin_umol or Decimal(0)
        if umol >= limit:
            return None if known.comparator in ("<", "<=") and umol > limit else known.comparator != "<"
        fresh = not self.case.reading.passed(known.collected_at + self.case.protocol.ages.liver.span)
        return False if fresh and known.comparator not in (">", ">=") else None

    @property
    @once
    def bilirubin_umol(self) -> Decimal | None:
        """Total bilirubin in umol/L, converted exactly."""
        known = self.case.known("bilirubin")
        return None if known is None else bilirubin_umol_per_l(known.value, known.unit)

    @property
    @once
    def _examined(self) -> tuple[datetime, VodExamination] | None:
        latest = self.case.reading.latest(VodExamination)
        return None if latest is None else (latest[0].at, latest[1])

    @once
    def seen(self, sign: str) -> Answer:
        """One sign of the last examination (MON-15); "not seen" holds for as long as an examination is fresh."""
        if self._examined is None:
            return None
        at, examination = self._examined
        answer: Answer = getattr(examination, sign)
        if answer is not False:
            return answer
        return None if self.case.reading.passed(at + self.case.protocol.ages.examination.span) else False

    @property
    @once
    def painful_hepatomegaly(self) -> Answer:
        """An enlarged liver that hurts; a liver that is not enlarged cannot."""
        return False if self.seen("hepatomegaly") is False else self.seen("painful_hepatomegaly")

    @property
    @once
    def weights(self) -> tuple[Measured, Measured] | None:
        """The weight before (conditioning after a transplant, the first dose without one, AMB-22) and the latest."""
        weights = self.case.plausible_weights()
        before = self._baseline_until()
        earlier = [w for w in weights if before is not None and w.at <= before]
        return (earlier[-1], weights[-1]) if earlier else None

    def _baseline_until(self) -> datetime | None:
        transplant = self.case.transplant
        if transplant is None:
            return self.case.first_dose_at
        return transplant[1] - self.case.protocol.vod.conditioning.span

    @property
    @once
    def gain(self) -> Decimal | None:
        """Weight gained since then, in per cent of it."""
        if self.weights is None:
            return None
        baseline, latest = self.weights
        return (latest.value - baseline.value) / baseline.value * PERCENT

    def gained_more_than(self, per_cent: Decimal) -> Answer:
        """Whether the gain is above a limit."""
        return None if self.gain is None else self.gain > per_cent

    @once
    def evidence(self, *methods: str) -> Answer:
        """Whether imaging, pressure or tissue speaks for VOD; what nobody looked for is unknown and decides nothing."""
        found = [i for _, i in self.case.reading.of(Imaging) if i.method in methods]
        return either(*(self._suggests(i) for i in found)) if found else False

    def _suggests(self, imaging: Imaging) -> Answer:
        if imaging.hvpg_mmhg is not None:
            return imaging.hvpg_mmhg >= self.case.protocol.vod.hvpg_from.number
        return imaging.suggests_vod

    @property
    def child(self) -> bool:
        """Below the age from which the definitions for adults hold."""
        of_age_on = birthday(self.case.course.birth_on, self.case.protocol.vod.adult_from.count)
        return not self.case.reading.reached(midnight_of(of_age_on, self.case.reading.zone))

    @once
    def present(self) -> Mapping[str, Decimal | None]:
        """The signs that are there, with how much where there is a number: what a judgement covers."""
        names = ("ruq_pain", "hepatomegaly", "ascites", "refractory_thrombocytopenia", "weight_gain_despite_diuretics")
        found: dict[str, Decimal | None] = {name: None for name in names if self.seen(name)}
        found |= {"painful_hepatomegaly": None} if self.painful_hepatomegaly else {}
        found |= {"imaging": None} if self.evidence("ultrasound", "elastography", "hvpg", "histology") else {}
        if self.bilirubin and self.bilirubin_umol is not None:
            found["bilirubin"] = self.bilirubin_umol
        if self.gained_more_than(self.case.protocol.vod.gain_seattle_above.number) and self.gain is not None:
            found["weight_gain"] = self.gain
        return MappingProxyType(found)

    @once
    def to_watch(self) -> tuple[str, ...]:
        """A1 (§7.2): any sign that is there, bilirubin at or above its ULN and rising, weight up within 7 days."""
        found = [name.replace("_", " ") for name in self.present()]
        known, before = self.case.known("bilirubin"), self._bilirubin_before
        if "bilirubin" not in found and known is not None and before is not None and known.uln is not None:
            rising = known.canonical > before.canonical
            if rising and known.below(known.uln) is not True:
                found.append(f"bilirubin rising from {before.said}")
        quick = self._gain_lately
        if "weight gain" not in found and quick is not None:
            found.append(
                f"weight {plain(quick.quantize(TENTH))} % up within {self.case.protocol.vod.watch_within.shown()}"
            )
        return tuple(found)

    @property
    def _bilirubin_before(self) -> Known | None:
        """The usable total bilirubin before the latest one."""
        known = self.case.known("bilirubin")
        earlier = [] if known is None else self.case.results.history("bilirubin")
        found = [k for k in earlier if known is not None and k.collected_at < known.collected_at]
        return found[-1] if found else None

    @property
    def _gain_lately(self) -> Decimal | None:
        """Per cent gained over the lowest weight of the days before the latest one, where that is enough to watch."""
        weights, limits = self.case.plausible_weights(), self.case.protocol.vod
        if not weights:
            return None
        latest = weights[-1]
        lowest = min(w.value for w in weights if w.at >= latest.at - limits.watch_within.span)
        gain = (latest.value - lowest) / lowest * PERCENT
        return gain if gain > limits.watch_gain_above.number else None

    @once
    def inputs(self) -> tuple[Input, ...]:
        """The values behind the answers, as a clinician reads them."""
        known = self.case.known("bilirubin")
        shown = [] if known is None else [known.shown()]
        if self.weights is not None and self.gain is not None:
            words = f"{plain(self.gain.quantize(TENTH))} % above {plain(self.weights[0].value)} kg"
            shown.append(Input(name="weight", value=words, taken_at=self.weights[1].at, fact=self.weights[1].fact))
        latest = self.case.reading.latest(VodExamination)
        signs = [name.replace("_", " ") for name, amount in self.present().items() if amount is None]
        if latest is not None and signs:
            fact, _ = latest
            shown.append(Input(name="examination", value=", ".join(signs), taken_at=fact.at, fact=fact.id))
        return tuple(shown)


def modified_seattle(s: Signs) -> Answer:
    """VOD-01: by day 20 after transplant, two of bilirubin, enlarged or painful liver, weight gain above 2 %."""
    limits = s.case.protocol.vod
    if s.day is None or s.day > limits.seattle_until.count:
        return False
    liver = either(s.seen("hepatomegaly"), s.seen("ruq_pain"))
    return at_least(
        limits.signs_needed.count, (s.bilirubin, liver, s.gained_more_than(limits.gain_seattle_above.number))
    )


def _jaundice_and_two(s: Signs) -> Answer:
    limits = s.case.protocol.vod
    signs = (s.painful_hepatomegaly, s.gained_more_than(limits.gain_above.number), s.seen("ascites"))
    return both(s.bilirubin, at_least(limits.signs_needed.count, signs))


def baltimore(s: Signs) -> Answer:
    """VOD-02 and VOD-03: by day 21 after transplant, bilirubin and two of painful liver, weight gain above 5 %, ascites."""
    early = s.day is not None and s.day <= s.case.protocol.vod.classical_until.count
    return _jaundice_and_two(s) if early else False


def late_onset(s: Signs) -> Answer:
    """VOD-04: after day 21 the same, or tissue, or two signs together with pressure or ultrasound."""
    limits = s.case.protocol.vod
    if s.day is None or s.day <= limits.classical_until.count:
        return False
    gained = s.gained_more_than(limits.gain_above.number)
    two = at_least(limits.signs_needed.count, (s.bilirubin, s.painful_hepatomegaly, gained, s.seen("ascites")))
    return either(_jaundice_and_two(s), s.evidence("histology"), both(two, s.evidence("ultrasound", "hvpg")))


def probable(s: Signs) -> Answer:
    """VOD-05: two of bilirubin, painful liver, weight gain above 5 %, ascites, ultrasound or elastography."""
    limits = s.case.protocol.vod
    gained, imaging = s.gained_more_than(limits.gain_above.number), s.evidence("ultrasound", "elastography")
    signs = (s.bilirubin, s.painful_hepatomegaly, gained, s.seen("ascites"), imaging)
    return at_least(limits.signs_needed.count, signs)


def clinical_vod(s: Signs) -> Answer:
    """VOD-06: bilirubin and two of painful liver, weight gain above 5 %, ascites; also without a transplant (VOD-12)."""
    return _jaundice_and_two(s)


def proven(s: Signs) -> Answer:
    """VOD-07: tissue, or a hepatic venous pressure gradient of at least 10 mmHg."""
    return s.evidence("histology", "hvpg")


def in_children(s: Signs) -> Answer:
    """VOD-10: below 18 years, two of refractory platelets, weight, enlarged liver, ascites, bilirubin."""
    if not s.child:
        return False
    limits = s.case.protocol.vod
    weight = either(s.seen("weight_gain_despite_diuretics"), s.gained_more_than(limits.gain_above.number))
    signs = (s.seen("refractory_thrombocytopenia"), weight, s.seen("hepatomegaly"), s.seen("ascites"), s.bilirubin)
    return at_least(limits.signs_needed.count, signs)


def ino_vate(s: Signs) -> Answer:
    """VOD-11: two of bilirubin, ascites or weight gain above 2.5 %, painful liver."""
    limits = s.case.protocol.vod
    fluid = either(s.seen("ascites"), s.gained_more_than(limits.gain_ino_vate_above.number))
    return at_least(limits.signs_needed.count, (s.bilirubin, fluid, s.painful_hepatomegaly))


DEFINITIONS: dict[str, tuple[str, int, Callable[[Signs], Answer]]] = {
    "VOD-01": ("modified Seattle", 2, modified_seattle),
    "VOD-02": ("Baltimore", 3, baltimore),
    "VOD-03": ("EBMT 2016, classical", 3, baltimore),
    "VOD-04": ("EBMT 2016, late onset", 3, late_onset),
    "VOD-05": ("EBMT 2023, probable", 2, probable),
    "VOD-06": ("EBMT 2023, clinical", 3, clinical_vod),
    "VOD-07": ("EBMT 2023, proven", 4, proven),
    "VOD-10": ("EBMT for children", 2, in_children),
    "VOD-11": ("INO-VATE", 2, ino_vate),
}
"""By clause: its name, the step of the ladder that it reaches (A2, A3, A4), and what decides it."""


def answers(signs: Signs) -> dict[str, Answer]:
    """Every definition: met, not met or unknown."""
    return {clause: decides(signs) for clause, (_, _, decides) in DEFINITIONS.items()}
