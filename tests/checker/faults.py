"""Thirty faults of one line, written down before anybody looked at what the checker would notice.

One in each of thirty modules of the rules, of the kind that a patient could meet. Each is planted in a process of its own, in
what it imports, not on disk.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

from plumbing.settings import ROOT


class Fault(NamedTuple):
    """In this module of `clinical` what stands instead of what, and what the patient meets."""

    module: str
    right: str
    wrong: str
    meets: str

    @property
    def path(self) -> Path:
        """The file that it is in."""
        (path,) = (ROOT / "clinical").rglob(f"{self.module}.py")
        return path

    @property
    def name(self) -> str:
        """The rules that it is in."""
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts)


FAULTS = (
    Fault(
        "after_dose",
        "plus_months(given_on, women.count)",
        "plus_months(given_on, men.count)",
        "contraception of a woman ends after the months of a man",
    ),
    Fault(
        "alerts",
        "None if confirmed or not self.open else",
        "None if confirmed or self.open else",
        "nobody is called to signs of VOD",
    ),
    Fault(
        "amounts",
        "_run_in_mg(case, dose) if end.stopped_early else",
        "_run_in_mg(case, dose) if not end.stopped_early else",
        "a dose that was broken off counts as whole",
    ),
    Fault(
        "bedside_rulings",
        "refusal is None and running is not None and judging.at < running",
        "refusal is None and running is not None and judging.at > running",
        "an interruption is refused",
    ),
    Fault(
        "calls",
        "reaction.grade >= running and",
        "reaction.grade > running and",
        "nobody is called to a reaction of grade 2",
    ),
    Fault(
        "critical",
        "past(cut, result, one) in counts), None)",
        'past(cut, result, one) in ("open",)), None)',
        "nobody is called to a critical value",
    ),
    Fault("counts", 't.product == "platelets"', 't.product != "platelets"', "platelets just transfused open day 1"),
    Fault("closures", "p.at >= fired.due_at", "p.at <= fired.due_at", "the test after a dose is met by one before it"),
    Fault("deviations", "days < gap:", "days > gap:", "a dose after five days is not said"),
    Fault(
        "ecg",
        "u.stands or minute_of(u.since) >= since",
        "u.stands or minute_of(u.since) < since",
        "a newer QT that nobody can use is passed over",
    ),
    Fault("examinations", "fact.at >= last - age", "fact.at < last - age", "nobody is asked to look for signs of VOD"),
    Fault("infusion", "self.expires_at - needed(", "self.expires_at + needed(", "an expired drug goes on running"),
    Fault(
        "time_limits",
        "limit - case.protocol.observation.ends_call_before",
        "limit + case.protocol.observation.ends_call_before",
        "the nurse is called after the drug has expired",
    ),
    Fault("interruption", "i.days >= limit and", "i.days > limit and", "14 days of toxicity lower no dose"),
    Fault(
        "levels",
        "if _signed(what) > derived.level_of(",
        "if _signed(what) < derived.level_of(",
        "a signed level rises again",
    ),
    Fault(
        "liver_gate",
        "limit = multiple.number * result.uln",
        "limit = multiple.number / result.uln",
        "a normal ALT holds the dose",
    ),
    Fault("liver", "len(days) == 1 and all(", "len(days) == 1 or all(", "NON-02 ends by a panel that is still high"),
    Fault(
        "liver_tests",
        "if day <= spans.transplant_first_until.count",
        "if day > spans.transplant_first_until.count",
        "a month without a liver test after transplant",
    ),
    Fault(
        "plausibility",
        'comparator not in ("<", "<=") and (canonical > high',
        'comparator in ("<", "<=") and (canonical > high',
        "an impossible ALT calls nobody",
    ),
    Fault(
        "reactions", "running.grade < grade:", "running.grade > grade:", "a reaction of grade 2 that runs holds nothing"
    ),
    Fault(
        "response",
        "elif marrow >= limits.marrow_blasts_below",
        "elif marrow < limits.marrow_blasts_below",
        "CR with a full marrow is not questioned",
    ),
    Fault(
        "schedule",
        "return max(window.closes_at, midnight_of(",
        "return min(window.closes_at, midnight_of(",
        "a short toxicity drops the dose",
    ),
    Fault(
        "suspicion",
        "umol >= case.protocol.vod.bilirubin_from",
        "umol <= case.protocol.vod.bilirubin_from",
        "a suspicion by bilirubin is not kept",
    ),
    Fault(
        "toxic_values",
        "any(not attributed_elsewhere(",
        "any(attributed_elsewhere(",
        "toxicity of the drug stops no clock",
    ),
    Fault(
        "toxicity",
        "counts and not attributed_elsewhere(",
        "counts and attributed_elsewhere(",
        "a toxic creatinine holds nothing",
    ),
    Fault("tumour_lysis", "len(group) >= limits", "len(group) < limits", "tumour lysis is not said"),
    Fault(
        "vod_signs",
        "(self.amount or 0) <= (sign.amount or 0)",
        "(self.amount or 0) >= (sign.amount or 0)",
        "more signs after a judgement open nothing",
    ),
    Fault("watch", "if not what.qt_prolonging", "if what.qt_prolonging", "no ECG after a drug that prolongs QT"),
    Fault(
        "weight",
        "min(latest.value, shown or last_kg)",
        "max(latest.value, shown or last_kg)",
        "fluid is dosed as weight",
    ),
    Fault(
        "windows",
        "opens_on = max(by_length, by_spacing)",
        "opens_on = min(by_length, by_spacing)",
        "the next cycle begins too soon",
    ),
)


class _Wrong(SourceFileLoader):
    fault: Fault

    def get_code(self, fullname: str) -> CodeType:
        """The module with the fault in it."""
        source = self.get_source(fullname)
        assert source is not None
        assert source.count(self.fault.right) == 1, f"{self.fault.name} has another text by now"
        return compile(source.replace(self.fault.right, self.fault.wrong), self.path, "exec")


class _Plants(MetaPathFinder):
    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The faulty module, for its own name only."""
        if name != self._fault.name:
            return None
        spec = PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Wrong(name, spec.origin)
        spec.loader.fault = self._fault
        return spec


def noticed_by(number: int) -> str:
    """By which invariant this fault is noticed in short searches; nothing where none does. A crash is no fault noticed."""
    sys.meta_path.insert(0, _Plants(FAULTS[number]))
    from checker.scopes import MET, searched
    from checker.search import Scope
    from checker.steps import TOTAL

    for protocol, scope in (
        ("us-label-2024.1", MET),
        ("us-label-2024.1", Scope("doses elsewhere", {"C1D8": 1}, kinds=("given elsewhere",))),
        ("article-2025.1", Scope("the window", {"C2D1": 1}, kinds=("as soon as the window",))),
        ("us-label-2024.1", Scope("nothing", {}, asides=2, named=("qtcf", "QTcF", "creatinine"))),
        (
            "us-label-2024.1",
            Scope("a level", {"C1D8": 1, "C2D1": 1}, kinds=("ALT was high for 14", "the value that"), follow=1),
        ),
    ):
        for violation in searched(protocol, scope).violations:
            if violation.invariant != TOTAL.name:
                return violation.invariant
    return ""


if __name__ == "__main__":
    sys.stdout.write(f"{noticed_by(int(sys.argv[1]))}\n")
