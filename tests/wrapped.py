"""How producers other than transformers and vLLM name and pack the tensors of a quantized module.

From codes, one a byte, and scales `[rows, groups]`, to tensors by the ends of their names. Zero
points are those of codes that are stored with an offset of 8.
"""

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import numpy as np

from tests.encoding import E4M3, Array, Encoded, Float64, two_a_byte
from tests.quantized import bitsandbytes_state

HALF: Final = 8
"""The middle of 4 bits."""

_ORDER: Final = (0, 2, 4, 6, 1, 3, 5, 7)
"""AutoAWQ `packing_utils.py`: which of eight is at each place of a word."""

Wrap = Callable[[Encoded, Array], dict[str, Array]]
"""Codes, and the scales in their dtype, to tensors."""


def gptq(found: Encoded, scale: Array) -> dict[str, Array]:
    """AutoGPTQ: words down the columns of `[in, out]`, zero points less one."""
    columns = found.codes.shape[1]
    return {
        ".qweight": np.ascontiguousarray(_words(found.codes).T),
        ".qzeros": _words(_points(found).T - 1),
        ".scales": np.ascontiguousarray(scale.T),
        ".g_idx": np.arange(columns, dtype=np.int32) // (columns // scale.shape[1]),
    }


def awq(found: Encoded, scale: Array) -> dict[str, Array]:
    """AutoAWQ: words along the rows of `[in, out]`, in an order of their own."""
    return {
        ".qweight": _words(_in_awq_order(found.codes.T)),
        ".qzeros": _words(_in_awq_order(_points(found).T)),
        ".scales": np.ascontiguousarray(scale.T),
    }


def awq_gemv(found: Encoded, scale: Array) -> dict[str, Array]:
    """AutoAWQ for GEMV: words along the rows of `[out, in]`, zero points and scales padded."""
    rows, groups = scale.shape
    width = found.codes.shape[1] // groups
    multiple = max(1, 128 // width)
    wide = 8 * multiple * math.ceil(groups / (8 * multiple))
    points, padded = np.zeros((rows, wide), np.uint8), np.zeros((rows, wide), scale.dtype)
    points[:, :groups], padded[:, :groups] = _points(found), scale
    return {".qweight": _words(found.codes), ".qzeros": _words(points), ".scales": padded}


def mlx(found: Encoded, scale: Array) -> dict[str, Array]:
    """MLX: integers from zero, times a scale, plus a bias."""
    bias = -_points(found).astype(np.float64) * scale.astype(np.float64)
    return {
        ".weight": _words(found.codes).view(np.uint32),
        ".scales": scale,
        ".biases": bias.astype(scale.dtype),
    }


def mlx_fp4(found: Encoded, scale: Array) -> dict[str, Array]:
    """MLX: floats of 4 bits in the words of its integers; scales of any kind are bytes."""
    return {".weight": _words(found.codes).view(np.uint32), ".scales": scale.view(np.uint8)}


def mlx_fp8(found: Encoded, scale: Array) -> dict[str, Array]:
    """MLX: floats of 8 bits, four in a word."""
    return {".weight": found.codes.view(np.uint32), ".scales": scale}


def torchao(found: Encoded, scale: Array) -> dict[str, Array]:
    """torchao: integers of 8 bits with zero points, or pairs of FP4."""
    if found.zero is None:
        return {"._weight_qdata": two_a_byte(found.codes), "._weight_scale": scale}
    return {
        "._weight_qdata": found.codes.view(np.int8),
        "._weight_scale": scale,
        "._weight_zero_point": found.zero.astype(np.int8),
    }


def bitsandbytes(kind: str, *, nested: bool) -> Wrap:
    """bitsandbytes of 4 bits: one run of codes, high half first, and a state."""

    def wrap(found: Encoded, scale: Array) -> dict[str, Array]:
        flat = scale.reshape(-1).astype(np.float32)
        beside: dict[str, Array] = {".weight.absmax": flat}
        said: dict[str, float] = {}
        if nested:
            codes, beside = _nested(flat)
            beside[".weight.absmax"] = codes
            said = {"nested_blocksize": 256, "nested_offset": float(flat.mean())}
        rows, columns = found.codes.shape
        state = bitsandbytes_state((rows, columns), found.codes.size // flat.size, **said)
        return beside | {
            ".weight": two_a_byte(found.codes[:, ::-1])[:, ::-1].reshape(-1, 1),
            ".weight.quant_map": np.zeros(16, np.float32),
            f".weight.quant_state.bitsandbytes__{kind}": state,
        }

    return wrap


def _nested(scale: Array) -> tuple[Array, dict[str, Array]]:
    """Scales as codes of blocks of 256, to the nearest value of an even table."""
    table = np.linspace(-1, 1, 256, dtype=np.float32)
    off = np.zeros(-(-len(scale) // 256) * 256, np.float32)
    off[: len(scale)] = scale - scale.mean()
    largest = np.abs(off.reshape(-1, 256)).max(axis=1)
    ratio = off[: len(scale)] / np.repeat(largest, 256)[: len(scale)]
    codes = np.abs(ratio[:, None] - table).argmin(axis=1).astype(np.uint8)
    return codes, {".weight.nested_absmax": largest, ".weight.nested_quant_map": table}


def llm_int8(found: Encoded, scale: Array) -> dict[str, Array]:
    """bitsandbytes of 8 bits: the largest magnitude of each row."""
    return {
        ".weight": found.codes.view(np.int8),
        ".SCB": (scale[:, 0] * np.float32(127)).astype(np.float32),
        ".weight_format": np.zeros((), np.uint8),
    }


def kept_of_four(shape: tuple[int, int]) -> Array:
    """Which two of each four values a sparse matrix keeps: one that differs, and the last."""
    rows, columns = np.indices(shape)
    return np.asarray((columns % 4 == rows % 2) | (columns % 4 == 3))


def pruned(weight: Float64) -> Float64:
    return weight * kept_of_four((weight.shape[0], weight.shape[1]))


def sparse(dtype: np.dtype[np.generic]) -> Wrap:
    """compressed-tensors sparse-24-bitmask: what is kept, and a bit for each value."""

    def wrap(found: Encoded, scale: Array) -> dict[str, Array]:
        rows, columns = found.codes.shape
        kept = kept_of_four((rows, columns))
        return {
            ".compressed": found.codes[kept].reshape(rows, columns // 2).view(dtype),
            ".bitmask": np.packbits(kept, axis=1, bitorder="little"),
            ".shape": np.array([[rows], [columns]], np.int64),
            ".weight_scale": scale,
        }

    return wrap


def sparse_run(weight: Array) -> dict[str, Array]:
    """compressed-tensors sparse-bitmask: what is not zero, row after row."""
    kept = weight != 0
    counts = kept.sum(axis=1)
    return {
        ".compressed": weight[kept],
        ".bitmask": np.packbits(kept, axis=1, bitorder="little"),
        ".row_offsets": np.cumsum(counts) - counts,
        ".shape": np.array(weight.shape, np.int64),
    }


def fused(found: Encoded, scale: Array, experts: int) -> dict[str, Array]:
    """modelopt's fused experts: pairs of codes along the inputs, `[E, in / 2, out]`."""
    codes = two_a_byte(found.codes)
    return {
        name: np.ascontiguousarray(one.reshape(experts, -1, one.shape[1]).transpose(0, 2, 1))
        for name, one in (("", codes), ("_weight_scale", scale))
    }


def _points(found: Encoded) -> Array:
    assert found.zero is not None
    return np.asarray(found.zero + HALF, np.uint8)


def _words(codes: Array) -> Array:
    """Codes of 4 bits, eight in a word along the rows, the first in the lowest bits."""
    return two_a_byte(np.ascontiguousarray(codes & 15)).view(np.int32)


def _in_awq_order(codes: Array) -> Array:
    rows, columns = codes.shape
    return codes.reshape(rows, columns // 8, 8)[:, :, _ORDER].reshape(rows, columns)


WRAPS: Final = MappingProxyType[str, Wrap](
    {
        "GPTQ": gptq,
        "AWQ": awq,
        "AWQ GEMV": awq_gemv,
        "MLX": mlx,
        "MLX MXFP4": mlx_fp4,
        "MLX MXFP8": mlx_fp8,
        "MLX NVFP4": mlx_fp4,
        "torchao": torchao,
        "NF4": bitsandbytes("nf4", nested=False),
        "NF4 nested": bitsandbytes("nf4", nested=True),
        "FP4": bitsandbytes("fp4", nested=False),
        "FP4 nested": bitsandbytes("fp4", nested=True),
        "LLM.int8": llm_int8,
        "sparse FP8": sparse(E4M3),
        "sparse INT8": sparse(np.dtype(np.int8)),
    }
)
