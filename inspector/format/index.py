"""`model.safetensors.index.json`: which shard holds which tensor.

Source: huggingface_hub's serialization docs and transformers' `load_sharded_checkpoint`. Shard
names are labels here: nothing is read out of them but whether they stay inside the checkpoint.
"""

from pathlib import PurePosixPath
from typing import Any, Final

import msgspec

from inspector.errors import FormatError, Place
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
        FormatError: not JSON, no `weight_map`, or a shard name that leaves the checkpoint.
    """
    try:
        document = msgspec.json.decode(text, type=_IndexDocument)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(
            [
                problem(
                    "index_not_json", Place(shard=file), "the index cannot be read",
                    expected="an object with a weight_map of strings", found=str(error),
                )
            ]
        ) from error  # fmt: skip
    unsafe = [name for name in sorted(set(document.weight_map.values())) if not is_safe_shard(name)]
    if unsafe:
        raise FormatError(
            [
                problem(
                    "unsafe_shard_name", Place(shard=file),
                    "the index names a file outside the checkpoint",
                    expected="a relative path without '..' or a scheme", found=repr(name),
                )
                for name in unsafe
            ]
        )  # fmt: skip
    declared = (document.metadata or {}).get("total_size")
    total_size = int(declared) if isinstance(declared, int | float) else None
    return Index(file, document.weight_map, total_size)


def is_safe_shard(name: str) -> bool:
    """Whether a shard name is a plain relative path below the checkpoint.

    >>> [is_safe_shard(n) for n in ("a/b.safetensors", "../x", "/etc/passwd", "https://h/x", "a\\\\b")]
    [True, False, False, False, False]
    """
    parts = PurePosixPath(name).parts
    unsafe_letters = ("\\", ":", "\x00", "?", "#", "%")
    return (
        bool(name)
        and not name.startswith(("/", "~"))
        and ".." not in parts
        and not any(letter in name for letter in unsafe_letters)
    )
