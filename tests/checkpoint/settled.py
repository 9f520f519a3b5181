"""Local files of a size that is worth keeping, written long enough ago to be believed."""

import os
import time
from pathlib import Path

import pytest

from inspector.source import local
from tests.checkpoint.shards import write_checkpoint

TENSORS = 20_000
SHARDS = {
    f"model-{number}-of-2.safetensors": [f"layers.{number}.t{i}" for i in range(TENSORS // 2)]
    for number in (1, 2)
}


def write_large(directory: Path, *, index: object = None) -> Path:
    """A checkpoint of two shards with 20,000 tensors, dated an hour ago."""
    write_checkpoint(directory, SHARDS, index=index)
    for path in directory.iterdir():
        date(path)
    return directory


def date(path: Path, *, age: float = 3600) -> None:
    moment = time.time() - age
    os.utime(path, (moment, moment))


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be believed that were written a moment ago: a test has no two seconds to wait."""
    monkeypatch.setattr(local, "_SETTLED_SECONDS", -3600.0)
