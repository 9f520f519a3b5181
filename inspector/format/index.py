"""`model.safetensors.index.json`: which shard holds which tensor.

Source: huggingface_hub's serialization docs and transformers' `load_sharded_checkpoint`. Shard
names are labels here: nothing is read out of them but whether they stay inside the checkpoint.
"""

import json
from collections import Counter
from pathlib import PurePosixPath
from typing import Any, Final

import msgspec

from inspector.errors import FormatError, Place, Problem
from inspector.format.rules import problem

INDEX_NAME: Final = "model.safetensors.index.json"
"""The name transformers and huggingface_hub write and look for."""

INDEX_SUFFIX: Final = ".safetensors.index.json"

MAX_INDEX_BYTES: Final = 500_000_000
"""No published index comes near: 290,292 tensors take 32 MB. A guard against endless replies."""


class Index(msgspec.Struct, frozen=True):
    """A parsed index. `total_size` is as declared: often stale, never used for arithmetic."""

    file: str
    weight_map: dict[str, str]
    total_size: int | None

    @property
    def shards(self) -> list[str]:
        """The shards named, each once, in the order of their names."""
        return sorted(set(self.weight_map.values()))


class _IndexDocument(msgspec.Struct):
    weight_map: dict[str, str]
    metadata: dict[str, Any] | None = None


def parse_index(text: bytes, *, file: str) -> Index:
    """An index from its JSON.

    Raises:
        FormatError: not JSON, no `weight_map`, a tensor placed twice, or a shard name that leaves
            the checkpoint.
    """
    index, problems = examine_index(text, file=file)
    if index is None or problems:
        raise FormatError(problems)
    return index


def examine_index(text: bytes, *, file: str) -> tuple[Index | None, list[Problem]]:
    """What could be read of an index, and everything that is wrong with it.

    Of two places of one tensor the index has the last, as every reader keeps it; shard names that
    leave the checkpoint are in its map, for `is_safe_shard` to tell.
    """
    try:
        document = msgspec.json.decode(text, type=_IndexDocument)
        problems = [] if _is_plain(text, document) else _duplicates(text, file)
    except (ValueError, RecursionError) as error:
        message = "the index cannot be read"
        expected = "an object with a weight_map of strings"
        where = Place(shard=file)
        return None, [problem("index_not_json", where, message, expected=expected, found=error)]
    for name in sorted(set(document.weight_map.values())):
        if not is_safe_shard(name):
            message = "the index names a file outside the checkpoint"
            expected = "a relative path without '..' or a scheme"
            where = Place(shard=file)
            problems.append(
                problem("unsafe_shard_name", where, message, expected=expected, found=repr(name))
            )
    declared = (document.metadata or {}).get("total_size")
    if isinstance(declared, bool) or not isinstance(declared, int | float):
        declared = None
    return Index(file, document.weight_map, None if declared is None else int(declared)), problems


def _is_plain(text: bytes, document: _IndexDocument) -> bool:
    """Whether there are quotes for the strings that were decoded and no more: no key is twice."""
    if b"\\" in text:
        return False
    strings = 1 + 2 * len(document.weight_map)
    if document.metadata is not None:
        strings += 1 + _string_count(document.metadata)
    return text.count(b'"') == 2 * strings


def _string_count(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_string_count(item) for item in value.values())
    if isinstance(value, list):
        return sum(_string_count(item) for item in value)
    return isinstance(value, str)


def _duplicates(text: bytes, file: str) -> list[Problem]:
    """Tensors that the index places twice: a reader would keep the last in silence."""
    found = []

    def check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                where = Place(shard=file, tensor=key)
                message = f"the key {key!r} occurs more than once"
                found.append(problem("duplicate_key", where, message, expected="one", found=count))
        return dict(pairs)

    json.loads(text.decode("utf-8"), object_pairs_hook=check)
    return found


def is_safe_shard(name: str) -> bool:
    """Whether a shard name is a plain relative path below the checkpoint.

    >>> [is_safe_shard(n) for n in ("a/b.safetensors", "../x", "/etc/passwd", "https://h/x", ".")]
    [True, False, False, False, False]
    """
    parts = PurePosixPath(name).parts
    unsafe_letters = ("\\", ":", "\x00", "?", "#", "%")
    return (
        bool(parts)
        and not name.startswith(("/", "~"))
        and ".." not in parts
        and not any(letter in name for letter in unsafe_letters)
    )
