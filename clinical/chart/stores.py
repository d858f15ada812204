"""A store of what was worked out, into which several threads may put while another copies it."""

from collections.abc import Mapping
from threading import Lock
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Store(dict[Key, Value]):
    """A dictionary that only grows, one entry at a time, and can be copied meanwhile. It is read like any other."""

    __slots__ = ("_lock",)

    def __init__(self, known: Mapping[Key, Value] | None = None) -> None:
        super().__init__(known or {})
        self._lock = Lock()

    def __setitem__(self, key: Key, value: Value) -> None:
        with self._lock:
            super().__setitem__(key, value)

    def copy(self) -> "Store[Key, Value]":
        """Another store with all that is in this one at one moment."""
        with self._lock:  # copying a dictionary that grows meanwhile fails, now and then, under load
            return Store(self)
