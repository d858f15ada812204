"""What in a patient's history speaks against the drug (EU-04): a contraindication in the EU, elsewhere benefit against risk."""

from collections.abc import Iterator

from clinical.course.case import Case
from models.assessment import Finding, Input, Verdict
from models.facts import Allergy, DoseSlot, Fact, MedicalHistory

CONDITIONS = {
    "hypersensitivity": "hypersensitivity to the drug",
    "severe_vod": "severe VOD, confirmed, in the past",
    "vod_ongoing": "ongoing VOD",
    "serious_liver_disease": "serious ongoing liver disease",
}
"""Field of `MedicalHistory` -> the condition as a card names it."""


def contraindications(case: Case, slot: DoseSlot) -> Iterator[Finding]:
    """EU-04 before each dose: every condition that is there, and at the first dose every one that nobody asked about.

    In the EU a condition proposes to stop and nobody sets it aside; under every other protocol the dose waits until
    the prescriber and a second person sign that the benefit outweighs the risk (OVR-02). Unanswered needs data in the
    EU before the first dose; elsewhere, and later, it is only said.
    """
    answers = history_answers(case)
    for name, words in CONDITIONS.items():
        fact, there = answers.get(name, (None, False))
        if fact is not None and there:
            yield _condition(case, words, (Input(name=words, value="yes", taken_at=fact.at, fact=fact.id),))
    yield from _stopped_before(case)
    unasked = [words for name, words in CONDITIONS.items() if name not in answers]
    if unasked and (slot.cycle, slot.day) == (1, 1):
        required = case.protocol.eligible.history_contraindicates.holds
        reason, clears = f"the history does not say: {', '.join(unasked)}", "the medical history, each answered"
        yield case.finding(
            "EU-04", Verdict.NEED_DATA if required else None, reason, clears=clears if required else None
        )


def history_answers(case: Case) -> dict[str, tuple[Fact, bool]]:
    """What was said last about each condition: a later history that leaves one open takes no answer back.

    A charted allergy to the drug is hypersensitivity, whatever a history says; only its correction takes it away.
    """
    answers = {name: said for name, said in case.reading.answered(MedicalHistory).items() if name in CONDITIONS}
    charted = [fact for fact, allergy in case.reading.of(Allergy) if allergy.to_inotuzumab]
    return answers | ({"hypersensitivity": (charted[-1], True)} if charted else {})


def _stopped_before(case: Case) -> Iterator[Finding]:
    """COR-02: a stop of another course of this patient is not undone by beginning anew."""
    for stop in case.course.stopped_before:
        yield _condition(case, f"the drug was stopped or held for an emergency in {stop.course_id} ({stop.rule})")


def _condition(case: Case, words: str, inputs: tuple[Input, ...] = ()) -> Finding:
    if case.protocol.eligible.history_contraindicates.holds:
        reason, verdict, clears = f"contraindicated: {words}", Verdict.PROPOSE_DISCONTINUE, "the prescriber decides"
    else:
        reason, verdict = f"{words}: the benefit must outweigh the risk", Verdict.HOLD
        clears = "override by the prescriber and a second person, with the reason"
    return case.finding("EU-04", verdict, reason, inputs=inputs, clears=clears, subject=words)
