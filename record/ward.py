"""The ward as its rows tell it: worklist and board, made of what the record holds. Pure; nothing is read or decided here.

Every course has its own time (the wall clock and its `clock_offset_s`); what is due and overdue is said by it, also
while no worker is there to fire a rung.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from clinical.chart.unread import SHOWN
from clinical.obligations.harm import Harm, harm_of_turn
from clinical.obligations.kinds import harm_of
from models.assessment import OVER, Assessment, CourseState, Finding, Obligation, Turn, Verdict
from models.base import Frozen, Instant, counted, plain
from models.facts import DIFFERS
from models.obligation_kinds import GRAVEST, LIVER_TESTS, REACTIONS, ObligationKind
from models.people import PHYSICIANS, Role
from record.calls import UnreachedPerson
from record.inbox import InboxItem
from record.raw import CannotBeRead
from record.reader import CourseOnRecord, WorklistItem
from record.watch import RULE, Unwatched

SOON = timedelta(hours=24)
"""What is due later than this is no item of today's list; a course's own next step stands there all the same."""

SWEPT_WITHIN = timedelta(minutes=15)
"""Three sweeps of housekeeping."""

NOT_WATCHED = "not-watched"

Standing = Literal["coming", "due", "overdue"]

MONITORING = LIVER_TESTS | {ObligationKind.MONITORING_ENDS}
ABOUT: dict[CourseState, frozenset[ObligationKind]] = {
    CourseState.INFUSION: frozenset({ObligationKind.INFUSION}),
    CourseState.INFUSION_INTERRUPTED: frozenset({ObligationKind.INFUSION}),
    CourseState.OBSERVATION: frozenset({ObligationKind.OBSERVATION}),
    CourseState.REACTION: REACTIONS,
    CourseState.CYTOREDUCTION: frozenset({ObligationKind.CYTOREDUCTION}),
    CourseState.LIVER_MONITORING: MONITORING,
    CourseState.DISCONTINUED: MONITORING,
}
"""State -> the kinds of obligation that are about the same as the course's turn; elsewhere it is the next dose."""

CLEARED_BY: dict[tuple[CourseState, Role], str] = {
    (CourseState.DOSE_ADJUSTMENT, Role.PRESCRIBER): "authorise_dose",
    (CourseState.DOSE_ADJUSTMENT, Role.PHARMACIST): "verify_dose",
    (CourseState.PREMEDICATION, Role.NURSE): "start_infusion",
    (CourseState.PREMEDICATION, Role.PHARMACIST): "record_preparation",
    (CourseState.PREMEDICATION, Role.PRESCRIBER): "authorise_dose with earlier_start_reason",
    (CourseState.LIVER_MONITORING, Role.COORDINATOR): "the end of monitoring (MON-17)",
}
"""What ends a turn that no finding explains."""


class CourseInWard(Frozen):
    """A course on record with its last decision and its open items."""

    course: CourseOnRecord
    assessment: Assessment
    items: tuple[WorklistItem, ...] = ()
    unwatched: Unwatched | None = None

    @property
    def over(self) -> bool:
        """The course has come to its end, or was closed before it; items can still be open."""
        return self.course.state in OVER

    def now(self, wall: datetime) -> datetime:
        """The course's own time."""
        return wall + timedelta(seconds=self.course.clock_offset_s)


class Line(Frozen):
    """One line of the worklist. `now` is the course's own time, `as_of` that of its last decision."""

    course_id: str
    zone: str
    now: Instant
    as_of: Instant
    key: str
    kind: ObligationKind | None = None
    what: str
    owner: Role
    also: tuple[Role, ...] = ()
    rule: str
    clears: str
    harm: Harm
    due_at: Instant | None = None
    overdue_at: Instant | None = None
    standing: Standing = "due"
    unreadable: bool = False

    @property
    def owners(self) -> tuple[Role, ...]:
        """Everybody who is called for it, its owner first."""
        return (self.owner, *self.also)

    @property
    def urgency(self) -> tuple[int, Harm, timedelta, str, str]:
        """What the worklist is sorted by: what cannot be read, what is nobody's to call for, the gravest (CALL-01), what
        is overdue, what is due today, the rest; then by harm.
        """
        until_due = self.due_at - self.now if self.due_at else timedelta()
        if self.key == NOT_WATCHED:  # whatever else is due in that course, nobody will call for it
            return -2, self.harm, until_due, self.course_id, self.key
        if self.harm is Harm.GRAVEST and self.standing != "coming":
            return -1, self.harm, until_due, self.course_id, self.key
        rank = -3 if self.unreadable else 0 if self.standing == "overdue" else 1 if until_due <= SOON else 2
        return rank, self.harm, until_due, self.course_id, self.key

    def is_for(self, role: Role) -> bool:
        """Whether it is this role's to do; a prescriber is a physician. What cannot be read may be anybody's."""
        return self.unreadable or role in self.owners or (Role.PHYSICIAN in self.owners and role in PHYSICIANS)


class BoardRow(Frozen):
    """One course on the board. `outdated`: its verdict has run out by the course's own time, and nothing came after."""

    course_id: str
    zone: str
    now: Instant
    as_of: Instant
    valid_until: Instant | None
    outdated: bool
    over: bool
    state: CourseState
    verdict: Verdict
    headline: str
    cycle: int
    next_dose: str | None
    rule: str
    why: str
    owner: Role
    next_action: str
    others: tuple[Turn, ...] = ()
    next_due: Line | None
    overdue: tuple[str, ...]
    last_decision: int
    unwatched: bool = False


class Ward(Frozen):
    """All courses on record at one instant of the wall clock, what of them cannot be read, and what waits in the inbox."""

    read_at: Instant
    courses: tuple[CourseInWard, ...]
    unreadable: tuple[CannotBeRead, ...] = ()
    inbox: tuple[InboxItem, ...] = ()
    unwatched: tuple[Unwatched, ...] = ()
    """Courses that nobody watches, and executions that the record does not know: with a row in `courses`, or without."""
    swept_at: Instant | None = None
    """When somebody last looked for those."""
    unreached: tuple[UnreachedPerson, ...] = ()
    """The calls of the last day that nobody has confirmed."""

    @property
    def unswept(self) -> bool:
        """Nobody has looked for a while, although somebody did before: no worker runs, or no sweep succeeds."""
        return self.swept_at is not None and self.read_at - self.swept_at > SWEPT_WITHIN

    @property
    def not_on_record(self) -> list[Unwatched]:
        """Those of which there is no course to show."""
        there = {course.course.course_id for course in self.courses}
        return [one for one in self.unwatched if one.course_id not in there]


def worklist_lines(ward: Ward, role: Role | None = None) -> list[Line]:
    """Every open item of every course, of one role or of all, the gravest first."""
    lines = unreadable_lines(ward)
    lines += [line for course in ward.courses for line in lines_of(course, ward.read_at)]
    lines += [_of_nobody(one, ward.read_at) for one in ward.not_on_record]
    lines += _of_channels(ward)
    lines += [_of_inbox(item, ward.read_at) for item in ward.inbox]
    return sorted((x for x in lines if role is None or x.is_for(role)), key=lambda x: x.urgency)


def lines_of(course: CourseInWard, wall: datetime) -> list[Line]:
    """The open items of one course: its turn, what is due today from its last decision, and what else its rows keep."""
    alarm = [_not_watched(course, course.unwatched, wall)] if course.unwatched else []
    return alarm + _lines_of(course, wall)


def _lines_of(course: CourseInWard, wall: datetime) -> list[Line]:
    opened = _opened(course, course.assessment, wall)
    turn, others = (None, opened) if course.over else _turn(course, course.assessment, opened, wall)
    today = [line for line in others if line.due_at is None or line.due_at <= line.now + SOON]
    return [turn, *_further_turns(course, turn, wall), *today] if turn else today


def _further_turns(course: CourseInWard, turn: Line, wall: datetime) -> list[Line]:
    """What others can do at the same time is an item of theirs (OWN-01): premedication, preparation, second signatures."""
    slot = f"{course.assessment.next_dose}: " if course.assessment.next_dose else ""
    lines = [
        _line(course, wall, f"turn-{other.owner}", f"{slot}{other.action}", other.owner, turn.rule, other.clears)
        for other in course.assessment.others
        if other.owner not in turn.also  # one call to both of them is one line
    ]
    return [line.model_copy(update={"harm": harm_of_turn(course.assessment.state)}) for line in lines]


def board_rows(ward: Ward) -> list[BoardRow]:
    """One row a course that can be read: those in trouble first, those that are over last. Before them stands the rest."""
    rows = []
    for course in ward.courses:
        lines = lines_of(course, ward.read_at)
        gravest = min((line.urgency for line in lines), default=(3, Harm.INBOX, timedelta(), "", ""))
        row = _row(course, course.assessment, lines, ward.read_at)
        rows.append((course.over, gravest[:3], _as_watched(row, course.unwatched)))
    return [row for *_, row in sorted(rows, key=lambda r: (r[0], r[1], r[2].course_id))]


# ── what is open ───────────────────────────────────────────────────────────────────────────────────────────────────


def _opened(course: CourseInWard, assessment: Assessment, wall: datetime) -> list[Line]:
    """The obligations of the last decision, and the open rows that are none of them."""
    lines = [_of_obligation(course, o, wall) for o in assessment.obligations]
    found: dict[tuple[str, datetime | None], Line] = {}
    for line in (*lines, *(_of_item(course, item, wall) for item in course.items)):
        # One message is one line, whether a rung fired for it or its row waits; a test is one line for each due time.
        found.setdefault((line.key, None if line.harm is Harm.MESSAGE else line.due_at), line)
    return list(found.values())


def _of_obligation(course: CourseInWard, o: Obligation, wall: datetime) -> Line:
    zone = ZoneInfo(course.course.zone)
    answered = f" ({'; '.join(a.words(zone) for a in o.answers)})" if o.answers else ""
    silences = f"; acknowledge obligation={o.key} silences the call" if o.kind in GRAVEST else ""
    line = _line(course, wall, o.key, f"{o.title}{answered}", o.owner, o.rule, f"{o.clears}{silences}")
    return _dated(_of_kind(line, o.kind, o.also), o.due_at, o.overdue_at)


def _of_item(course: CourseInWard, item: WorklistItem, wall: datetime) -> Line:
    unread = item.message_sha256 is not None and item.fact_id is not None
    key = item.kind.key(item.message_sha256[:SHOWN]) if unread and item.message_sha256 else item.obligation
    line = _line(course, wall, key, item.title, item.owner, item.rule, _clears(item))
    line = _dated(_of_kind(line, item.kind, item.also), item.due_at, item.overdue_at)
    return line.model_copy(update={"standing": "overdue"}) if "overdue" in item.standing else line


def _of_inbox(item: InboxItem, wall: datetime) -> Line:
    """What reached no course is the coordinator's, in no course's time but the wall clock's."""
    return Line(
        course_id="",
        zone="UTC",
        now=wall,
        as_of=item.received_at,
        key=f"inbox-{item.id}",
        what=f"document {item.id} reached no course ({item.waits_for})",
        owner=Role.COORDINATOR,
        rule="IDN-01",
        clears="inocycle inbox: assign, retry or dismiss",
        harm=Harm.INBOX,
        due_at=item.received_at,
    )


def _clears(item: WorklistItem) -> str:
    if item.fact_id is not None:
        return "resolve_unreadable: transcribe its values or dismiss it"
    if item.message_sha256 is not None:
        return "its sender says whose it is; nothing closes this item yet"
    return "a complete liver panel" if item.kind in LIVER_TESTS else "the next decision of the course"


def unreadable_lines(ward: Ward) -> list[Line]:
    """One line for each course of which a row cannot be read, and one for each such document of the inbox."""
    spoilt: dict[tuple[str, str], list[CannotBeRead]] = {}
    for found in ward.unreadable:
        spoilt.setdefault((found.course_id, "" if found.course_id else found.row), []).append(found)
    return [_unreadable(spoilt[key], ward.read_at) for key in sorted(spoilt)]


def _unreadable(found: Sequence[CannotBeRead], wall: datetime) -> Line:
    first, more = found[0], f", and {len(found) - 1} more" if len(found) > 1 else ""
    course = first.course_id
    return Line(
        course_id=course,
        zone="UTC",
        now=wall,
        as_of=wall,
        key=f"unreadable-record-{course or first.row}",
        what=_what_is_spoilt(first, more),
        owner=Role.ADMINISTRATOR,
        rule=DIFFERS,
        clears=_to_do_about(first),
        harm=Harm.URGENT,
        unreadable=True,
    )


def _is_a_key(first: CannotBeRead) -> bool:
    """Whether nothing is wrong with the record, and a payload key is missing."""
    return first.table == "memo" and not first.course_id


def _to_do_about(first: CannotBeRead) -> str:
    if _is_a_key(first):
        return "the key's file is put back where the settings name it, and the worker started again"
    ask = f"`inocycle course show {first.course_id}` asks the course itself; " if first.course_id else ""
    return f"{ask}`inocycle record verify` names each fault; compare the record with its backup, restore it"


def _what_is_spoilt(first: CannotBeRead, more: str) -> str:
    if _is_a_key(first):
        return f"{first.words}{more}"
    return f"{'its record' if first.course_id else 'a row of no course'} cannot be read: {first}{more}"


def _not_watched(course: CourseInWard, one: Unwatched, wall: datetime) -> Line:
    line = _line(course, wall, NOT_WATCHED, one.what, Role.ADMINISTRATOR, RULE, one.clears)
    return line.model_copy(update={"standing": "overdue"})


def _of_nobody(one: Unwatched, wall: datetime) -> Line:
    """What has no course on record has no time of its own."""
    return Line(
        course_id=one.course_id,
        zone=one.zone,
        now=wall,
        as_of=one.noticed_at,
        key=NOT_WATCHED,
        what=one.what,
        owner=Role.ADMINISTRATOR,
        rule=RULE,
        clears=one.clears,
        harm=Harm.URGENT,
        standing="overdue",
    )


def _of_channels(ward: Ward) -> list[Line]:
    """One line for each channel through which calls have not got through; what they were about has lines of its own."""
    lines = []
    for channel in sorted({one.channel for one in ward.unreached}):
        kept_at = [one.kept_at for one in ward.unreached if one.channel == channel]
        what = f"{counted(len(kept_at), 'call')} of the last day not confirmed by the channel {channel}"
        lines.append(
            Line(
                course_id="",
                zone="UTC",
                now=ward.read_at,
                as_of=min(kept_at),
                key=f"not-called-{channel}",
                what=what,
                owner=Role.ADMINISTRATOR,
                rule="",
                clears="the channel mended; a call that failed is tried again by itself for a day",
                harm=Harm.URGENT,
                due_at=min(kept_at),
            )
        )
    return lines


# ── whose turn it is ───────────────────────────────────────────────────────────────────────────────────────────────


def _turn(
    course: CourseInWard, assessment: Assessment, opened: Sequence[Line], wall: datetime
) -> tuple[Line, list[Line]]:
    """The course's next step, and the other lines. What an obligation says of the same step is not said twice.

    At the bedside and in monitoring the obligation has the better words, and stands for the turn; about a dose the turn
    has them, and takes over the dose's times. An overdue dose stays with its owner when the turn is somebody else's.
    """
    about, dose = _about(assessment), ObligationKind.DOSE.key(str(assessment.next_dose))
    same = sorted((x for x in opened if x.kind in about or x.key == dose), key=lambda x: x.urgency)
    mine = next((x for x in same if _same_person(x.owner, assessment.owner)), None)
    if mine is not None and mine.key != dose:
        return mine, [x for x in opened if x is not mine]
    turn = _turn_line(course, assessment, wall)
    theirs = next((x for x in same if x.key == dose), None)
    if theirs is None:
        waits = about == MONITORING and not same  # no test is left to come, and nobody has anything to do until then
        return _dated(turn, assessment.valid_until, None) if waits else turn, list(opened)
    left = [x for x in opened if x is not theirs or (x.standing == "overdue" and x is not mine)]
    return _dated(turn, theirs.due_at, theirs.overdue_at), left


def _about(assessment: Assessment) -> frozenset[ObligationKind]:
    """The kinds of obligation that ask for the same as the turn; none where it is the next dose."""
    if assessment.owner is Role.ADMINISTRATOR:
        return frozenset({ObligationKind.RULES})
    urgent = frozenset(o.kind for o in assessment.obligations if harm_of(o.kind) <= Harm.URGENT)
    if urgent and _asking(assessment, Verdict.HOLD_URGENT):
        return urgent
    return ABOUT.get(assessment.state, frozenset())


def _same_person(a: Role, b: Role) -> bool:
    return a is b or {a, b} <= PHYSICIANS


def _turn_line(course: CourseInWard, assessment: Assessment, wall: datetime) -> Line:
    urgent = _asking(assessment, Verdict.HOLD_URGENT)
    finding = urgent or _asking(assessment, assessment.verdict)
    asking = [f for f in assessment.standing if urgent is None or f.verdict is urgent.verdict]
    slot = f"{assessment.next_dose}: " if assessment.next_dose else ""
    because = f" – {finding.reason}{_and_others(asking)}" if finding else ""
    clears = (
        assessment.next_action_clears
        or _all_that_clears(asking)
        or CLEARED_BY.get((assessment.state, assessment.owner), "")
    )
    what, rule = f"{slot}{assessment.next_action}{because}", finding.rule if finding else ""
    line = _line(course, wall, "turn", what, assessment.owner, rule, clears)
    harm = Harm.URGENT if urgent else harm_of_turn(assessment.state)
    return line.model_copy(update={"harm": harm})


def _and_others(asking: Sequence[Finding]) -> str:
    """How many more than the first ask for something."""
    more = len(asking) - 1
    return f", and {counted(more, 'further reason')}" if more > 0 else ""


def _all_that_clears(asking: Sequence[Finding]) -> str:
    """All that is needed and not one of it: what each finding clears with, each once, the gravest first."""
    return "; ".join(dict.fromkeys(f.clears for f in asking if f.clears))


def _asking(assessment: Assessment, verdict: Verdict) -> Finding | None:
    """The first finding that asks for this verdict."""
    return next((f for f in assessment.findings if f.verdict is verdict), None)


# ── lines and rows ─────────────────────────────────────────────────────────────────────────────────────────────────


def _line(course: CourseInWard, wall: datetime, key: str, what: str, owner: Role, rule: str, clears: str) -> Line:
    return Line(
        course_id=course.course.course_id,
        zone=course.course.zone,
        now=course.now(wall),
        as_of=course.course.updated_at,
        key=key,
        what=what,
        owner=owner,
        rule=rule,
        clears=clears,
        harm=Harm.URGENT,
    )


def _of_kind(line: Line, kind: ObligationKind, also: tuple[Role, ...]) -> Line:
    return line.model_copy(update={"kind": kind, "also": also, "harm": harm_of(kind)})


def _dated(line: Line, due_at: datetime | None, overdue_at: datetime | None) -> Line:
    """The line with its times, and where it stands by the course's own clock."""
    standing: Standing = "due" if due_at is None or line.now >= due_at else "coming"
    if overdue_at is not None and line.now > overdue_at:
        standing = "overdue"
    return line.model_copy(update={"due_at": due_at, "overdue_at": overdue_at, "standing": standing})


def _row(course: CourseInWard, assessment: Assessment, lines: Sequence[Line], wall: datetime) -> BoardRow:
    now, finding = course.now(wall), _asking(assessment, assessment.verdict)
    dated = [_of_obligation(course, o, wall) for o in assessment.obligations]
    by_harm = sorted(lines, key=lambda x: x.urgency)
    return BoardRow(
        course_id=course.course.course_id,
        zone=course.course.zone,
        now=now,
        as_of=assessment.as_of,
        valid_until=assessment.valid_until,
        outdated=assessment.valid_until is not None and now >= assessment.valid_until,
        over=course.over,
        state=assessment.state,
        verdict=assessment.verdict,
        headline=assessment.headline,
        cycle=assessment.cycle,
        next_dose=assessment.next_dose,
        rule=finding.rule if finding else "",
        why=_why(assessment, finding, course.course.zone),
        owner=assessment.owner,
        next_action=assessment.next_action,
        others=assessment.others,
        next_due=_first(dated),
        overdue=tuple(x.what for x in by_harm if x.standing == "overdue" and x.key != NOT_WATCHED),
        last_decision=course.course.last_decision,
    )


def _first(dated: Sequence[Line]) -> Line | None:
    """What a person looks at first of all that has a date: the worst of what is due; before that, what is due first."""
    open_now = [x for x in dated if x.standing != "coming"]
    if open_now:
        return min(open_now, key=lambda x: x.urgency)
    return min(dated, key=lambda x: (x.due_at or x.now, x.key), default=None)


def _as_watched(row: BoardRow, one: Unwatched | None) -> BoardRow:
    """Where nobody watches its course the last verdict is nobody's word any more, and the row says that instead."""
    if one is None:
        return row
    says = {"rule": RULE, "why": one.what, "owner": Role.ADMINISTRATOR, "next_action": one.clears, "others": ()}
    return row.model_copy(update={**says, "outdated": True, "unwatched": True})


def _why(assessment: Assessment, finding: Finding | None, zone: str) -> str:
    """The first reason of the verdict; where nothing stands in the way, the dose."""
    if finding is not None:
        return finding.reason
    dose = assessment.dose
    if dose is None:
        return assessment.under_way or "no dose is due"
    aside = "".join(f"; {f.rule} {f.overridden}" for f in assessment.set_aside)
    lacking = "; ".join(f"{f.rule}: {f.reason}{_from(assessment, f, zone)}" for f in assessment.lacking)
    if lacking:
        return f"{plain(dose.mg)} mg; missing before the start: {lacking}{aside}"
    return f"nothing stands in the way of {plain(dose.mg)} mg{aside}"


def _from(assessment: Assessment, finding: Finding, zone: str) -> str:
    """When time alone ends what is missing, by the course's own clock as all of its row."""
    at = finding.earliest_at.astimezone(ZoneInfo(zone)) if finding.earliest_at is not None else None
    return f" (until {at:%H:%M})" if at is not None and at > assessment.as_of else ""
