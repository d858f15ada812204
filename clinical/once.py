"""A question that many rules ask of one case is answered once.

A case is one chart under one protocol at one instant and never changes, so an answer stays true for as long as it lives.
Only for functions of a case and small values; the reading remembers the instants they asked about, once is enough.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class Remembering(Protocol):
    """What keeps answers: a treatment, or a case made of it."""

    answers: dict[object, object]


Of = TypeVar("Of", bound=Remembering)


def once(ask: Callable[Concatenate[Of, Asked], Answer]) -> Callable[Concatenate[Of, Asked], Answer]:
    """Ask this of a case once for each set of further arguments."""

    @wraps(ask)
    def remembered(case: Of, *args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
        key = (ask, args)
        if key not in case.answers:
            case.answers[key] = ask(case, *args, **kwargs)
        return cast("Answer", case.answers[key])

    return cast("Callable[Concatenate[Of, Asked], Answer]", remembered)
