"""The proof page as plain text, 100 columns wide, for a printer or a terminal."""

import textwrap
from collections.abc import Callable, Iterable, Iterator

from tools.proof_facts import Held, Proof, entries_by_path, in_words, sentence
from tools.rule_trace import Place, Trace
from tools.rules_doc import LABEL_FIRST, override_of, title_of

WIDTH = 100


def page(proof: Proof) -> str:
    """The whole page."""
    return "\n".join(_lines(proof)) + "\n"


def _lines(proof: Proof) -> Iterator[str]:
    yield from _heading("PROOF OF THE RULES", "=")
    yield from (f"{name:<10} {words}" for name, words in _about(proof))
    yield from _heading("WHAT IS NOT COVERED", "=")
    for heading, items in proof.gaps:
        yield from _wrapped(f"{heading}: {len(items)}", "")
        ids_only = all(len(item) <= 9 for item in items)
        yield from (
            _wrapped(", ".join(items), "    ") if ids_only else (line for i in items for line in _wrapped(i, "  - "))
        )
        yield ""
    if proof.checked.invariants:
        yield from _heading("THE SEARCH OVER THE ORDERS OF EVENTS", "=")
        yield from (line for search in proof.checked.searches for line in _wrapped(search.words, "  - "))
    yield from _heading("SOURCES", "=")
    for key, words in dict.fromkeys(pair for protocol, _ in proof.protocols for pair in protocol.sources.items()):
        yield from _wrapped(f"{key:<20} {words}", "", " " * 21)
    yield from _heading("DECIDED BY FUNCTIONS", "=")
    for trace in proof.traces:
        if trace.decided:
            yield from _clause(proof, trace)
    yield from _heading("NOT AUTOMATED, AND WHY", "=")
    for trace in proof.traces:
        if not trace.decided:
            yield from _wrapped(f"{trace.clause:<9} {trace.not_decided}", "", " " * 10)
    yield from _signatures()


def _about(proof: Proof) -> Iterator[tuple[str, str]]:
    yield from (("Program", proof.version), ("Code", proof.code), ("Date", proof.date))
    for protocol, sha256 in proof.protocols:
        yield "Protocol", f"{protocol.name}: {protocol.title}"
        yield "", f"SHA-256 {sha256}"


def _clause(proof: Proof, trace: Trace) -> Iterator[str]:
    yield from _wrapped(" ".join(filter(None, (trace.clause, title_of(trace)))), "")
    if trace.settled_by:
        yield f"  read as {', '.join(trace.settled_by)}: decided and tested there"
    for path, of in entries_by_path(trace).items():
        label = of.get(LABEL_FIRST[0])
        for name, entry in of.items():
            if entry != label or name == LABEL_FIRST[0]:
                about = f"{entry.confidence.shown}, {entry.source}, {entry.clause}"
                yield from _wrapped(f"{in_words(path)} = {entry.shown()} [{name}: {about}]", "  ")
    if trace.rules:
        yield from _wrapped(f"override: {override_of(trace)}", "  ")
    if not trace.settled_by:
        yield from _wrapped(f"decided in: {_places(trace.functions, str) or 'NO FUNCTION FOUND'}", "  ")
        yield from _wrapped(f"tests: {_places(trace.tests, sentence) or 'NO TEST NAMES IT'}", "  ")
    yield from _held("invariant", proof.invariants_of(trace.clause))
    yield from _held("planted bug", proof.mutants_of(trace.clause))
    yield ""


def _held(kind: str, held: Iterable[Held]) -> Iterator[str]:
    for one in held:
        yield from _wrapped(f"{kind}: {one.name}: {one.words}{f' ({one.outcome})' if one.outcome else ''}", "  ")


def _places(places: Iterable[Place], named: Callable[[str], str]) -> str:
    by_file: dict[str, list[str]] = {}
    for place in places:
        by_file.setdefault(place.file, []).append(named(place.name))
    return "; ".join(f"{file}: {', '.join(names)}" for file, names in by_file.items())


def _signatures() -> Iterator[str]:
    yield from _heading("SIGNATURES", "=")
    yield from _wrapped("I have compared the numbers and the reasons of this page with the sources named in it.", "")
    for role in ("Pharmacist", "Physician"):
        yield from ("", "", f"{role}: {'_' * 36}   Date: {'_' * 12}   Signature: {'_' * 24}")


def _heading(words: str, under: str) -> Iterator[str]:
    yield from ("", words, under * len(words), "")


def _wrapped(words: str, first: str, following: str | None = None) -> Iterator[str]:
    then = " " * (len(first) + 2) if following is None else following
    yield from textwrap.wrap(words, WIDTH, initial_indent=first, subsequent_indent=then) or [first]
