"""What a careful ward does while time goes by: whatever comes due is charted in time, so that only the story stands out."""

from datetime import datetime, timedelta

from demo import bundles
from demo.bedside import Bedside
from models.assessment import Obligation
from models.obligation_kinds import ObligationKind

KINDS = frozenset(
    {
        ObligationKind.VITAL_SIGNS,
        ObligationKind.TUMOUR_LYSIS,
        ObligationKind.BLOOD_COUNT,
        ObligationKind.PROPHYLAXIS,
        ObligationKind.EXAMINATION,
    }
)
"""What is done without being told in the story. Liver tests are the story."""


async def pass_time(bedside: Bedside, span: timedelta) -> None:
    """Let time go by, and do what comes due meanwhile."""
    await pass_time_to(bedside, await bedside.clock.now() + span)


async def pass_time_to(bedside: Bedside, until: datetime) -> None:
    """The same, to just past an instant."""
    done: set[tuple[str, datetime]] = set()
    while (one := await _next(bedside, until, done)) is not None:
        done.add((one.key, one.due_at))
        await bedside.clock.advance_to(one.due_at)
        await _do(bedside, one)
    await bedside.clock.advance_to(until)


async def _next(bedside: Bedside, until: datetime, done: set[tuple[str, datetime]]) -> Obligation | None:
    """What comes due first, of what was not done already: doing it once must be enough."""
    open_now = (await bedside.card()).obligations
    mine = [o for o in open_now if o.kind in KINDS and o.due_at < until and (o.key, o.due_at) not in done]
    return min(mine, key=lambda o: (o.due_at, o.key), default=None)


async def _do(bedside: Bedside, one: Obligation) -> None:
    match one.kind:
        case ObligationKind.VITAL_SIGNS:
            await bedside.vital_signs()
        case ObligationKind.TUMOUR_LYSIS:
            await bedside.send_labs({analyte: bundles.NORMAL[analyte] for analyte in bundles.TUMOUR_LYSIS})
        case ObligationKind.BLOOD_COUNT:
            await bedside.send_labs({analyte: bundles.NORMAL[analyte] for analyte in bundles.BLOOD_COUNT})
        case ObligationKind.PROPHYLAXIS:
            await bedside.protect()
        case _:
            await bedside.examine()
            await bedside.weigh()
