"""Veno-occlusive disease: each published definition met, not met or unknown, and which of its own criteria meet it (VOD)."""

from collections.abc import Callable, Iterable

from clinical.vod.vod_signs import NOT_MET, Part, Signs


def at_least(number: int, parts: Iterable[Part]) -> Part:
    """Whether so many are met, and by what: unknown only while the unknown ones could still decide it."""
    given = list(parts)
    met, unknown = [part for part in given if part.answer], sum(part.answer is None for part in given)
    if len(met) >= number:
        return Part(answer=True, by=tuple(dict.fromkeys(sign for part in met for sign in part.by)))
    return NOT_MET if len(met) + unknown < number else Part(answer=None)


def both(*parts: Part) -> Part:
    """All of them."""
    return at_least(len(parts), parts)


def either(*parts: Part) -> Part:
    """One of them."""
    return at_least(1, parts)


def modified_seattle(s: Signs) -> Part:
    """VOD-01: by day 20 after transplant, two of bilirubin, enlarged or painful liver, weight gain above 2 %."""
    limits = s.case.protocol.vod
    if not s.within(limits.seattle_until):
        return NOT_MET
    liver = either(s.look("hepatomegaly"), s.look("ruq_pain"))
    return at_least(
        limits.signs_needed.count, (s.bilirubin, liver, s.gained_more_than(limits.gain_seattle_above.number))
    )


def _jaundice_and_two(s: Signs) -> Part:
    limits = s.case.protocol.vod
    signs = (s.look("painful_hepatomegaly"), s.gained_more_than(limits.gain_above.number), s.look("ascites"))
    return both(s.bilirubin, at_least(limits.signs_needed.count, signs))


def baltimore(s: Signs) -> Part:
    """VOD-02 and VOD-03: by day 21 after transplant, bilirubin and two of painful liver, weight gain above 5 %, ascites."""
    return _jaundice_and_two(s) if s.within(s.case.protocol.vod.classical_until) else NOT_MET


def late_onset(s: Signs) -> Part:
    """VOD-04: after day 21 the same, or tissue, or two signs together with pressure or ultrasound."""
    limits = s.case.protocol.vod
    if s.within(limits.classical_until) is not False:
        return NOT_MET
    gained = s.gained_more_than(limits.gain_above.number)
    two = at_least(limits.signs_needed.count, (s.bilirubin, s.look("painful_hepatomegaly"), gained, s.look("ascites")))
    return either(_jaundice_and_two(s), s.evidence("histology"), both(two, s.evidence("ultrasound", "hvpg")))


def probable(s: Signs) -> Part:
    """VOD-05: two of bilirubin, painful liver, weight gain above 5 %, ascites, ultrasound or elastography."""
    limits = s.case.protocol.vod
    gained, imaging = s.gained_more_than(limits.gain_above.number), s.evidence("ultrasound", "elastography")
    signs = (s.bilirubin, s.look("painful_hepatomegaly"), gained, s.look("ascites"), imaging)
    return at_least(limits.signs_needed.count, signs)


def clinical_vod(s: Signs) -> Part:
    """VOD-06: bilirubin and two of painful liver, weight gain above 5 %, ascites; also without a transplant (VOD-12)."""
    return _jaundice_and_two(s)


def proven(s: Signs) -> Part:
    """VOD-07: tissue, or a hepatic venous pressure gradient of at least 10 mmHg."""
    return s.evidence("histology", "hvpg")


def in_children(s: Signs) -> Part:
    """VOD-10: below 18 years, two of refractory platelets, weight, enlarged liver, ascites, bilirubin high or rising."""
    if not s.child:
        return NOT_MET
    limits = s.case.protocol.vod
    weight = either(s.look("weight_gain_despite_diuretics"), s.gained_more_than(limits.gain_above.number))
    bilirubin = s.bilirubin if s.bilirubin.answer else either(s.bilirubin, s.bilirubin_rising)
    signs = (s.look("refractory_thrombocytopenia"), weight, s.look("hepatomegaly"), s.look("ascites"), bilirubin)
    return at_least(limits.signs_needed.count, signs)


def ino_vate(s: Signs) -> Part:
    """VOD-11: two of bilirubin, ascites or weight gain above 2.5 %, painful liver."""
    limits = s.case.protocol.vod
    fluid = either(s.look("ascites"), s.gained_more_than(limits.gain_ino_vate_above.number))
    return at_least(limits.signs_needed.count, (s.bilirubin, fluid, s.look("painful_hepatomegaly")))


def by_name(s: Signs) -> Part:
    """NON-01: somebody charted it as a toxicity; whether it is VOD a physician judges."""
    return s.charted


DEFINITIONS: dict[str, tuple[str, int, Callable[[Signs], Part]]] = {
    "VOD-01": ("modified Seattle", 2, modified_seattle),
    "VOD-02": ("Baltimore", 3, baltimore),
    "VOD-03": ("EBMT 2016, classical", 3, baltimore),
    "VOD-04": ("EBMT 2016, late onset", 3, late_onset),
    "VOD-05": ("EBMT 2023, probable", 2, probable),
    "VOD-06": ("EBMT 2023, clinical", 3, clinical_vod),
    "VOD-07": ("EBMT 2023, proven", 4, proven),
    "VOD-10": ("EBMT for children", 2, in_children),
    "VOD-11": ("INO-VATE", 2, ino_vate),
    "NON-01": ("a charted toxicity", 2, by_name),
}
"""By clause: its name, the step of the ladder that it reaches (A2, A3, A4), and what decides it."""


def answers(signs: Signs) -> dict[str, Part]:
    """Every definition: met, not met or unknown, and by what."""
    return {clause: decides(signs) for clause, (_, _, decides) in DEFINITIONS.items()}
