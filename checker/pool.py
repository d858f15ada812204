"""The processes that share the searches. They end with the one that asked for them, however that one ended."""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from threading import Thread

WORKERS = 2


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """Processes of their own rules. What was not begun when the asker breaks off is not begun any more."""
    pool = ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"), initializer=_end_with_the_asker)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_the_asker() -> None:
    Thread(target=_wait_for_its_end, daemon=True).start()


def _wait_for_its_end() -> None:
    """An asker that is killed says nothing to its processes: they would search on."""
    asker = parent_process()
    assert asker is not None
    connection.wait([asker.sentinel])
    os._exit(1)
