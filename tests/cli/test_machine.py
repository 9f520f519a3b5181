import os
import subprocess
import sys

import pytest

from inspector.cli import machine
from tests.cli.running import QWEN3, S1, invoke

THREADS = "OPENBLAS_NUM_THREADS"

MAPPED = """
import ctypes
from inspector.cli.machine import hold_large_blocks_apart

class Held(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "abcdefghij"]

def mapped():
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = Held
    return ask().e

raised = ctypes.CDLL(None).mallopt(-3, 32 * 1024 * 1024)
holds = {} and hold_large_blocks_apart()
before = mapped()
held = bytes(1_000_000)
print(mapped() - before >= len(held), holds)
"""
"""The fifth number of `mallinfo2` is the bytes of blocks that are mapped by themselves.

The bound is raised to 32 MB first, as glibc does when such blocks are freed. It is said here
because the environment may have fixed it: dask sets `MALLOC_TRIM_THRESHOLD_` for its workers in
the process that starts them, and whoever runs the tests may have set it too.
"""


@pytest.mark.skipif(sys.platform != "linux", reason="an option of glibc")
def test_a_large_block_is_mapped_by_itself_whatever_was_freed_before() -> None:
    """A match held what it had freed, between what is kept of each layer: 0.67 GB for 0.38."""
    assert mapped(holds=True) == ["True", "True"]
    assert mapped(holds=False) == ["False", "False"]


def test_a_match_maps_large_blocks_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(machine, "hold_large_blocks_apart", lambda: asked.append(True))
    assert invoke("expert-similarity", "-m", S1, "--ref", QWEN3, "--plan").exit_code == 0
    assert asked == [True]


def mapped(*, holds: bool) -> list[str]:
    """Whether a block was mapped by itself in a new process, and what was said of the option."""
    command = [sys.executable, "-c", MAPPED.format(holds)]
    run = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603
    return run.stdout.split()


@pytest.mark.parametrize(
    ("said", "found"), [({}, "1"), ({THREADS: "4"}, "4"), ({"OMP_NUM_THREADS": "2"}, None)]
)
def test_products_take_one_thread_unless_somebody_said_otherwise(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, str], found: str | None
) -> None:
    environment = dict(said)
    monkeypatch.setattr(os, "environ", environment)
    machine.multiply_in_one_thread()
    assert environment.get(THREADS) == found
