"""Marks: one bit for each kind of fact and for each group of laboratory results, so that a set of them is one number.

All of them are dealt out before anything is asked: a mark made when it is first asked for could be two in two threads.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import cast, get_args

from clinical.coding.codes import LOINC
from models.base import Frozen
from models.facts import Body

EVERY_FACT = 1
"""The mark of an answer that rests on the whole chart."""

QT_GROUP = "qtc"
"""A QTc counts as QTcF when its method says so (LAB-01): both are one group."""

UNLISTED = ""
"""The group of results whose code is not listed: no analyte reads them."""


def group_of(analyte: str) -> str:
    """The group of results that this analyte is read from: all that one code can mean."""
    return QT_GROUP if analyte == "qtcf" else analyte


def groups_of_analytes(analytes: frozenset[str]) -> tuple[str, ...]:
    """The groups of all these analytes."""
    if len(analytes) == 1:  # as nearly always
        (analyte,) = analytes
        return (group_of(analyte),)
    return tuple(sorted({group_of(analyte) for analyte in analytes})) or (UNLISTED,)


def _tag(kind: type[Frozen]) -> str:
    return cast("str", kind.model_fields["kind"].default)


TAGS: Mapping[type[Frozen], str] = MappingProxyType({kind: _tag(kind) for kind in get_args(get_args(Body)[0])})
"""By the class of what a fact says the kind that stands in the chart."""

_GROUPS = sorted({UNLISTED, *map(group_of, LOINC.values())})
_KINDS = sorted(TAGS.values())

KIND_MARKS: Mapping[str, int] = MappingProxyType({kind: 2 << place for place, kind in enumerate(_KINDS)})
"""By the kind of a fact its mark."""

_LAB_MARKS = MappingProxyType({group: 2 << place for place, group in enumerate(_GROUPS, len(_KINDS))})

ALL_LABS = sum(_LAB_MARKS.values())
"""The marks of all groups of results."""


def lab_mark(group: str) -> int:
    """The mark of what rests on this group of results; no result can ever come into a group that no code belongs to."""
    return _LAB_MARKS.get(group, _LAB_MARKS[UNLISTED])
