"""With how many examples a property is tried, and whether they are the same ones each time."""

import os
from typing import Any

import pytest
from hypothesis import settings

TIMES = int(os.environ.get("INOCYCLE_EXAMPLES", "1"))
"""How many times the usual number; `make search` tries many more, drawn at random."""


def examples(number: int) -> settings:
    """So many examples of a property. In the usual run they are the same ones each time: a failure comes from a change."""
    return settings(deadline=None, max_examples=number * TIMES, derandomize=TIMES == 1)


few, modest, many = examples(20), examples(60), examples(200)
"""Fewer examples the costlier the property."""

_DATABASES = ("sqlite", "postgresql") if TIMES > 1 else ("sqlite",)


def costly(test: Any) -> Any:
    """A long story, on one database in the usual run and on both under `make search`."""
    return pytest.mark.hypothesis(pytest.mark.parametrize("database_url", _DATABASES, indirect=True)(test))
