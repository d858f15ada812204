"""Of faults that nobody chose for it, the checker alone notices most: every invariant in short searches, no test of the rules."""

import subprocess
import sys

import pytest

from plumbing.settings import ROOT
from tests.checker.faults import FAULTS
from tests.examples import TIMES

SHARE = 0.6


def test_there_are_thirty_faults_each_in_a_module_of_its_own_and_in_its_text() -> None:
    assert len({fault.module for fault in FAULTS}) == len(FAULTS) == 30
    for fault in FAULTS:
        assert fault.path.read_text().count(fault.right) == 1, fault.module
        assert fault.right != fault.wrong


@pytest.mark.hypothesis
@pytest.mark.skipif(TIMES == 1, reason="some minutes: make search")
def test_the_checker_alone_notices_most_of_them() -> None:
    answers = {}
    for number, fault in enumerate(FAULTS):
        command = [sys.executable, "-m", "tests.checker.faults", str(number)]
        answers[fault.module] = subprocess.run(
            command, cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.strip()
    missed = [module for module, answer in answers.items() if not answer]
    assert len(missed) <= len(FAULTS) * (1 - SHARE), missed
