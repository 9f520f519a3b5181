"""Checkpoints built from arrays, in memory, and the arrays that hypothesis draws for them."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from inspector.checkpoint import Checkpoint, ReadPolicy
from inspector.config import CONFIG_NAME
from inspector.decode.numeric import NUMPY_DTYPES
from inspector.format.dtypes import Dtype
from inspector.source.base import Ledger, MemorySource
from tests.hostile.build import SINGLE, shard

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]

FP8: Final = (Dtype.F8_E4M3, Dtype.F8_E5M2, Dtype.F8_E4M3FNUZ, Dtype.F8_E5M2FNUZ)
"""The formats of 8-bit weights."""

CODES: Final = MappingProxyType({numpy_dtype: dtype for dtype, numpy_dtype in NUMPY_DTYPES.items()})
"""numpy dtype -> the code a header spells it with."""


def float32(values: npt.ArrayLike) -> Float32:
    """An array of that dtype, from anything that is one."""
    return np.asarray(values, dtype=np.float32)


def assert_same_values(found: Array, expected: Array) -> None:
    """Equal values, equal signs of zero, NaN where NaN is expected and nowhere else."""
    assert found.dtype == np.float32
    number = ~np.isnan(expected)
    assert np.array_equal(np.isnan(found), ~number)
    assert np.array_equal(found[number].view(np.uint32), expected[number].view(np.uint32))


def shard_of(tensors: Mapping[str, Array]) -> bytes:
    """A file that holds these arrays, in this order."""
    header = {}
    data = bytearray()
    for name, values in tensors.items():
        content = np.ascontiguousarray(values).tobytes()
        header[name] = {
            "dtype": CODES[values.dtype],
            "shape": list(values.shape),
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    return shard(header, bytes(data))


def memory_checkpoint(
    *shards: Mapping[str, Array], config: Mapping[str, object] | None = None
) -> tuple[Checkpoint, MemorySource]:
    """An open checkpoint of these shards, and the source that counts what is read of it."""
    files = {SINGLE: shard_of(shards[0])} if len(shards) == 1 else {}
    for number, tensors in enumerate(shards if len(shards) > 1 else (), 1):
        files[f"model-{number:05d}-of-{len(shards):05d}.safetensors"] = shard_of(tensors)
    if config is not None:
        files[CONFIG_NAME] = json.dumps(config).encode()
    source = MemorySource(files)
    return Checkpoint(source, Ledger(), ReadPolicy()), source


def fp8_config(block: tuple[int, int] | None, **fields: int) -> dict[str, object]:
    """A config that declares FP8 blocks."""
    quantization: dict[str, object] = {"quant_method": "fp8"}
    if block is not None:
        quantization["weight_block_size"] = list(block)
    return {**fields, "quantization_config": quantization}


def code_array(raw: bytes, dtype: Dtype, shape: tuple[int, ...]) -> Array:
    """Bytes as the codes of an 8-bit format."""
    return np.frombuffer(raw, dtype=NUMPY_DTYPES[dtype]).reshape(shape)


@st.composite
def codes(draw: st.DrawFn, dtype: Dtype, shape: tuple[int, ...]) -> Array:
    """Any codes of an 8-bit format, zeros more often than chance has them."""
    size = math.prod(shape)
    raw = draw(st.binary(min_size=size, max_size=size))
    if draw(st.booleans()):
        raw = bytes(byte if byte < 0x60 else byte & 0x80 for byte in raw)
    return code_array(raw, dtype, shape)


def random_codes(rng: np.random.Generator, dtype: Dtype, shape: tuple[int, ...]) -> Array:
    """Finite codes of an 8-bit format, drawn uniformly."""
    bits = rng.integers(0, 256, shape, dtype=np.uint8)
    bits[~np.isfinite(bits.view(NUMPY_DTYPES[dtype]).astype(np.float32))] = 0
    return bits.view(NUMPY_DTYPES[dtype])


SAMPLES: Final = Path(__file__).parent.parent / "sample_shards"
"""Small checkpoints of real weights; `PROVENANCE.md` there says how they were made."""
