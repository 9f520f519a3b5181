"""Producers of every scheme, a block at a time: the codes of each come back, and wrong ones not."""

from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from inspector.analysis.requantize import Verified, why_not_verified
from inspector.analysis.values import Looks, examine_weight
from tests.decode.quantized import pack
from tests.strategies_arrays import Array, Float32, float32, fp8_config, memory_checkpoint

SHAPE = (6, 128)
Stored = tuple[dict[str, Array], Mapping[str, object] | None]


def weights(width: int) -> Float32:
    """`[rows, groups, width]` of a normal distribution."""
    drawn = np.random.default_rng(0).standard_normal((SHAPE[0], SHAPE[1] // width, width))
    return float32(drawn * np.random.default_rng(1).lognormal(0, 1, drawn.shape[:2])[..., None])


def floats(values: Float32, scales: Float32, dtype: npt.DTypeLike) -> Array:
    """Codes `[rows, columns]` of values by group."""
    ratio = values / scales[..., None]
    most = float(ml_dtypes.finfo(np.dtype(dtype)).max)  # type: ignore[no-untyped-call] # no stubs
    codes: Array = np.clip(ratio, -most, most).astype(dtype)
    return codes.reshape(SHAPE)


def exponents(scales: Float32) -> Array:
    biased: Array = np.rint(np.log2(scales.astype(np.float64)) + 127)
    return biased.astype(np.uint8)


def ceil_of(amax: Float32, largest: float) -> Float32:
    return float32(2.0 ** np.ceil(np.log2(amax / largest)))


def floor_of(amax: Float32, top: int) -> Float32:
    """The rule of OCP Microscaling 1.0, section 6.3."""
    return float32(2.0 ** (np.floor(np.log2(amax)) - top))


def mxfp8(factor: float, rule: Callable[..., Float32]) -> Stored:
    values = weights(32)
    top = 448 if rule is ceil_of else 8
    scales = factor * rule(np.abs(values).max(axis=2), top)
    codes = floats(values, scales, ml_dtypes.float8_e4m3fn)
    return {".weight": codes, ".weight_scale": exponents(scales)}, None


def mxfp4(factor: float, rule: Callable[..., Float32]) -> Stored:
    values = weights(32)
    top = 6 if rule is ceil_of else 2
    scales = factor * rule(np.abs(values).max(axis=2), top)
    codes = floats(values, scales, ml_dtypes.float4_e2m1fn).view(np.uint8)
    return {".weight": pack(codes, 4, 8), ".weight_scale": exponents(scales)}, None


def nvfp4(factor: float, *, divides: bool) -> Stored:
    values = weights(16)
    outer = float32(np.abs(values).max() / (6 * 448))
    wanted = factor * np.abs(values).max(axis=2) / 6 / outer
    scales = wanted.astype(ml_dtypes.float8_e4m3fn)
    codes = floats(values, scales.astype(np.float32) * outer, ml_dtypes.float4_e2m1fn)
    packed = pack(codes.view(np.uint8), 4, 8)
    if divides:
        return {".weight_packed": packed, ".weight_scale": scales,
                ".weight_global_scale": float32(1 / outer).reshape(1)}, None  # fmt: skip
    return {".weight": packed, ".weight_scale": scales, ".weight_scale_2": outer.reshape(())}, None


def symmetric(factor: float, bits: int, divisor: float, dtype: npt.DTypeLike) -> Stored:
    values, half = weights(32), 1 << (bits - 1)
    scales = (factor * np.abs(values).max(axis=2) / divisor).astype(dtype)
    codes = np.rint(values / scales.astype(np.float32)[..., None])
    codes = np.clip(codes, -half, half - 1).reshape(SHAPE)
    if bits == 8:
        return {".weight": codes.astype(np.int8), ".weight_scale": scales}, fp8_config((1, 32))
    tensors = {".weight_packed": pack((codes + half).astype(np.uint8), bits, 32),
               ".weight_scale": scales, ".weight_shape": np.array(SHAPE)}  # fmt: skip
    return tensors, integer_config(bits)


def integer_config(bits: int) -> Mapping[str, object]:
    group = {"weights": {"num_bits": bits, "group_size": 32}}
    return {"quantization_config": {"config_groups": {"group_0": group}}}


def min_and_max(factor: float, bits: int) -> tuple[Array, Array, Float32]:
    """Codes from zero, zero points and scales, of 32 columns each."""
    values, most = weights(32), (1 << bits) - 1
    low, high = np.minimum(values.min(axis=2), 0), np.maximum(values.max(axis=2), 0)
    scales = float32(factor * (high - low) / most)
    zeros = np.clip(np.rint(-low / scales), 0, most)
    codes = np.clip(np.rint(values / scales[..., None]) + zeros[..., None], 0, most)
    return codes.reshape(SHAPE).astype(np.uint8), zeros.astype(np.int64), scales


def asymmetric(factor: float, bits: int) -> Stored:
    codes, zeros, scales = min_and_max(factor, bits)
    if bits == 8:
        return {".weight": (codes ^ 0x80).view(np.int8), ".weight_scale": scales,
                ".weight_offset": float32(zeros - 128)}, fp8_config((1, 32))  # fmt: skip
    tensors = {".weight_packed": pack(codes, bits, 32), ".weight_scale": scales,
               ".weight_zero_point": np.ascontiguousarray(pack(zeros.T, bits, 32).T),
               ".weight_shape": np.array(SHAPE)}  # fmt: skip
    return tensors, integer_config(bits)


def in_another_order(factor: float, bits: int) -> Stored:
    """Groups of columns that are no neighbours, as compressed-tensors and GPTQ have them."""
    codes, zeros, scales = min_and_max(factor, bits)
    order = np.random.default_rng(2).permutation(SHAPE[1])
    tensors, config = asymmetric(factor, bits)
    moved = {".weight_packed": pack(codes[:, order], bits, 32),
             ".weight_g_idx": (order // 32).astype(np.int32)}  # fmt: skip
    assert len(zeros) == len(scales)
    return tensors | moved, config


F32, BF16 = np.float32, ml_dtypes.bfloat16
PRODUCERS: dict[str, tuple[Callable[[float], Stored], str]] = {
    "MXFP8, ceil": (lambda f: mxfp8(f, ceil_of), "amax / 448 rounded up to a power of two"),
    "MXFP8, floor": (lambda f: mxfp8(f, floor_of), "amax / 448 rounded up to a power of two"),
    "MXFP4, ceil": (lambda f: mxfp4(f, ceil_of), "amax / 6 rounded up to a power of two"),
    "MXFP4, floor": (lambda f: mxfp4(f, floor_of), "amax / 6 rounded up to a power of two"),
    "NVFP4, modelopt": (
        lambda f: nvfp4(f, divides=False), "amax / 6 under one scale, rounded to E4M3",
    ),
    "NVFP4, compressed-tensors": (
        lambda f: nvfp4(f, divides=True), "amax / 6 under one scale, rounded to E4M3",
    ),
    "INT8 / 127": (lambda f: symmetric(f, 8, 127, F32), "amax / 127, or / 128 below zero"),
    "INT8 / 127.5": (lambda f: symmetric(f, 8, 127.5, F32), "amax / 127, or / 128 below zero"),
    "INT4 / 7": (lambda f: symmetric(f, 4, 7, BF16), "amax / 7, or / 8 below zero"),
    "INT4 / 7.5": (lambda f: symmetric(f, 4, 7.5, BF16), "amax / 7, or / 8 below zero"),
    "INT8 with an offset": (lambda f: asymmetric(f, 8), "(max - min) / 255"),
    "INT4 with zero points": (lambda f: asymmetric(f, 4), "(max - min) / 15"),
    "INT4 in another order": (lambda f: in_another_order(f, 4), "(max - min) / 15"),
}  # fmt: skip


def verified(stored: Stored) -> Verified:
    tensors, config = stored
    checkpoint, _ = memory_checkpoint(
        {f"w{end}": one for end, one in tensors.items()}, config=config
    )
    (weight,) = checkpoint.reader.settle(
        list(checkpoint.weights.stored_weights(checkpoint.catalog.all_rows))
    )
    found = examine_weight(
        weight, checkpoint.reader, (0, weight.rows), looks=Looks(verify=True)
    ).verified
    assert found is not None
    return found


@pytest.mark.parametrize("producer", PRODUCERS)
def test_the_codes_of_every_producer_come_back(producer: str) -> None:
    store, rule = PRODUCERS[producer]
    found = verified(store(1.0))
    assert found.rule == rule
    assert (found.codes, found.equal) == (SHAPE[0] * SHAPE[1],) * 2
    assert found.equal_scales == found.blocks > 0


@pytest.mark.parametrize("producer", PRODUCERS)
def test_codes_under_scales_that_are_too_large_do_not(producer: str) -> None:
    store, _ = PRODUCERS[producer]
    found = verified(store(4.0))
    assert found.equal < found.codes
    assert found.equal_scales < 0.1 * found.blocks


@pytest.mark.parametrize("producer", PRODUCERS)
def test_a_spoilt_block_is_told_from_the_others(producer: str) -> None:
    """Its largest codes are gone: the scale of what is left is another one."""
    tensors, config = PRODUCERS[producer][0](1.0)
    name = next(end for end in (".weight_packed", ".weight") if end in tensors)
    tensors[name] = tensors[name].copy()
    tensors[name].view(np.uint8)[0] = 0x88 if "INT4" in producer else 0
    found = verified((tensors, config))
    assert found.equal_scales < found.blocks


NOT_VERIFIED: dict[str, tuple[dict[str, Any], Mapping[str, object], str]] = {
    "numbers": ({".weight": np.ones((4, 8), np.float32)}, {}, "it holds no codes"),
    "MLX": (
        {".weight": np.zeros((4, 8), np.uint32), ".scales": np.ones((4, 1), np.float16),
         ".biases": np.ones((4, 1), np.float16)},
        {"quantization": {"bits": 4, "group_size": 64}}, "MLX moves each scale",
    ),
    "FP8 with a zero point": (
        {".weight": np.ones((4, 8), ml_dtypes.float8_e4m3fn), ".weight_scale": np.ones((4, 1), F32),
         ".weight_zero_point": np.ones((4, 1), F32)},
        {}, "no producer's rule is known for e4m3 codes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", NOT_VERIFIED)
def test_a_weight_without_a_rule_says_why(why: str) -> None:
    tensors, config, says = NOT_VERIFIED[why]
    checkpoint, _ = memory_checkpoint({f"w{end}": one for end, one in tensors.items()},
                                      config=config)  # fmt: skip
    (weight,) = checkpoint.weights.stored_weights(checkpoint.catalog.all_rows)
    reason = why_not_verified(weight, None)
    assert reason is not None
    assert says in reason
    found = examine_weight(weight, checkpoint.reader, (0, 4), looks=Looks(verify=True))
    assert found.verified is None
