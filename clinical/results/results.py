"""Which laboratory result may be used (LAB-04 … LAB-07, CONV-01 … CONV-03, PLAU-01).

Of an analyte a rule reads either what holds (`holding`: the last usable values, also beside or below something that cannot
be used) or what opens (`opening`: the values that stand, or why there is none). There is no third reading: no rule can pass
over what is not known (LAB-10), and of twins each counts (LAB-11).
A comparator makes a value an interval; a limit inside it makes the answer unknown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import MappingProxyType

from clinical.chart.once import once
from clinical.chart.reading import Reading
from clinical.chart.told import LAB
from clinical.chart.unread import open_messages
from clinical.chart.versions import (
    WITHDRAWN,
    Chain,
    Version,
    agree,
    as_settled,
    is_a_correction,
    layers,
    meant_by,
    minute_of,
)
from clinical.coding.codes import bound_of
from clinical.coding.marks import group_of, lab_mark
from clinical.coding.meaning import Meaning, analytes_of, meaning
from clinical.coding.units import label
from clinical.results.doubts import Beside, Torn, in_doubt_beside
from clinical.results.known import (
    MISSING,
    Known,
    Opening,
    Read,
    Unknown,
    by_minute,
    drawn_at,
    recorded_at,
    twins_at_the_end,
)
from clinical.results.trouble import Trouble, limits_in_unit, trouble_of, understood
from models.facts import (
    Fact,
    LabResult,
    ResultConfirmed,
    ResultWithdrawn,
    Transfusion,
    UnreadableMessage,
    UnreadableResolved,
)
from models.people import CLINICAL_ROLES, PHYSICIANS
from models.protocol import Protocol

COUNTS = frozenset({"anc", "platelets"})
TRANSCRIBED = "transcribed"
LOW_COUNTS_AS_LOW = frozenset(
    {
        *("potassium", "calcium", "calcium_corrected", "calcium_ionised", "magnesium", *COUNTS),
        *("haemoglobin", "wbc", "sodium", "phosphate"),
    }
)
"""LAB-10, CRIT-01: implausibly low values of these count as low: what holds a dose or calls when it is low."""


class Series:
    """The results of one analyte: as they arrived, the usable ones by time, what holds and what opens. It never changes.

    `gone` are values that only speak against a dose: withdrawn, or replaced by something unusable; implausibly low, of a
    time in the future, or in doubt. A later usable value settles what was withdrawn (E1). What is `unusable` now and was
    usable once, or is in doubt, counts no more as what holds after a later value, but looking back sees it: what it began
    goes on (M.0).
    """

    __slots__ = ("_minutes", "ever", "gone", "history", "holding", "in_doubt", "opening", "read")

    def __init__(self, read: Read, withdrawn: Sequence[Known] = (), unusable: Sequence[Known] = ()) -> None:
        self.read = tuple(read)
        self.history = tuple(sorted((k for _, k in read if isinstance(k, Known)), key=drawn_at))
        last = twins_at_the_end(self.history)
        since = minute_of(last[0].collected_at) if last else None
        unknown = [u for fact, u in read if isinstance(u, Unknown) and (u.stands or _is_newer(fact, last))]
        self.opening = Opening(unknown=max(unknown, key=_gravity)) if unknown else Opening(last) if last else MISSING
        against = (u.against for u in unknown if u.against is not None)
        doubts = [u for _, u in read if isinstance(u, Unknown) and u.doubted]
        doubted = [u.against for u in doubts if u.against is not None]
        withdrawn, unusable, waiting = [[replace(k, gone=True) for k in of] for of in (withdrawn, unusable, doubted)]
        self.ever = (*withdrawn, *unusable, *waiting)
        left = [k for k in (*self.ever, *against) if since is None or minute_of(k.collected_at) >= since]
        self.holding = (*last, *{k.fact: k for k in left}.values())
        self.gone = tuple({k.fact: k for k in (*left, *unusable, *doubted)}.values())
        held = {k.fact for k in self.holding} if doubts else set()
        self.in_doubt = tuple(u for u in doubts if u.fact in held)
        self._minutes: tuple[tuple[Known, ...], ...] | None = None

    @property
    def minutes(self) -> tuple[tuple[Known, ...], ...]:
        """The usable ones, oldest first, those of one minute together (LAB-11); put together when first asked for."""
        if self._minutes is None:
            self._minutes = tuple(by_minute(self.history))
        return self._minutes


def _gravity(unknown: Unknown) -> tuple[bool, bool, bool, datetime]:
    return unknown.urgent, unknown.high, unknown.stands, unknown.since


class Results:
    """The laboratory results of a chart, each correction chain reduced to the one that stands; read when asked for."""

    def __init__(self, reading: Reading, protocol: Protocol) -> None:
        self.reading = reading
        self._protocol = protocol

    @property
    @once
    def unreadable_messages(self) -> tuple[tuple[Fact, UnreadableMessage], ...]:
        """Messages that nobody could read, and that nobody has resolved (LAB-05)."""
        return tuple(open_messages(self.reading))

    def holding(self, analyte: str) -> tuple[Known, ...]:
        """What speaks against a dose: the last usable values, whatever came after them. A hold stands where any holds."""
        return self._series(analyte).holding

    def opening(self, analyte: str) -> Opening:
        """What may speak for a dose (LAB-04, LAB-05): each of its values must allow, and the unknown never does."""
        return self._series(analyte).opening

    def history(self, analyte: str) -> tuple[Known, ...]:
        """All usable results of an analyte that stand, oldest first."""
        return self._series(analyte).history

    def against(self, analyte: str) -> tuple[Known, ...]:
        """The same with what is gone and not settled (`gone`), for what only raises."""
        found = self._series(analyte)
        return tuple(sorted((*found.history, *found.gone), key=drawn_at)) if found.gone else found.history

    def minutes(self, analyte: str) -> tuple[tuple[Known, ...], ...]:
        """The usable results of an analyte that stand, oldest first, those of one minute together (LAB-11)."""
        return self._series(analyte).minutes

    def minutes_against(self, analyte: str) -> tuple[tuple[Known, ...], ...]:
        """The same with what is gone and not settled."""
        return tuple(by_minute(self.against(analyte))) if self.gone(analyte) else self.minutes(analyte)

    def holding_among(self, *analytes: str) -> tuple[Known, ...]:
        """The same of several analytes that say one thing: a later usable value of one settles the others."""
        ends = [minute_of(found[-1].collected_at) for found in map(self.history, analytes) if found]
        since = max(ends, default=None)
        held = (k for analyte in analytes for k in self.holding(analyte))
        return tuple(k for k in held if since is None or minute_of(k.collected_at) >= since)

    def holding_before(self, analyte: str, instant: datetime) -> tuple[Known, ...]:
        """What held at an instant: the last usable values that were drawn before it."""
        twins, gone = self._last_before(analyte, self.history(analyte), instant)
        return (*twins, *gone)

    def gone(self, analyte: str) -> tuple[Known, ...]:
        """What was withdrawn, replaced by something unusable, or is in doubt: it may raise, and never lifts (E1, PLAU-01)."""
        return self._series(analyte).gone

    def ever(self, analyte: str) -> tuple[Known, ...]:
        """The same, also where a later usable value settled it: for what is computed of several analytes."""
        return self._series(analyte).ever

    def before(
        self, analyte: str, instant: datetime | None, history: Sequence[Known] | None = None
    ) -> tuple[Known | None, ...]:
        """The last result collected before an instant (a baseline): of twins the one that holds more (LAB-11), or `None`.

        Beside it stands what was the last one and cannot be used any more, until a usable value before that instant follows
        it: whatever any of them holds is held (M.0). A history is given where not only a laboratory sent it.
        """
        of, gravest = self.history(analyte) if history is None else history, max if analyte in COUNTS else min
        twins, gone = self._last_before(analyte, of, instant)
        return (gravest(twins, key=lambda k: k.canonical) if twins else None, *gone)

    def _last_before(
        self, analyte: str, history: Sequence[Known], instant: datetime | None
    ) -> tuple[tuple[Known, ...], tuple[Known, ...]]:
        """The usable ones of the last minute before an instant, and what is gone and was not followed by one (M.0, E1)."""
        twins = twins_at_the_end(history if instant is None else [k for k in history if k.collected_at < instant])
        since = twins[0].minute if twins else None
        gone = (k for k in self._series(analyte).ever if instant is None or k.collected_at < instant)
        return twins, tuple(k for k in gone if since is None or k.minute >= since)

    def unusable_facts(self) -> Mapping[str, frozenset[str]]:
        """The results that stand and cannot be used, each with all that it may be a result of (LAB-05, LAB-09).

        A person may transcribe or dismiss them; a withdrawal that names no analyte has no value to transcribe.
        """
        found: dict[str, frozenset[str]] = {fact.id: frozenset() for fact, _ in self.withdraw_nothing()}
        for analyte in self._analytes():
            for one in self.all_read(analyte):
                if isinstance(one, Unknown):
                    found[one.fact] = found.get(one.fact, frozenset()) | {analyte}
        return found

    @once
    def implausibly_high(self) -> tuple[Unknown, ...]:
        """LAB-06: analytes whose newest result is implausibly high."""
        return tuple(u for u in self.unknown() if u.high)

    @once
    def unknown(self) -> tuple[Unknown, ...]:
        """LAB-10: every analyte whose newest result cannot be used, whether or not a dose requires it."""
        newest = (self.opening(analyte).unknown for analyte in self._analytes())
        return tuple(u for u in newest if u is not None)

    @once
    def in_doubt(self) -> tuple[Unknown, ...]:
        """PLAU-01: what waits for a person's confirmation and counts against a dose meanwhile, whether or not one is next."""
        return tuple(u for analyte in self._analytes() for u in self._series(analyte).in_doubt)

    @once
    def withdraw_nothing(self) -> tuple[tuple[Fact, ResultWithdrawn], ...]:
        """LAB-09: withdrawals that name no result known here and no analyte, and that nobody has dismissed."""
        self.reading.rests_on(LAB, WITHDRAWN)
        settled = self._words()
        last = [chain.versions[-1] for chain in self.reading.told.withdraw_nothing]
        return tuple(
            (v.fact, v.what)
            for v in last
            if isinstance(v.what, ResultWithdrawn) and not meant_by(v.what) and v.fact.id not in settled
        )

    def _analytes(self) -> list[str]:
        """The analytes of which any result was sent, or withdrawn by name."""
        self.reading.rests_on(LAB, WITHDRAWN)
        told = self.reading.told
        withdrawn = {a for chain in told.withdraw_nothing for v in chain.versions for a in meant_by(v.what)}
        return sorted({*told.analytes(), *withdrawn})

    def confirmed(self, *facts: str) -> bool:
        """Whether a clinician looked at one of these and confirmed it (PLAU-01, QT-06)."""
        return not self._confirmed().isdisjoint(facts)

    @once
    def _confirmed(self) -> frozenset[str]:
        found = self.reading.of(ResultConfirmed)
        return frozenset(what.target for fact, what in found if fact.by.role in CLINICAL_ROLES)

    def all_read(self, analyte: str) -> list[Known | Unknown]:
        """Every result of an analyte that stands, usable or not, as it arrived."""
        return [found for _, found in self._series(analyte).read]

    def _series(self, analyte: str) -> Series:
        told, group = self.reading.told, group_of(analyte)
        if group in told.labs or told.withdrawals:
            return self._read(analyte)
        self.reading.basis.marks |= lab_mark(group)
        return NO_RESULTS

    @once
    def _read(self, analyte: str) -> Series:
        """Every result of an analyte with what can be made of it, as they arrived."""
        told, group = self.reading.told, group_of(analyte)
        self.reading.basis.marks |= lab_mark(group)
        found = told.chains(group, analyte)
        words = self._words()
        read: dict[str, tuple[Fact, Known | Unknown]] = {}
        withdrawn: list[tuple[Fact, Known]] = []
        unusable: list[tuple[Fact, Known]] = []
        for chain in as_settled(found, words) if words else found:
            only = chain.versions[0] if len(chain.versions) == 1 else None
            if only is not None and isinstance(only.what, LabResult) and not only.withdraws:  # as nearly always
                if analyte in only.analytes and not chain.dismissed:
                    read[only.fact.id] = (only.fact, self._read_one(analyte, only.fact, only.what))
                continue
            found_in = list(self._in_chain(analyte, chain))
            gone = unusable if any(stands for _, _, stands in found_in) else withdrawn
            for fact, one, stands in found_in:
                if stands:
                    read[fact.id] = (fact, one)
                elif isinstance(one, Known):
                    gone.append((fact, one))
        for chain in told.withdraw_nothing:
            last = chain.versions[-1]
            if analyte in meant_by(last.what) and last.fact.id not in words:
                read[last.fact.id] = (last.fact, _withdraws_nothing(analyte, last.fact, last.fact.at))
        beside = self._beside(analyte, (*withdrawn, *unusable))
        doubted = in_doubt_beside(analyte, list(read.values()), beside, self._protocol)
        return Series(doubted, [k for _, k in withdrawn], [k for _, k in unusable])

    @once
    def _words(self) -> Mapping[str, tuple[str, str]]:
        """By result what a person said of it last: with which message, and whether it was transcribed or dismissed."""
        told = self.reading.of(UnreadableResolved)
        return MappingProxyType(
            {what.target: (fact.message, what.outcome) for fact, what in told if self._may_be_said(fact, what)}
        )

    def _may_be_said(self, word: Fact, what: UnreadableResolved) -> bool:
        """A transcription says nothing of what may not be what was transcribed, and nobody but a physician dismisses a hold."""
        version = self._versions().get(what.target)
        if version is None:
            return True
        if what.outcome == TRANSCRIBED:
            return not (version.analytes or meant_by(version.what)).isdisjoint(self._transcribed(word))
        return word.by.role in PHYSICIANS or not self.speaks_against(what.target)

    def speaks_against(self, target: str) -> bool:
        """Whether a result that cannot be used, looked at alone, counts against a dose all the same (LAB-06, LAB-10)."""
        version = self._versions().get(target)
        if version is None or not isinstance(version.what, LabResult):
            return False
        read = [self._read_one(analyte, version.fact, version.what) for analyte in version.analytes]
        return any(isinstance(one, Unknown) and (one.high or one.against is not None) for one in read)

    @once
    def _versions(self) -> Mapping[str, Version]:
        self.reading.rests_on(LAB, WITHDRAWN)
        told = self.reading.told
        return MappingProxyType({v.fact.id: v for of in (told.withdrawals, *told.labs.values()) for v in of})

    def _transcribed(self, word: Fact) -> frozenset[str]:
        """The analytes of the values that came with a person's word."""
        values = (f.what for f in self.reading.told.all_facts if word.message and f.message == word.message)
        return analytes_of(what for what in values if isinstance(what, LabResult))

    def _in_chain(self, analyte: str, chain: Chain) -> Iterator[tuple[Fact, Known | Unknown, bool]]:
        """What the versions of one result say of an analyte: each with its fact, and whether it stands or is gone.

        The last version stands. Where it cannot be used every usable one below it is gone, and so is what an earlier one had
        replaced: of what the later did for a dose nothing is left (E1). The same where it measures something else and does
        not say that it corrects: a number used again. What is above the last usable one makes its analyte unknown.
        """
        if chain.versions and chain.withdraws_nothing:
            last = chain.versions[-1]
            when = last.what.collected_at if isinstance(last.what, LabResult) else None
            yield last.fact, _withdraws_nothing(analyte, last.fact, when or last.fact.recorded_at), True
            return
        above = met = False
        for layer in layers(chain):
            stands, above = not above, True
            heard = tuple(v for v in layer if v.fact.id not in chain.dismissed)
            said = [(v, found) for v in self._decided(heard) if (found := self._own(analyte, v)) is not None]
            if len(said) > 1:
                of_analyte = [(v, found) for v, found in said if analyte in v.analytes]
                for version, found in of_analyte:
                    yield version.fact, _undecided(analyte, version, layer), True
                    yield version.fact, found, False
            elif said and analyte in said[0][0].analytes and not (met and isinstance(said[0][1], Unknown)):
                yield said[0][0].fact, said[0][1], stands or isinstance(said[0][1], Unknown)
            met = met or any(isinstance(found, Known) for _, found in said)
            if met and stands and any(analyte in v.analytes or is_a_correction(v) for v, _ in said):
                return

    def _decided(self, layer: tuple[Version, ...]) -> tuple[Version, ...]:
        """The one that a clinician confirmed, or the first of those that say the same; otherwise all."""
        confirmed = tuple(v for v in layer if self.confirmed(v.fact.id)) if len(layer) > 1 else ()
        return confirmed if len(confirmed) == 1 else layer[:1] if agree(layer) else layer

    def _own(self, analyte: str, version: Version) -> Known | Unknown | None:
        """A version read as what it measures itself; `None` where it withdraws, or its code is not listed."""
        if version.withdraws or not version.analytes or not isinstance(version.what, LabResult):
            return None
        of_result = analyte if analyte in version.analytes else min(version.analytes)
        return self._read_one(of_result, version.fact, version.what)

    def _read_one(self, analyte: str, fact: Fact, sent: LabResult) -> Known | Unknown:
        """The result as it can be used. Only a person's word and the other results are asked for each time."""
        ahead = self._from_the_future(fact, sent.collected_at) or self._from_the_future(fact, sent.ends_at)
        if ahead or sent is not fact.what:
            found = _looked_at_alone(analyte, fact, sent, meaning(sent), self._protocol, in_the_future=ahead)
        else:
            found = self.reading.memory.alone(fact, _as_sent(analyte))
        if isinstance(found, Unknown) and found.confirmable and self.confirmed(fact.id):
            return _usable(analyte, fact, understood(analyte, sent, self._protocol))
        return found

    def _from_the_future(self, fact: Fact, collected_at: datetime | None) -> bool:
        """Drawn after it came: its time is wrong, and that does not mend by waiting (LAB-10)."""
        if collected_at is None or collected_at <= fact.recorded_at:
            return False
        return collected_at - self._protocol.ages.future_tolerance.span > fact.recorded_at

    def _beside(self, analyte: str, torn: Torn) -> Beside:
        """What may cast doubt on the results of an analyte (PLAU-01)."""
        given: list[datetime] = []
        wholes: tuple[Known, ...] = ()
        if analyte == "platelets":
            given = [f.at for f, what in self.reading.of(Transfusion) if what.product == "platelets"]
        elif analyte == "anc":
            wbc = self._series("wbc")
            wholes = (*wbc.ever, *(k for _, k in wbc.read if isinstance(k, Known)))
        return Beside(torn, self._confirmed(), given, wholes)


@cache
def _as_sent(analyte: str) -> Callable[[Fact, Protocol], Known | Unknown]:
    """What makes of a result, looked at alone and drawn before now, what it says of an analyte without a person's word."""

    def read(fact: Fact, protocol: Protocol) -> Known | Unknown:
        assert isinstance(fact.what, LabResult)
        return _looked_at_alone(analyte, fact, fact.what, meaning(fact.what), protocol, in_the_future=False)

    return read


def _looked_at_alone(
    analyte: str, fact: Fact, sent: LabResult, meant: Meaning, protocol: Protocol, *, in_the_future: bool
) -> Known | Unknown:
    result = understood(analyte, sent, protocol)
    trouble = trouble_of(analyte, result, protocol, in_the_future=in_the_future)
    if not meant.certain and not (trouble is not None and trouble.urgent):
        trouble = Trouble(meant.rule, meant.why)
    if trouble is None:
        return _usable(analyte, fact, result)
    since, why = result.collected_at or fact.recorded_at, f"{label(analyte)}: {trouble.why}"
    counts = (
        (trouble.low and analyte in LOW_COUNTS_AS_LOW)
        or (trouble.counts and meant.certain)
        or (in_the_future and meant.certain and trouble_of(analyte, result, protocol, in_the_future=False) is None)
    )
    against = _usable(analyte, fact, result) if counts else None
    if against is not None and trouble.limitless:
        against = replace(against, uln=None, lln=None)
    marks = (trouble.urgent, trouble.confirmable, trouble.high, against)
    return Unknown(analyte, trouble.rule, why, fact.id, since, *marks)


def _usable(analyte: str, fact: Fact, result: LabResult) -> Known:
    assert result.value is not None
    assert result.unit is not None
    assert result.collected_at is not None
    limits = (_positive(result.uln), _positive(result.lln)) if limits_in_unit(result) else (None, None)
    comparator = bound_of(result.loinc, result.comparator or None)
    value, unit, drawn_at = result.value, result.unit, result.collected_at
    return Known(analyte, fact.id, value, unit, drawn_at, *limits, comparator, result.loinc, fact.recorded_at)


def _positive(limit: Decimal | None) -> Decimal | None:
    """A limit of normal that can be one."""
    return limit if limit is not None and limit > 0 else None


def _is_newer(fact: Fact, last: Sequence[Known]) -> bool:
    """LAB-05: newer by collected time; without a readable one, by arrival.

    Of one minute it stands beside a usable one that it is no version of, whichever came first (LAB-11).
    """
    if not last:
        return True
    drawn = fact.what.collected_at if isinstance(fact.what, LabResult) else None
    if drawn is None:
        return fact.recorded_at >= max(map(recorded_at, last))
    return minute_of(drawn) >= minute_of(last[0].collected_at)


# ── one result and its versions (LAB-08, LAB-09) ───────────────────────────────────────────────────────────────────


def _undecided(analyte: str, version: Version, layer: Sequence[Version]) -> Unknown:
    what, fact = version.what, version.fact
    together = len({v.fact.message for v in layer}) == 1
    why = (
        "two different values in one message" if together else "its versions differ, and nothing tells which came last"
    )
    drawn = what.collected_at if isinstance(what, LabResult) else None
    return Unknown(analyte, "LAB-09", f"{label(analyte)}: {why}", fact.id, drawn or fact.recorded_at, confirmable=True)


def _withdraws_nothing(analyte: str, fact: Fact, since: datetime) -> Unknown:
    why = f"{label(analyte)}: a result was withdrawn that is not known here"
    return Unknown(analyte, "LAB-09", why, fact.id, since, stands=True)


NO_RESULTS = Series(())
"""Of an analyte that nobody ever sent."""
