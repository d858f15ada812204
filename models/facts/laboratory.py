"""What a laboratory sent, and what a person says of it."""

from enum import StrEnum
from typing import Final, Literal

from pydantic import ConfigDict

from models.base import Frozen, Instant, KeptNumber, Name, Words


class LabStatus(StrEnum):
    """Status of a laboratory result in FHIR's words."""

    REGISTERED = "registered"
    PRELIMINARY = "preliminary"
    FINAL = "final"
    AMENDED = "amended"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "LabStatus":
        """A word that this release does not know, said by a later one: such a result is not used (LAB-05)."""
        return cls.UNKNOWN


NO_CODE: Final = "none"
"""Stands for the LOINC code of a result that came without one."""


class LabResult(Frozen):
    """One analyte of one draw, in the sender's words.

    `uln` and `lln` are the limits of the laboratory that made the result, in `limit_unit` (the result's own unit when
    empty). What cannot be read as a number or a time is kept in `text` and `collected_text`: such a result is never
    lost and never used (LAB-05). It is read so when it arrives (`models.sent`); here it is decoded as it was kept.

    What joins two messages about one result (LAB-08): `resource`, the sending system with the id of the resource
    (`<system>|<id>`); any of `identifiers`, business identifiers (`<system>|<value>`) of this one result, without one
    that several analytes of a message share; `accession`, `specimen` or `report_id`, with analyte and minute. What tells
    which came later (LAB-09): `version` (`meta.versionId` where it is a number), `updated_at` (`meta.lastUpdated`),
    `issued_at`. What is not known is `None`.

    An entry that is no plain result is kept as one all the same, so that what it may have been stays unknown (LAB-12):
    `loinc` is `none` where there is no such code, `codes` (`<system>|<code>`) and `names` are whatever else was said of
    what it measures, and `doubt` says why the entry must not be used whatever it measures (LAB-14). `unit_words` and
    `limit_unit_words` are there where the sender writes another unit in words than in its code; `specimen_type` is what the
    specimen is, `specimen_words` what is said of it beside the specimen itself, `ends_at` the end of a period, `home` the
    address below which the sender keeps the resource: two homes are two senders, though one machine brings both; `flags` are
    the codes by which it calls the number high, low, off the scale or not to be trusted.
    """

    # Not strict: a result is made of what a laboratory wrote, and what was kept of it is text.
    model_config = ConfigDict(strict=False)

    kind: Literal["lab_result"] = "lab_result"
    loinc: Name
    display: str | None = None
    value: KeptNumber | None = None
    comparator: str | None = None
    text: str | None = None
    unit: str | None = None
    uln: KeptNumber | None = None
    lln: KeptNumber | None = None
    limit_unit: str | None = None
    collected_at: Instant | None = None
    collected_text: str | None = None
    issued_at: Instant | None = None
    status: LabStatus = LabStatus.UNKNOWN
    absent_reason: str | None = None
    sender: str | None = None
    accession: str | None = None
    report_id: str | None = None
    method: str | None = None
    resource: str | None = None
    identifiers: tuple[str, ...] | None = None
    version: int | None = None
    updated_at: Instant | None = None
    specimen: str | None = None
    codes: tuple[Name, ...] | None = None
    names: tuple[Name, ...] | None = None
    doubt: str | None = None
    unit_words: str | None = None
    limit_unit_words: str | None = None
    specimen_type: str | None = None
    specimen_words: str | None = None
    ends_at: Instant | None = None
    home: str | None = None
    flags: tuple[str, ...] | None = None


class ResultWithdrawn(Frozen):
    """A withdrawal or deletion that says no code of one analyte: entered in error, cancelled or deleted (LAB-09, E1).

    It withdraws every result that any of its identities joins (LAB-08). One that joins nothing makes the analytes of
    `loincs` unknown, or all that gate a dose where it names none, until a message joins it or a person dismisses it.
    A withdrawal with the code of its analyte is a `LabResult` with that status. Fields are those of `LabResult`.
    """

    model_config = ConfigDict(strict=False)

    kind: Literal["result_withdrawn"] = "result_withdrawn"
    how: Literal["entered-in-error", "cancelled", "deleted"]
    display: str | None = None
    loincs: tuple[Name, ...] | None = None
    issued_at: Instant | None = None
    sender: str | None = None
    accession: str | None = None
    report_id: str | None = None
    resource: str | None = None
    identifiers: tuple[str, ...] | None = None
    version: int | None = None
    updated_at: Instant | None = None
    specimen: str | None = None


class UnreadableMessage(Frozen):
    """A message for this course that could not be read (LAB-05), until a person resolves it; the record keeps its bytes.

    `sha256` and `size` are those of the message as it came; `head_base64` holds its first bytes in a chart file only.
    """

    kind: Literal["unreadable_message"] = "unreadable_message"
    signal: str
    sha256: str
    size: int
    reason: str
    head_base64: str = ""


class ResultConfirmed(Frozen):
    """A person looked at an unusual result and confirms it (PLAU-01); `target` is its fact id."""

    kind: Literal["result_confirmed"] = "result_confirmed"
    target: Name


class UnreadableResolved(Frozen):
    """What could not be read was transcribed or dismissed by a named person, or read later; `target` is a hash or a fact id."""

    kind: Literal["unreadable_resolved"] = "unreadable_resolved"
    target: str
    outcome: Literal["transcribed", "dismissed", "read"]
    reason: Words
