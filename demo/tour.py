"""Seven steps through the invented ward: what to type, and what it shows."""

from collections.abc import Callable
from typing import NamedTuple


class Step(NamedTuple):
    """One step: what it is about, the exact commands, and what they show."""

    title: str
    commands: tuple[str, ...]
    shows: str


def steps(course_of: Callable[[str], str], var: str) -> tuple[Step, ...]:
    """The steps. `course_of` names a patient's course as it was laid out, `var` the folder of what the demo writes."""
    bernd, clara, dora, frieda = (course_of(f"course-{name}") for name in ("bernd", "clara", "dora", "frieda"))
    weighed_again = (
        f"inocycle do {frieda} record_finding --by nurse:n-distel --message-id weighed-again"
        " finding.kind=weight finding.kg=60"
    )
    return (
        Step(
            "The ward on one screen, and what one role must do",
            ("inocycle board --once", "inocycle worklist --role prescriber"),
            "Where each course stands and why, by its own clock; then the prescriber's items, the gravest first.",
        ),
        Step(
            "A dose is signed, by whoever may",
            (
                f"inocycle do {bernd} authorise_dose --by nurse:n-distel cycle=1 day=1",
                f"inocycle do {bernd} authorise_dose --by prescriber:dr-ahorn cycle=1 day=1",
                "inocycle worklist --role pharmacist",
            ),
            "The nurse is refused, the prescriber gets a receipt, and the next step is the pharmacist's.",
        ),
        Step(
            "A dose is held, and the card says what clears it",
            (
                f"inocycle course show {dora}",
                f"inocycle do {dora} authorise_dose --by prescriber:dr-ahorn cycle=1 day=8",
            ),
            "The ALT is above its limit: each reason with its value, its clause, and what would open it.",
        ),
        Step(
            "A result ends what was overdue",
            (
                f"now=$(inocycle course show {clara} --json"
                ' | python -c \'import json, sys; print(json.load(sys.stdin)["status"]["now"])\')',
                f'sed "s/TIME/$now/" docs/examples/labs/clara-liver-panel.json > {var}/labs.json',
                f"inocycle labs send {clara} {var}/labs.json",
                "inocycle worklist --role coordinator",
            ),
            "The laboratory's FHIR file goes in, the weekly test is done, and the next one has its date.",
        ),
        Step(
            "The worker is killed, and nothing is lost",
            (
                f'kill -9 "$(cat {var}/worker.pid)"',
                f"inocycle do {frieda} record_finding --by nurse:n-distel finding.kind=weight finding.kg=61",
            ),
            "The house starts the worker again. The command waits for it, and the course goes on where it was.",
        ),
        Step(
            "Time passes for one patient, and an administrator looks for it",
            (
                f"inocycle demo advance {frieda} --to-next-due",
                "inocycle worklist --role nurse",
                f"inocycle do {frieda} record_finding --by nurse:n-distel finding.kind=vital_signs"
                " finding.heart_rate_per_min=72 finding.systolic_mmhg=124 finding.diastolic_mmhg=76"
                " finding.temperature_c=36.7 finding.oxygen_saturation_percent=98",
                f"inocycle demo advance {frieda} --to-next-due",
                f"inocycle do {frieda} end_observation --by nurse:n-distel",
                "inocycle links",
            ),
            "After half an hour her vital signs are due, after the hour somebody must say that her observation is over;"
            " the links are searches in Temporal's Web UI.",
        ),
        Step(
            "The key is lost and put back, and nothing that was decided changes",
            (
                f'mv {var}/payload-keys {var}/payload-keys.lost && kill -9 "$(cat {var}/worker.pid)"',
                weighed_again,
                "inocycle board --once",
                f'mv {var}/payload-keys.lost {var}/payload-keys && kill -9 "$(cat {var}/worker.pid)"',
                weighed_again,
                f"inocycle record verify {frieda}",
            ),
            "Without its key no command is sent, and it says which file to put back; the worker can open no course, in the Web"
            " UI her workflow task fails, and the board tells what the record knows. With the key back she is where she was,"
            " the command is taken, and her record is what was written.",
        ),
    )


def told(path: tuple[Step, ...]) -> str:
    """The steps as a person reads them; a command is a line that can be copied."""
    lines = ["In a second terminal, in this folder, while the house runs:\n\n  source .venv/bin/activate"]
    for number, step in enumerate(path, start=1):
        commands = "".join(f"\n  {command}" for command in step.commands)
        lines.append(f"{number}. {step.title}\n{commands}\n\n   {step.shows}")
    return "\n\n".join(lines)
