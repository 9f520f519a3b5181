"""Tiny checkpoints on disk: shards of four-byte tensors, and an index that may say anything."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from inspector.format.index import INDEX_NAME
from tests.hostile.build import shard, tensor


def shard_of(names: Sequence[str]) -> bytes:
    """A shard that holds these tensors."""
    header = {name: tensor(4 * i, 4 * i + 4, shape=[4]) for i, name in enumerate(names)}
    return shard(header, bytes(4 * len(names)))


def write_checkpoint(
    directory: Path, shards: Mapping[str, Sequence[str]], *, index: object = None
) -> Path:
    """Shards by name, with the tensors of each; `index` is the weight_map."""
    for name, tensors in shards.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(shard_of(tensors))
    if index is not None:
        (directory / INDEX_NAME).write_text(json.dumps({"weight_map": index}))
    return directory


def series(count: int, *, stem: str = "model") -> dict[str, list[str]]:
    """A series 1-of-count to count-of-count, two tensors in each."""
    return {
        f"{stem}-{number:05d}-of-{count:05d}.safetensors": [f"t{number}.a", f"t{number}.b"]
        for number in range(1, count + 1)
    }


def weight_map(shards: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The index that agrees with these shards."""
    return {tensor: name for name, tensors in shards.items() for tensor in tensors}
