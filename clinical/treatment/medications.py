"""Which other drugs the patient takes: of each drug the last that is true of it counts, whenever it was told (LAB-04)."""

from clinical.chart.once import once
from clinical.treatment.treatment import Treatment
from models.facts import Fact, Medication


@once
def taken(case: Treatment) -> tuple[tuple[Fact, Medication], ...]:
    """The drugs that were started and not stopped, in the order in which they were started last.

    What was said once of a drug's effects stays true of it until somebody says otherwise: silence takes nothing back.
    """
    last: dict[str, tuple[Fact, Medication]] = {}
    for fact, said in sorted(case.reading.of(Medication), key=lambda pair: pair[0].at):
        name = said.drug.strip().casefold()
        known = last.pop(name, None)
        last[name] = (fact, said if known is None else _with_effects(said, known[1]))
    return tuple((fact, drug) for fact, drug in last.values() if drug.action == "started")


def _with_effects(said: Medication, before: Medication) -> Medication:
    qt = before.qt_prolonging if said.qt_prolonging is None else said.qt_prolonging
    liver = before.hepatotoxic if said.hepatotoxic is None else said.hepatotoxic
    return said.model_copy(update={"qt_prolonging": qt, "hepatotoxic": liver})
