"""Gilbert syndrome and haemolysis: when a raised total bilirubin does not speak against the liver (NON-11).

A physician's word counts together with a direct bilirubin of the same sample that is normal or a small share of the
total. It exempts the bilirubin of NON-02, NON-06 and NON-08, never the signs of VOD. It lapses at a later panel whose
direct bilirubin no longer says so, or whose ALT or AST is above its ULN and higher than in the panel that was exempted;
then a physician documents it anew. Gilbert syndrome stays; haemolysis is documented for each dose.
"""

from collections.abc import Iterator
from datetime import datetime

from clinical.chart.versions import minute_of
from clinical.coding.units import PERCENT, label
from clinical.results.known import Known
from clinical.treatment.treatment import Treatment
from models.assessment import Finding
from models.base import plain
from models.facts import BilirubinCause, Fact
from models.people import PHYSICIANS

TRANSAMINASES = ("alt", "ast")


def bilirubin_exempt(case: Treatment, total: Known) -> bool:
    """NON-11: whether this total bilirubin is put down to Gilbert syndrome or haemolysis."""
    return _exempting(case, total) is not None


def exemption_note(case: Treatment) -> Iterator[Finding]:
    """The exemption on the card, where the bilirubin would speak against the dose without it."""
    limit, held = case.protocol.liver.bilirubin_max.number, case.holding("bilirubin")
    if not held or not all(bilirubin_exempt(case, total) for total in held):
        return
    for total in [k for k in held if k.above_uln(limit) is not False][-1:]:
        word = _exempting(case, total)
        assert word is not None
        fact, what = word
        reason = f"{label('bilirubin')} {plain(total.value)} {total.unit} is put down to {what.cause} by {fact.by}"
        inputs = (*(k.shown() for k in held), *(k.shown() for k in _directs_of(case, total)))
        yield case.finding("NON-11", None, reason, inputs=inputs, subject="bilirubin")


def _exempting(case: Treatment, total: Known) -> tuple[Fact, BilirubinCause] | None:
    words = [(f, w) for f, w in case.reading.of(BilirubinCause) if f.by.role in PHYSICIANS]
    if not words or not _mostly_indirect(case, total):
        return None
    return next((word for word in reversed(words) if _covers(case, word, total)), None)


def _covers(case: Treatment, word: tuple[Fact, BilirubinCause], total: Known) -> bool:
    fact, what = word
    if what.cause == "haemolysis" and any(fact.at < d.started_at <= total.collected_at for d in case.doses):
        return False  # documented for an earlier dose
    exempted = _exempted_panel(case, fact)
    return exempted is not None and not _lapsed(case, exempted, total)


def _exempted_panel(case: Treatment, fact: Fact) -> Known | None:
    """The panel that the physician looked at: the last one that fits when the word was said, else the first after it."""
    fitting = [k for k in case.results.history("bilirubin") if _mostly_indirect(case, k)]
    before = [k for k in fitting if k.collected_at <= fact.at]
    return before[-1] if before else fitting[0] if fitting else None


def _lapsed(case: Treatment, exempted: Known, total: Known) -> bool:
    """A panel after the exempted one, and not after this one, that takes the exemption away."""
    since, until = exempted.collected_at, total.collected_at
    later = [k for k in case.results.against("bilirubin") if since < k.collected_at <= until]
    if any(not _is_small(case, direct, k) for k in later for direct in _directs_of(case, k)):
        return True
    return any(_risen(case, analyte, exempted, until) for analyte in TRANSAMINASES)


def _risen(case: Treatment, analyte: str, exempted: Known, until: datetime) -> bool:
    """ALT or AST above its ULN and higher than in the exempted panel (unknown there: any value above counts)."""
    history = case.results.against(analyte)
    of_panel = [k for k in history if minute_of(k.collected_at) == minute_of(exempted.collected_at)]
    then = min(of_panel, key=lambda k: k.canonical, default=None)
    later = [k for k in history if exempted.collected_at < k.collected_at <= until]
    return any(
        k.uln is not None and k.above(k.uln) is not False and (then is None or k.canonical > then.canonical)
        for k in later
    )


def _directs_of(case: Treatment, total: Known) -> list[Known]:
    """Every direct bilirubin of the same sample, also one that is gone."""
    minute = minute_of(total.collected_at)
    return [k for k in case.results.against("bilirubin_direct") if minute_of(k.collected_at) == minute]


def _mostly_indirect(case: Treatment, total: Known) -> bool:
    """Direct bilirubin at or below its ULN, or a small share of the total of the same sample; of twins each (LAB-11).

    One of them is usable, and the newest of it is not unknown: what is gone never exempts, and speaks against it (E1).
    """
    directs, usable = _directs_of(case, total), {k.fact for k in case.results.history("bilirubin_direct")}
    unknown = case.opening("bilirubin_direct").unknown
    if unknown is not None and minute_of(unknown.since) == minute_of(total.collected_at):
        return False
    return any(k.fact in usable for k in directs) and all(_is_small(case, direct, total) for direct in directs)


def _is_small(case: Treatment, direct: Known, total: Known) -> bool:
    if direct.uln is not None and direct.above(direct.uln) is False:
        return True
    exact = direct.comparator in (None, "=", "<", "<=") and total.comparator in (None, "=", ">", ">=")
    share = case.protocol.liver.direct_share_max.number
    return exact and direct.canonical * PERCENT <= share * total.canonical
