"""One tiny checkpoint for each rule: its files, by name, as bytes. Each breaks one rule only.

`python -m tests.hostile OUT` writes them to `OUT/rules/<rule>/`.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from inspector.format.header import MAX_HEADER_BYTES
from inspector.format.index import INDEX_NAME

Files = Mapping[str, bytes]
"""A checkpoint in memory: file name -> content."""

FIRST: Final = "model-00001-of-00002.safetensors"
SECOND: Final = "model-00002-of-00002.safetensors"
SINGLE: Final = "model.safetensors"


def shard(header: object, data: bytes = b"") -> bytes:
    """A file with this header: as it is if it is bytes, else as JSON."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(
    start: int, stop: int, *, dtype: str = "U8", shape: list[int] | None = None
) -> dict[str, object]:
    """A header's entry; of `U8` and as long as its bytes unless told otherwise."""
    return {
        "dtype": dtype,
        "shape": [stop - start] if shape is None else shape,
        "data_offsets": [start, stop],
    }


def index(weight_map: object, *, total_size: int | None = None) -> bytes:
    """An index with this weight map."""
    metadata = {} if total_size is None else {"total_size": total_size}
    return json.dumps({"metadata": metadata, "weight_map": weight_map}).encode()


def single(header: object, data: bytes = b"") -> Files:
    """A checkpoint of one file."""
    return {SINGLE: shard(header, data)}


def pair(weight_map: object, *, total_size: int | None = None) -> Files:
    """`a` of 4 bytes in the first shard, `b` of 2 in the second, and an index."""
    return {
        FIRST: shard({"a": tensor(0, 4)}, bytes(4)),
        SECOND: shard({"b": tensor(0, 2)}, bytes(2)),
        INDEX_NAME: index(weight_map, total_size=total_size),
    }


def _without(files: Files, name: str) -> Files:
    return {other: content for other, content in files.items() if other != name}


_SOUND: Final = {"a": FIRST, "b": SECOND}

HOSTILE: Final[Mapping[str, Files]] = MappingProxyType(
    {
        "truncated": single({"a": tensor(0, 8)}, bytes(7)),
        "trailing_bytes": single({"a": tensor(0, 8)}, bytes(9)),
        "header_too_large": {SINGLE: struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{}"},
        "header_length_past_end": {SINGLE: struct.pack("<Q", 3) + b"{}"},
        "header_not_utf8": single(b'{"__metadata__":{"a":"\xff"}}'),
        "header_not_json": single(b'{"a":'),
        "metadata_not_strings": single({"__metadata__": {"epoch": 3}}),
        "duplicate_key": single(b'{"__metadata__":{"format":"pt","format":"np"}}'),
        "malformed_entry": single({"a": {"dtype": "U8", "shape": [1]}}),
        "unknown_dtype": single({"a": tensor(0, 1, dtype="F8_E4M3FN")}, bytes(1)),
        "shape_overflow": single({"a": tensor(0, 1, shape=[1 << 32, 1 << 32])}, bytes(1)),
        "sub_byte_misaligned": single({"a": tensor(0, 2, dtype="F4", shape=[3])}, bytes(2)),
        "span_size_mismatch": single({"a": tensor(0, 4, dtype="F32", shape=[2])}, bytes(4)),
        "offsets_reversed": single({"a": tensor(4, 0, shape=[4]), "b": tensor(0, 4)}, bytes(4)),
        "overlap": single({"a": tensor(0, 4), "b": tensor(3, 7)}, bytes(7)),
        "hole": single({"a": tensor(0, 4), "b": tensor(5, 9)}, bytes(9)),
        "metadata_null": single({"__metadata__": None, "a": tensor(0, 1)}, bytes(1)),
        "header_padding": single(b'{"__metadata__":{}}\n'),
        "unknown_field": single(
            {name: {**tensor(at, at + 1), "note": "x"} for at, name in enumerate("abc")}, bytes(3)
        ),
        "empty_name": single({"": tensor(0, 1)}, bytes(1)),
        "index_not_json": {INDEX_NAME: b'{"weight_map": ["a"]}'},
        "unsafe_shard_name": {INDEX_NAME: index({"a": "../a.safetensors"})},
        "missing_shard": _without(pair(_SOUND), SECOND),
        "incomplete_series": {SECOND: shard({"b": tensor(0, 2)}, bytes(2))},
        "index_tensor_absent": pair(_SOUND | {"c": SECOND}),
        "tensor_not_in_index": {
            FIRST: shard({"a": tensor(0, 4), "c": tensor(4, 5)}, bytes(5)),
            SECOND: shard({"b": tensor(0, 2)}, bytes(2)),
            INDEX_NAME: index(_SOUND),
        },
        "shard_not_in_index": {
            FIRST: shard({"a": tensor(0, 4)}, bytes(4)),
            SECOND: shard({}),
            INDEX_NAME: index({"a": FIRST}),
        },
        "duplicate_tensor_across_shards": {
            FIRST: shard({"a": tensor(0, 4)}, bytes(4)),
            SECOND: shard({"a": tensor(0, 4), "b": tensor(4, 6)}, bytes(6)),
            INDEX_NAME: index(_SOUND),
        },
        "total_size_mismatch": pair(_SOUND, total_size=7),
    }
)
"""rule -> the files that break it. Of `unreadable_file` no file can be an example."""


def write_hostile(root: Path) -> None:
    """Write each checkpoint to the directory of its rule."""
    for rule, files in HOSTILE.items():
        (root / rule).mkdir(parents=True)
        for name, content in files.items():
            (root / rule / name).write_bytes(content)
