"""Writes a sparse checkpoint of the shape of internlm/Intern-S1-Pro, at full scale if wanted.

Headers, index and `config.json` are real; tensor data are holes in the files, except for the
experts asked for with `fill`. At full scale this is 919 GB of apparent size on less than 150 MB
of disk. The published material leaves the dtype of `weight_scale_inv`, the shard size and the
tensor order open: they are parameters. Standard library only.
"""

import argparse
import bisect
import json
import random
import re
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Final, Literal, NamedTuple

from tests.intern_s1_pro import (
    ITEM_BYTES,
    SCALE_SUFFIX,
    Architecture,
    ScaleDtype,
    TensorSpec,
    config,
    tensor_specs,
)

Order = Literal["module", "sorted"]

INDEX_NAME: Final = "model.safetensors.index.json"

_EXPERT = re.compile(r"\.layers\.(\d+)\.mlp\.experts\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class ReplicaSummary:
    """What was written; `disk_bytes` counts allocated blocks, `apparent_bytes` the shard sizes."""

    tensors: int
    shards: int
    apparent_bytes: int
    disk_bytes: int
    header_bytes: int
    index_bytes: int
    filled_bytes: int
    seconds: float


class _Placed(NamedTuple):
    spec: TensorSpec
    start: int


@dataclass(frozen=True, slots=True)
class _Shard:
    header: bytes
    tensors: tuple[_Placed, ...]
    data_bytes: int

    @property
    def data_start(self) -> int:
        return 8 + len(self.header)


def write_replica(
    out: Path,
    *,
    layers: int = 94,
    experts: int = 512,
    shard_bytes: int = 5 * 10**9,
    scale_dtype: ScaleDtype = "F32",
    fill: Sequence[tuple[int, int]] = (),
    order: Order = "module",
    split_scales: bool = False,
    seed: int = 1,
) -> ReplicaSummary:
    """Write shards, index and config into `out`, which is made where it is missing.

    Args:
        out: The checkpoint directory.
        layers: Decoder layers; 94 in the published model.
        experts: Experts of one layer; 512 in the published model.
        shard_bytes: Tensor bytes after which a new shard starts.
        scale_dtype: How `weight_scale_inv` is stored.
        fill: `(layer, expert)` pairs whose three matrices get data: E4M3 codes of a normal
            distribution that reaches 448 in each block, and scales near 2e-4.
        order: `module` fills the shards in model order, `sorted` by name.
        split_scales: Put every scale after all the weights, so that most lie in another shard.
        seed: Chooses the filled bytes, together with the tensor's name.
    """
    absent = [pair for pair in fill if not (0 <= pair[0] < layers and 0 <= pair[1] < experts)]
    if absent:
        raise ValueError(f"no such (layer, expert) among {layers} layers of {experts}: {absent}")
    architecture = Architecture(layers=layers, experts=experts)
    specs = list(tensor_specs(architecture, scale_dtype))
    if order == "sorted":
        specs.sort()
    if split_scales:
        specs.sort(key=lambda spec: spec.name.endswith(SCALE_SUFFIX))
    return write_shards(out, specs, config(architecture), shard_bytes, fill=fill, seed=seed)


def write_shards(
    out: Path,
    specs: Iterable[TensorSpec],
    stated: Mapping[str, object],
    shard_bytes: int = 5 * 10**9,
    *,
    fill: Sequence[tuple[int, int]] = (),
    seed: int = 1,
) -> ReplicaSummary:
    """Write the shards, index and config of any checkpoint; see `write_replica`.

    Args:
        out: The checkpoint directory.
        specs: Its tensors, in the order in which they fill shards.
        stated: Its `config.json`.
        shard_bytes: Tensor bytes after which a new shard starts.
        fill: `(layer, expert)` pairs whose tensors get data.
        seed: Chooses the filled bytes, together with the tensor's name.
    """
    started = time.monotonic()
    shards = [_shard(some) for some in _split(specs, shard_bytes)]
    out.mkdir(parents=True, exist_ok=True)
    weight_map: dict[str, str] = {}
    filled = 0
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        filled += _write_shard(out / name, shard, frozenset(fill), seed)
        weight_map |= dict.fromkeys((placed.spec.name for placed in shard.tensors), name)
    total_size = sum(shard.data_bytes for shard in shards)
    index = {"metadata": {"total_size": total_size}, "weight_map": dict(sorted(weight_map.items()))}
    (out / INDEX_NAME).write_text(json.dumps(index, separators=(",\n", ": ")))  # C: `indent` is not
    (out / "config.json").write_text(json.dumps(stated, indent=2))
    return ReplicaSummary(
        tensors=len(weight_map),
        shards=len(shards),
        apparent_bytes=sum(shard.data_start + shard.data_bytes for shard in shards),
        disk_bytes=sum(path.stat().st_blocks * 512 for path in out.iterdir()),
        header_bytes=sum(len(shard.header) for shard in shards),
        index_bytes=(out / INDEX_NAME).stat().st_size,
        filled_bytes=filled,
        seconds=round(time.monotonic() - started, 2),
    )


def _split(specs: Iterable[TensorSpec], shard_bytes: int) -> Iterator[list[TensorSpec]]:
    current: list[TensorSpec] = []
    size = 0
    for spec in specs:
        if current and size + spec.byte_count > shard_bytes:
            yield current
            current, size = [], 0
        current.append(spec)
        size += spec.byte_count
    yield current


def _shard(specs: Iterable[TensorSpec]) -> _Shard:
    """Lay out one file as safetensors serializes it: widest dtype first, then by name."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    placed: list[_Placed] = []
    offset = 0
    for spec in sorted(specs, key=lambda spec: (-ITEM_BYTES[spec.dtype], spec.name)):
        stop = offset + spec.byte_count
        header[spec.name] = {
            "dtype": spec.dtype,
            "shape": spec.shape,
            "data_offsets": (offset, stop),
        }
        placed.append(_Placed(spec, offset))
        offset = stop
    encoded = json.dumps(header, separators=(",", ":")).encode()
    return _Shard(encoded + b" " * (-len(encoded) % 8), tuple(placed), offset)


def _write_shard(path: Path, shard: _Shard, wanted: frozenset[tuple[int, int]], seed: int) -> int:
    """Write one shard and return how many of its bytes were filled."""
    filled = 0
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(shard.header)) + shard.header)
        file.truncate(shard.data_start + shard.data_bytes)
        for spec, start in shard.tensors if wanted else ():
            expert = _EXPERT.search(spec.name)
            if expert is not None and (int(expert[1]), int(expert[2])) in wanted:
                file.seek(shard.data_start + start)
                filled += file.write(_plausible_bytes(spec, random.Random(f"{seed}:{spec.name}")))
    return filled


def _plausible_bytes(spec: TensorSpec, rng: random.Random) -> bytes:
    if spec.dtype == "F8_E4M3":
        return rng.randbytes(spec.elements).translate(_NORMAL_CODES)
    if spec.dtype == "F8_E8M0":
        return bytes(127 - rng.randint(11, 15) for _ in range(spec.elements))
    scales = (struct.pack("<f", rng.uniform(1e-4, 3e-4)) for _ in range(spec.elements))
    return b"".join(scale[4 - ITEM_BYTES[spec.dtype] :] for scale in scales)


def _e4m3_value(code: int) -> float:
    exponent, mantissa = code >> 3, code & 7
    if exponent == 0:
        return float(mantissa * 2.0**-9)
    return float((8 + mantissa) * 2.0 ** (exponent - 10))


def _normal_codes() -> bytes:
    """E4M3 codes of the 256 quantiles of a normal distribution whose outermost is 448."""
    values = [_e4m3_value(code) for code in range(0x7F)]
    normal = NormalDist()
    quantiles = [normal.inv_cdf((i + 0.5) / 256) for i in range(256)]
    unit = values[-1] / quantiles[-1]

    def nearest(magnitude: float) -> int:
        above = min(bisect.bisect_left(values, magnitude), len(values) - 1)
        below = max(above - 1, 0)
        return min((below, above), key=lambda code: abs(values[code] - magnitude))

    return bytes(nearest(abs(z) * unit) | (0x80 if z < 0 else 0) for z in quantiles)


_NORMAL_CODES: Final = _normal_codes()


def _layer_and_expert(text: str) -> tuple[int, int]:
    layer, expert = text.split(",")
    return int(layer), int(expert)


def main() -> None:
    """Command line: `python -m tests.replica --out DIR --fill 0,0`."""
    parser = argparse.ArgumentParser(prog="python -m tests.replica", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=94)
    parser.add_argument("--experts", type=int, default=512)
    parser.add_argument("--shard-bytes", type=int, default=5 * 10**9)
    parser.add_argument("--scale-dtype", choices=["F32", "F8_E8M0", "BF16"], default="F32")
    parser.add_argument(
        "--fill", type=_layer_and_expert, action="append", default=[], metavar="LAYER,EXPERT"
    )
    parser.add_argument("--order", choices=["module", "sorted"], default="module")
    parser.add_argument("--split-scales", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    summary = write_replica(**vars(parser.parse_args()))
    sys.stdout.write(json.dumps(asdict(summary), indent=2) + "\n")


if __name__ == "__main__":
    main()
