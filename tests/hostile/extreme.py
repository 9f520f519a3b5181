"""Checkpoints at a limit of some reader, or that try to get more done than a header should.

Some are large: they are written to a directory, never held in memory. `rules` are the findings to
expect, none where the checkpoint is sound however odd it looks.
"""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from inspector.format.doubts import MAX_HUB_HEADER_BYTES
from inspector.format.findings import MAX_FINDINGS
from inspector.format.header import MAX_HEADER_BYTES
from inspector.format.index import INDEX_NAME
from tests.hostile.build import SINGLE, Files, index, shard, single, tensor

_EDGE: Final = range(99_990, 100_011)
"""huggingface_hub reads 100,000 bytes at first: headers around that were once cut."""

_MANY: Final = 100_000


@dataclass(frozen=True, slots=True)
class Extreme:
    """One checkpoint: how to write it into an empty directory, and its findings by rule."""

    write: Callable[[Path], None]
    rules: Mapping[str, int] = field(default_factory=dict)


def _of(files: Files, **rules: int) -> Extreme:
    def write(directory: Path) -> None:
        for name, content in files.items():
            (directory / name).write_bytes(content)

    return Extreme(write, rules)


def _padded(length: int) -> bytes:
    """A sound header of so many bytes: a note and spaces."""
    return json.dumps({"__metadata__": {"format": "pt"}}).encode().ljust(length)


def _header_of(length: int, **rules: int) -> Extreme:
    def write(directory: Path) -> None:
        with (directory / SINGLE).open("wb") as file:
            file.write(struct.pack("<Q", length))
            file.write(_padded(length))

    return Extreme(write, rules)


def _declared(length: int, *, file_size: int, **rules: int) -> Extreme:
    """A file that says its header is so long; what follows is a hole on the disk."""

    def write(directory: Path) -> None:
        with (directory / SINGLE).open("wb") as file:
            file.write(struct.pack("<Q", length))
            file.truncate(file_size)

    return Extreme(write, rules)


def _edges(directory: Path) -> None:
    for length in _EDGE:
        (directory / f"edge-{length}.safetensors").write_bytes(shard(_padded(length)))


def _long_index(directory: Path) -> None:
    """60 MB that place 100,000 tensors in a shard that has one."""
    names = ["a", *(f"{number:06d}.{'x' * 570}" for number in range(_MANY))]
    (directory / SINGLE).write_bytes(shard({"a": tensor(0, 1)}, bytes(1)))
    (directory / INDEX_NAME).write_bytes(index(dict.fromkeys(names, SINGLE)))


_EMPTY: Final = {
    "first": tensor(0, 0),
    "scalar": tensor(0, 4, dtype="F32", shape=[]),
    "middle": tensor(4, 4, dtype="F64", shape=[3, 0]),
    "last": tensor(4, 4, dtype="F4", shape=[0, 1]),
}
_SUB_BYTE: Final = {
    "two in a byte": tensor(0, 1, dtype="F4", shape=[2]),
    "four in three": tensor(1, 4, dtype="F6_E2M3", shape=[4]),
    "eight in six": tensor(4, 10, dtype="F6_E3M2", shape=[2, 4]),
}
_TOP: Final = 2**63
_POINTER: Final = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"

EXTREME: Final[Mapping[str, Extreme]] = MappingProxyType(
    {
        "no bytes": _of({SINGLE: b""}, truncated=1),
        "three bytes": _of({SINGLE: b"\x02\x00\x00"}, truncated=1),
        "length of 2^40": _declared(2**40, file_size=64, header_too_large=1),
        "length of 2^64 - 1": _declared(2**64 - 1, file_size=64, header_too_large=1),
        "header of 100,000,000 bytes": _header_of(MAX_HEADER_BYTES, header_over_hub_limit=1),
        "header of 100,000,001 bytes": _declared(
            MAX_HEADER_BYTES + 1, file_size=MAX_HEADER_BYTES + 9, header_too_large=1
        ),
        "header of 25,000,000 bytes": _header_of(MAX_HUB_HEADER_BYTES),
        "header of 25,000,001 bytes": _header_of(
            MAX_HUB_HEADER_BYTES + 1, header_over_hub_limit=1
        ),
        "headers of 99,990 to 100,010 bytes": Extreme(_edges),
        "index of 60 MB": Extreme(_long_index, {"index_tensor_absent": _MANY}),
        "shards elsewhere": _of(
            {INDEX_NAME: index({"a": "../../etc/passwd", "b": "https://elsewhere/"})},
            unsafe_shard_name=2,
        ),
        "name of a million dots": _of(single({"." * 1_000_000: tensor(0, 1)}, bytes(1))),
        "nesting of 100,000 levels": _of(single(b'{"a":' + b"[" * 100_000), header_not_json=1),
        "nesting that closes": _of(
            single(b'{"__metadata__":' + b'{"a":' * 500 + b"1" + b"}" * 501), header_not_json=1
        ),
        "offsets of 2^63": _of(single({"a": tensor(_TOP, _TOP + 4)}), truncated=1),
        "offsets of 2^64 - 1": _of(
            single({"a": tensor(0, 2**64 - 1, shape=[2**64 - 1])}), shape_overflow=1
        ),
        "more malformed entries than are kept": _of(
            single(dict.fromkeys(range(MAX_FINDINGS + 9))),
            malformed_entry=MAX_FINDINGS, findings_left_out=1,
        ),
        "digits of two widths": _of(
            {
                f"model-0000{number}-of-000002.safetensors": shard({f"t{number}": tensor(0, 0)})
                for number in (1, 2)
            }
        ),
        "three tensors that overlap": _of(
            single({"a": tensor(0, 4), "b": tensor(2, 6), "c": tensor(4, 8)}, bytes(8)), overlap=2
        ),
        "tensors without bytes": _of(single(_EMPTY, bytes(4))),
        "less than a byte an element": _of(single(_SUB_BYTE, bytes(10))),
        "a pointer of Git LFS": _of({SINGLE: _POINTER}, header_too_large=1),
        "a web page": _of({SINGLE: b"<!DOCTYPE html><title>404</title>"}, header_too_large=1),
    }
)  # fmt: skip
"""What it is -> how to write it, and its findings."""


def write_extreme(root: Path) -> None:
    """Write each checkpoint to a directory of its own: 250 MB in all, part of it holes."""
    for what, extreme in EXTREME.items():
        directory = root / what.replace(" ", "_")
        directory.mkdir(parents=True)
        extreme.write(directory)
