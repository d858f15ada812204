"""What a laboratory says of a value beside it: off the scale, above or below its limits, not to be trusted (LAB-14)."""

from typing import Final

from intake.fhir_shapes import Quantity, Resource, an_object, as_list, objects, words

_IN_WORDS: Final = {
    "high": "H",
    "critical high": "HH",
    "critically high": "HH",
    "low": "L",
    "critical low": "LL",
    "critically low": "LL",
    "abnormal": "A",
    "critical abnormal": "AA",
    "critically abnormal": "AA",
    "off scale high": ">",
    "off scale low": "<",
    "quality control failure": "QCF",
    "invalid": "QCF",
    "ungültig": "QCF",
    "indeterminate": "IND",
    "equivocal": "E",
    "insufficient evidence": "IE",
}
_CODES: Final = frozenset({*_IN_WORDS.values(), "HU", "LU", "HX", "LX"})
"""Codes of HL7 (table 0078, ObservationInterpretation) that speak of the size of a number, or against it."""


def flags_of(part: Resource) -> tuple[str, ...]:
    """The codes of `interpretation` that speak of the number, in any of its spellings, each once."""
    return tuple(code for code in _said(part) if code in _CODES)


def _said(part: Resource) -> list[str]:
    told = [
        said
        for one in as_list(part.get("interpretation"))
        for said in (
            words(one) or words(an_object(one).get("text")),
            *(words(c.get(name)) for c in objects(an_object(one).get("coding")) for name in ("code", "display")),
        )
        if said
    ]
    return list(dict.fromkeys(_IN_WORDS.get(said.casefold(), said.upper()) for said in told))


_OF_WORDS: Final = {
    **dict.fromkeys(("POS", "DET", "RR", "WR"), "positive"),
    **dict.fromkeys(("NEG", "ND", "NR"), "negative"),
    **dict.fromkeys(("A", "AA", "H", "HH"), "abnormal"),
    **dict.fromkeys(("IND", "E", "IE", "QCF"), "unclear"),
}


def words_of(part: Resource) -> list[str]:
    """What an interpretation says of a value that is words: it belongs to them, for the two may contradict each other."""
    return list(dict.fromkeys(_OF_WORDS[code] for code in _said(part) if code in _OF_WORDS))


def off_scale(value: Quantity, flags: tuple[str, ...]) -> str | None:
    """The comparator of a number of which only an interpretation says that it is off the scale."""
    found = [flag for flag in flags if flag in ("<", ">")]
    return found[0] if len(found) == 1 and value.value is not None else None
