"""The proof page as one HTML file: nothing is fetched, everything from outside is escaped, it prints on A4."""

from collections.abc import Callable, Iterable, Sequence
from html import escape

from models.protocol import Confidence, Entry
from tools.proof_facts import Held, Proof, entries_by_path, in_words, sentence
from tools.rule_trace import Place, Trace
from tools.rules_doc import LABEL_FIRST, override_of, title_of

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1b1f24; background: #fff;
  max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; margin: 0 0 .25rem; } h2 { font-size: 1.3rem; margin: 2.5rem 0 .75rem;
  border-bottom: 2px solid #1b1f24; padding-bottom: .2rem; } h3 { font-size: 1rem; margin: 0 0 .3rem; }
p { margin: .4rem 0; max-width: 52rem; } a { color: #0b4a8f; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0; font-size: .86rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; border: 1px solid #c4cad1; overflow-wrap: anywhere; }
th { background: #eef1f4; font-weight: 600; }
.meta td:first-child { width: 12rem; font-weight: 600; } code { font: .82rem/1.4 ui-monospace, Consolas, monospace; }
.gaps { border: 2px solid #9a3412; padding: .25rem 1rem .75rem; border-radius: 4px; }
.gaps h3 { color: #9a3412; margin-top: .8rem; } .gaps ul { margin: .2rem 0; padding-left: 1.2rem; } .id { white-space: nowrap; }
.gaps p { max-width: none; font-size: .86rem; }
.gaps li { break-inside: avoid; font-size: .86rem; }
nav { margin: .75rem 0; } nav a { display: inline-block; margin: 0 .7rem .25rem 0; }
.clause { border: 1px solid #c4cad1; border-radius: 4px; padding: .6rem .8rem; margin: .6rem 0; }
.clause h3 { break-after: avoid; } tr, dt, dd { break-inside: avoid; }
.clause h3 span { font-weight: 400; } dl { display: grid; grid-template-columns: 8.5rem 1fr; gap: .15rem .6rem; margin: .3rem 0 0;
  font-size: .86rem; } dt { color: #57606a; } dd { margin: 0; overflow-wrap: anywhere; }
.proposed { background: #fff3cd; } .unverified { background: #fde2dd; } .secondary { background: #e4ecf7; }
.bad { color: #9a3412; font-weight: 600; }
.sign { display: grid; grid-template-columns: 1fr 1fr; gap: 2.2rem 2rem; margin-top: 2rem; break-inside: avoid; }
.left td:first-child { white-space: nowrap; } .remarks { border-bottom: 1px solid #8b949e; height: 2rem; }
.sign div { border-top: 1px solid #1b1f24; padding-top: .25rem; font-size: .86rem; margin-top: 2rem; }
@page { size: A4; margin: 16mm 14mm; }
@media print { html { font-size: 12px; } body { font-size: 9pt; max-width: none; padding: 0; } nav { display: none; }
  a { color: inherit; text-decoration: none; } h2 { break-after: avoid; } }
"""


PURPOSE = (
    "For the pharmacist and the physician who release the rules. Not a medical device: invented patients only. Each clause of "
    "the clinical reference stands below with its numbers, the functions that decide it, the tests that name it, what the "
    "search over the orders of events holds of it, and the planted bugs that were noticed."
)


REMARKS = '<div class="remarks"></div>' * 3
NO_FUNCTION = '<span class="bad">no function found</span>'
NO_TEST = '<span class="bad">no test names it</span>'


def page(proof: Proof) -> str:
    """The whole page."""
    decided = [t for t in proof.traces if t.decided]
    body = [
        _head(proof),
        _gaps(proof),
        _searches(proof),
        _sources(proof),
        _contents(decided),
        *_families(proof, decided),
        _left([t for t in proof.traces if not t.decided]),
        _signatures(proof),
    ]
    title, content = escape(f"Proof of the rules: {proof.version}"), "\n".join(body)
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!doctype html>\n<html lang="en"><head>{meta}<title>{title}</title><style>{STYLE}</style></head>\n'
        f"<body>\n{content}\n</body></html>\n"
    )


def _head(proof: Proof) -> str:
    rows = [("Program", proof.version), ("Code", proof.code), ("Date", proof.date)]
    rows += [(f"Protocol {p.name}", f"{p.title}; SHA-256 {sha256}") for p, sha256 in proof.protocols]
    return f"<h1>Proof of the rules</h1><p>{escape(PURPOSE)}</p>{_table((), rows, 'meta')}"


def _gaps(proof: Proof) -> str:
    parts = [f"<h3>{escape(heading)}: {len(items)}</h3>{_items(items)}" for heading, items in proof.gaps]
    return f'<h2 id="not-covered">What is not covered</h2><div class="gaps">{"".join(parts) or "<p>Nothing.</p>"}</div>'


def _items(items: Sequence[str]) -> str:
    if all(len(item) <= 9 for item in items):  # clause ids alone: a running line
        return f"<p>{_ids(items)}</p>"
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _ids(clauses: Iterable[str]) -> str:
    """Clauses in a running line, none torn apart at its dash."""
    return ", ".join(f'<span class="id">{escape(clause)}</span>' for clause in clauses)


def _sources(proof: Proof) -> str:
    """What stands behind the short name of a source; where protocols word it differently, each with its own."""
    rows: dict[tuple[str, str], list[str]] = {}
    for protocol, _ in proof.protocols:
        for key, words in protocol.sources.items():
            rows.setdefault((key, words), []).append(protocol.name)
    table = [(key, words, ", ".join(names)) for (key, words), names in sorted(rows.items())]
    return f'<h2 id="sources">Sources</h2>{_table(("short name", "what it is", "protocols"), table)}'


def _searches(proof: Proof) -> str:
    checked = proof.checked
    if not checked.invariants:
        return ""
    noticed = sum(mutant.good for mutant in checked.mutants)
    rows = "".join(f"<li>{escape(search.words)}</li>" for search in checked.searches)
    words = f"{len(checked.invariants)} invariants; {noticed} of {len(checked.mutants)} planted bugs noticed."
    return f"<h2>The search over the orders of events</h2><p>{escape(words)}</p><ul>{rows}</ul>"


def _contents(decided: Iterable[Trace]) -> str:
    families = dict.fromkeys(_family(trace) for trace in decided)
    links = "".join(f'<a href="#{escape(f)}">{escape(f)}</a>' for f in families)
    return f'<nav>{links}<a href="#left">not automated</a><a href="#sign">signatures</a></nav>'


def _families(proof: Proof, decided: Iterable[Trace]) -> Iterable[str]:
    families: dict[str, list[Trace]] = {}
    for trace in decided:
        families.setdefault(_family(trace), []).append(trace)
    for family, found in families.items():
        yield f'<h2 id="{escape(family)}">{escape(family)}</h2>{"".join(_clause(proof, trace) for trace in found)}'


def _family(trace: Trace) -> str:
    return trace.clause.rpartition("-")[0]


def _clause(proof: Proof, trace: Trace) -> str:
    title = f" <span>{escape(title_of(trace))}</span>" if title_of(trace) else ""
    facts = [
        ("Read as", f"{_ids(trace.settled_by)}: decided and tested there" if trace.settled_by else ""),
        ("Override", escape(override_of(trace)) if trace.rules else ""),
        ("Decided in", "" if trace.settled_by else _places(trace.functions, str) or NO_FUNCTION),
        ("Tests", "" if trace.settled_by else _places(trace.tests, sentence) or NO_TEST),
        ("Invariants", _held(proof.invariants_of(trace.clause))),
        ("Planted bugs", _held(proof.mutants_of(trace.clause))),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{words}</dd>" for name, words in facts if words)
    head = f'<h3 id="{trace.clause}">{trace.clause}{title}</h3>'
    return f'<section class="clause">{head}{_numbers(trace)}<dl>{listed}</dl></section>'


def _numbers(trace: Trace) -> str:
    """One row a number: its value under each protocol, with how well it is known and from where."""
    rows = entries_by_path(trace)
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in ("number", *LABEL_FIRST))
    body = "".join(
        f"<tr><td>{escape(in_words(path))}</td>{_values(of, trace.clause)}</tr>" for path, of in rows.items()
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _values(of: dict[str, Entry], clause: str) -> str:
    label = of.get(LABEL_FIRST[0])
    return "".join(_value(of.get(name), None if name == LABEL_FIRST[0] else label, clause) for name in LABEL_FIRST)


def _value(entry: Entry | None, label: Entry | None, clause: str) -> str:
    """The value; the label's, and one that differs from it, with how well it is known, its source and its own clause."""
    if entry is None:
        return "<td>–</td>"
    if entry == label:
        return f"<td>{escape(entry.shown())}</td>"
    about = dict.fromkeys((entry.confidence.shown, entry.source, entry.clause, entry.divergence))
    told = ", ".join(word for word in about if word and word != clause)
    css = "" if entry.confidence is Confidence.VERIFIED else f' class="{entry.confidence.value}"'
    return f"<td{css}><b>{escape(entry.shown())}</b><br>{escape(told)}</td>"


def _places(places: Iterable[Place], named: Callable[[str], str]) -> str:
    by_file: dict[str, list[str]] = {}
    for place in places:
        by_file.setdefault(place.file, []).append(named(place.name))
    return "<br>".join(f"<code>{escape(file)}</code> {escape('; '.join(names))}" for file, names in by_file.items())


def _held(held: Iterable[Held]) -> str:
    return "<br>".join(
        f"<b>{escape(h.name)}</b>: {escape(h.words)}" + (f" <i>({escape(h.outcome)})</i>" if h.outcome else "")
        for h in held
    )


def _left(undecided: Iterable[Trace]) -> str:
    rows = [(t.clause, t.not_decided or "") for t in undecided]
    return f'<h2 id="left">Not automated, and why</h2>{_table(("clause", "reason"), rows, "left")}'


def _signatures(proof: Proof) -> str:
    lines = ("Pharmacist: name", "Date and signature", "Physician: name", "Date and signature")
    named = "; ".join(f"{p.name} ({sha256[:12]})" for p, sha256 in proof.protocols)
    words = (
        f"I have compared the numbers and the reasons of this page with the sources named in it. It speaks of {named}."
    )
    return (
        f'<h2 id="sign">Signatures</h2><p>{escape(words)}</p><p>Remarks, and clauses that I do not release:</p>{REMARKS}'
        + (f'<div class="sign">{"".join(f"<div>{line}</div>" for line in lines)}</div>')
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], css: str = "") -> str:
    top = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>" if head else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="{css}">{top}{body}</table>'
