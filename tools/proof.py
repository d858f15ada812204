"""The page that a pharmacist signs: `make proof` writes `build/proof/index.html` and `build/proof/proof.txt`.

Every clause of the clinical reference with its numbers under each protocol, its functions, the tests that name it, and
what the checker holds and notices of it. What is not covered stands first.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import proof_html, proof_text
from tools.proof_facts import gathered
from tools.rule_trace import ROOT


def main(words: Sequence[str] | None = None) -> int:
    """Write both pages and say where they are."""
    parser = argparse.ArgumentParser(description="Write the proof page, as HTML and as text.")
    parser.add_argument("--date", required=True, help="the date that stands on the page, as 2026-12-01")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "proof", help="the folder to write into")
    asked = parser.parse_args(words)
    proof = gathered(asked.date)
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, text in (("index.html", proof_html.page(proof)), ("proof.txt", proof_text.page(proof))):
        (asked.out / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{asked.out / name}\n")
    for heading, items in proof.gaps:
        sys.stdout.write(f"not covered: {heading}: {len(items)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
