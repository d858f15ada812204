"""What a run's carried state weighs: a course of thousands of results fits, and what could not be unpacked does not."""

from datetime import timedelta

from temporalio.testing import ActivityEnvironment

from activities.weigh import Weigher
from demo.patients import LABORATORY
from models.base import content_hash
from models.carried import Carried
from models.deciding import Answer
from models.facts import Fact
from plumbing.converter import TEST_KEY_RING, data_converter
from plumbing.payload_codec import LARGEST_BYTES
from tests.factories import D1, LABEL, ChartBuilder, a_lab
from workflows.course import CARRY_LIMIT_BYTES


def a_course_of(results: int) -> Carried:
    """So many results, each in a message of its own, its id a hash as intake makes it."""
    chart = ChartBuilder(LABEL).ready().chart()
    facts, answers = [], []
    for n in range(results):
        message, at = f"fhir-{content_hash(n)[:32]}", D1 + timedelta(seconds=1117 * n)
        what = a_lab("ggt", str(20 + n % 300), at=at, accession=f"A{content_hash(n)[:8]}")
        fact = {"id": f"{message}/0", "by": LABORATORY, "at": at, "recorded_at": at, "message": message, "what": what}
        facts.append(Fact.model_validate(fact))
        answers.append(Answer(message_id=message, sha256=content_hash([n])))
    return Carried(course=chart.course, facts=(*chart.facts, *facts), answers=tuple(answers))


def weight_of(carried: Carried) -> int:
    weight: int = ActivityEnvironment().run(Weigher(data_converter(TEST_KEY_RING)).weigh, carried)
    return weight


def test_a_course_of_five_thousand_results_can_be_given_to_its_next_run() -> None:
    assert weight_of(a_course_of(5000)) <= CARRY_LIMIT_BYTES


def test_what_no_run_could_unpack_is_never_light_enough() -> None:
    carried = a_course_of(1)
    again = (carried.facts[-1],) * (LARGEST_BYTES // 400)
    assert weight_of(carried.model_copy(update={"facts": again})) > LARGEST_BYTES
