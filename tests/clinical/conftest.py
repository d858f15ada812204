"""Scenarios whose rule is still on its way: they may fail until it has come."""

from pathlib import Path

import pytest

ON_THEIR_WAY = tuple(Path(__file__).with_name("on_their_way.txt").read_text().split())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        rule = next((word for word in ON_THEIR_WAY if word in item.nodeid), None)
        if rule is not None:
            item.add_marker(pytest.mark.xfail(reason=f"{rule} is on its way", strict=False))
