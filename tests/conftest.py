"""Settings for all tests."""

import gc
import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as many processes as cores run the tests

from hypothesis import settings

from inspector.cli import machine

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """What was collected stays: let no garbage collection go through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _memory_as_usual() -> Iterator[None]:
    """A match in this process would map large blocks apart in all tests after it: twice the time.

    It maps them to give back what a whole model takes. `test_machine.py` has it in other processes.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "hold_large_blocks_apart", lambda: False)
        yield
