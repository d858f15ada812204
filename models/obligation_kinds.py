"""The kinds of thing that can be open in a course: what an obligation asks for. The rest: `clinical/obligations/kinds.py`."""

from enum import StrEnum


class ObligationKind(StrEnum):
    """What an obligation asks for. The key of an obligation is its kind and a name; nobody reads the kind out of a key."""

    # A person must look now (CALL-01).
    REACTION = "reaction"
    REACTION_RUNNING = "reaction-running"
    REACTION_BACK = "reaction-back"
    DEATH = "reaction-death"
    CRITICAL = "critical"
    IMPLAUSIBLE = "implausible"
    PREGNANCY = "pregnancy"
    VOD = "vod-judgement"
    INFUSION_LIMIT = "infusion-limit"
    INFUSION_ASKED = "infusion-asked"
    # A person must settle it soon.
    LATE_VALUE = "late-value"
    RISK = "risk-alert"
    UNREADABLE = "unreadable"
    LOST = "lost-to-follow-up"
    RULES = "rules-not-evaluated"
    # At the bedside.
    INFUSION = "infusion"
    OBSERVATION = "observation"
    BROKEN_OFF = "broken-off"
    VITAL_SIGNS = "vital-signs"
    PREPARATION = "preparation"
    # Watched.
    LIVER_TEST = "liver-test"
    LIVER_TEST_AFTER_DOSE = "liver-test-after"
    EXAMINATION = "examination"
    BLOOD_COUNT = "blood-count"
    TUMOUR_LYSIS = "tls-labs"
    ECG = "ecg-after"
    PANCREAS = "amylase-lipase"
    PROPHYLAXIS = "prophylaxis"
    MARROW = "marrow"
    # The course.
    DOSE = "dose"
    BEFORE = "before"
    FIRST_DOSE = "first-dose"
    CYTOREDUCTION = "cytoreduction-review"
    TRANSPLANT = "transplant-question"
    MONITORING_ENDS = "monitoring-ends"
    AGAIN = "again"
    REFUSED = "message-refused"
    UNKNOWN = "unknown"
    """Of another release, which this one does not know: it is looked at first."""

    @classmethod
    def _missing_(cls, value: object) -> "ObligationKind":
        return cls.UNKNOWN

    def key(self, name: str = "") -> str:
        """The key of the obligation of this kind and name: `dose-C1D8`, `blood-count`."""
        return f"{self}-{name}" if name else str(self)

    def name_in(self, key: str) -> str:
        """The name in a key that was made of this kind; nothing where there is none."""
        return key[len(self) + 1 :]


GRAVEST = frozenset(
    {
        *(ObligationKind.REACTION, ObligationKind.REACTION_RUNNING, ObligationKind.REACTION_BACK, ObligationKind.DEATH),
        *(ObligationKind.CRITICAL, ObligationKind.IMPLAUSIBLE, ObligationKind.PREGNANCY, ObligationKind.VOD),
        *(ObligationKind.INFUSION_LIMIT, ObligationKind.INFUSION_ASKED),
    }
)
"""What a person must come to at once (CALL-01)."""

REACTIONS = frozenset({ObligationKind.REACTION, ObligationKind.REACTION_RUNNING, ObligationKind.REACTION_BACK})
"""A reaction that goes on, or waits for its grade."""

LIVER_TESTS = frozenset({ObligationKind.LIVER_TEST, ObligationKind.LIVER_TEST_AFTER_DOSE})

_FORMER_LIVER_TESTS = frozenset(
    {"liver-test-repeat", "liver-test-daily", "liver-test-after-last-dose", "liver-test-after-transplant"}
)


_FORMER_MESSAGES = {"unreadable_message": ObligationKind.UNREADABLE, "message_refused": ObligationKind.REFUSED}


def kind_of_former(key: str) -> ObligationKind:
    """The kind of an obligation that an earlier release wrote, which kept the key alone. Nothing written now is read so."""
    if ":" in key:  # worklist items of messages
        return _FORMER_MESSAGES.get(key.partition(":")[0], ObligationKind.UNKNOWN)
    if key in _FORMER_LIVER_TESTS:
        return ObligationKind.LIVER_TEST
    if key.startswith("reaction-") and key.endswith(("-again", "-death")):
        return ObligationKind.REACTION_BACK if key.endswith("-again") else ObligationKind.DEATH
    fitting = (kind for kind in ObligationKind if key == kind or key.startswith(f"{kind}-"))
    return max(fitting, key=len, default=ObligationKind.UNKNOWN)
