"""The house of `make run`, as far as it can be seen without starting a server."""

import asyncio
from pathlib import Path

import pytest

from demo.house import House, HouseFault
from plumbing.settings import DEMO_KEY_FILES, Settings, with_demo_keys


def test_a_fresh_start_keeps_the_keys_that_this_process_has_read_already(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Without them worker and codec server would find none, and the worker would run without encryption.
    monkeypatch.setenv("INOCYCLE_TEMPORAL_BINARY", str(tmp_path / "bin" / "none"))
    with_demo_keys(Settings(var_dir=tmp_path))
    keys = {name: (tmp_path / name).read_bytes() for name in DEMO_KEY_FILES}
    (tmp_path / "laid-out").touch()
    with pytest.raises(HouseFault, match="INOCYCLE_TEMPORAL_BINARY"):
        asyncio.run(House(Settings(var_dir=tmp_path), lambda _: None).keep(fresh=True))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name in keys} == keys
    assert not (tmp_path / "laid-out").exists()


def test_a_lost_key_is_not_replaced_by_a_new_one_while_courses_are_there(tmp_path: Path) -> None:
    with_demo_keys(Settings(var_dir=tmp_path))
    (tmp_path / "temporal.db").touch()
    (tmp_path / "payload-keys").rename(tmp_path / "payload-keys.lost")
    with pytest.raises(HouseFault, match=r"put .*payload-keys back"):
        asyncio.run(House(Settings(var_dir=tmp_path), lambda _: None).keep(fresh=False))
    assert not (tmp_path / "payload-keys").exists()
