"""Local files that are worth keeping, and written long enough ago to be believed."""

import os
import time
from pathlib import Path

import pytest

from inspector.checkpoint import keeping
from inspector.source import local
from tests.checkpoint.shards import write_checkpoint

TENSORS = 40
SHARDS = {
    f"model-{number}-of-2.safetensors": [f"layers.{number}.t{i}" for i in range(TENSORS // 2)]
    for number in (1, 2)
}


def write_old(directory: Path, *, index: object = None) -> Path:
    """A checkpoint of two shards, dated an hour ago."""
    write_checkpoint(directory, SHARDS, index=index)
    for path in directory.iterdir():
        date(path)
    return directory


def date(path: Path, *, age: float = 3600) -> None:
    moment = time.time() - age
    os.utime(path, (moment, moment))


def keep_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let catalogs be worth keeping that are as small as those of a test."""
    monkeypatch.setattr(keeping, "_WORTH_KEEPING", TENSORS)


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be believed that were written a moment ago: a test has no two seconds to wait."""
    monkeypatch.setattr(local, "_SETTLED_SECONDS", -3600.0)
