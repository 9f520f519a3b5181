"""The rules by which producers turn values into codes, block by block. Arrays in, arrays out.

Floats: a scale of `amax / largest`, which is DeepSeek-V3's and InternLM/xtuner's (`hf_to_fp8.py`),
or that rounded up to a power of two (DeepGEMM `ceil_to_ue8m0`, OCP Microscaling); NVFP4 rounds it
to E4M3 under one scale for all (modelopt `nvfp4_tensor.py`). Integers: the smallest scale at which
all values fit (compressed-tensors `quantization/utils/helpers.py`, AutoGPTQ `quantizer.py`), with a
zero point between or in the middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import ml_dtypes
import numpy as np
import numpy.typing as npt

from inspector.decode.numeric import Float32
from inspector.format.codings import Action, Coding, Number

_FLOATS: Final = MappingProxyType(
    {
        Number.E4M3: (np.dtype(ml_dtypes.float8_e4m3fn), 448.0),
        Number.E5M2: (np.dtype(ml_dtypes.float8_e5m2), 57344.0),
        Number.E4M3FNUZ: (np.dtype(ml_dtypes.float8_e4m3fnuz), 240.0),
        Number.E5M2FNUZ: (np.dtype(ml_dtypes.float8_e5m2fnuz), 57344.0),
        Number.E3M2: (np.dtype(ml_dtypes.float6_e3m2fn), 28.0),
        Number.E2M3: (np.dtype(ml_dtypes.float6_e2m3fn), 7.5),
        Number.E2M1: (np.dtype(ml_dtypes.float4_e2m1fn), 6.0),
    }
)
"""numpy's dtype of a format, and its largest value."""

_INTEGERS: Final = frozenset({Number.SIGNED, Number.OFFSET})

Float64 = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint8]


class Rule(StrEnum):
    """A rule, by what stands beside the codes."""

    SCALED = "a float and its scale"
    TWO_SCALES = "a float, its scale, and one for all"
    SYMMETRIC = "an integer and its scale"
    ASYMMETRIC = "an integer, its zero point and its scale"


_RULES: Final = MappingProxyType(
    {
        (Action.MULTIPLY,): (Rule.SCALED, Rule.SYMMETRIC),
        (Action.MULTIPLY, Action.MULTIPLY): (Rule.TWO_SCALES, None),
        (Action.MULTIPLY, Action.DIVIDE): (Rule.TWO_SCALES, None),
        (Action.SUBTRACT, Action.MULTIPLY): (None, Rule.ASYMMETRIC),
    }
)
"""What is done to a code -> the rule of floats, and of integers."""


def rule_of(coding: Coding, actions: Sequence[Action]) -> Rule | None:
    """The rule that such codes are told by; None where there is none that codes can be told by."""
    of_floats, of_integers = _RULES.get(tuple(actions), (None, None))
    if coding.number in _FLOATS:
        return of_floats
    return of_integers if coding.number in _INTEGERS else None


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks side by side: `values` `[rows, columns]`, and where each block's columns begin.

    `scales` are `[block rows, blocks]`: one row of blocks, or as many as there are rows of values.
    `outer` is the one scale for all, None where there is none.
    """

    values: Float32
    starts: npt.NDArray[np.int64]
    scales: Float32
    outer: float | None

    def spread(self, of_blocks: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`[block rows, columns]`: what each block has, for its columns."""
        return np.repeat(of_blocks, np.diff(self.starts, append=self.values.shape[1]), axis=1)

    def lowest(self) -> Float64:
        return self._reduced(np.minimum)

    def highest(self) -> Float64:
        return self._reduced(np.maximum)

    def _reduced(self, operation: np.ufunc) -> Float64:
        rows = self.values
        if len(self.scales) < len(rows):
            rows = operation.reduce(rows, axis=0, keepdims=True)
        return np.asarray(operation.reduceat(rows, self.starts, axis=1), dtype=np.float64)


def again(
    rule: Rule, coding: Coding, blocks: Blocks, *, power_of_two: bool
) -> tuple[Bits, Float64]:
    """The codes that a rule gives for values, and the scales by which it does.

    Codes come one a byte, those of integers counted from the lowest.
    """
    if rule in (Rule.SCALED, Rule.TWO_SCALES):
        dtype, largest = _FLOATS[coding.number]
        amax = np.maximum(blocks.highest(), -blocks.lowest())
        own = _float_scales(rule, blocks, amax, largest, power_of_two=power_of_two)
        wide = blocks.spread(np.where(own > 0, own * (blocks.outer or 1.0), 1.0))
        return (blocks.values / wide).astype(dtype).view(np.uint8), own
    highest_code = (1 << coding.bits) - 1
    if rule is Rule.SYMMETRIC:
        middle = 1 << (coding.bits - 1)
        high, low = blocks.highest() / (middle - 1), -blocks.lowest() / (middle - 1)
        reaches = np.isclose(-blocks.lowest(), middle * blocks.scales, rtol=1e-6)
        own = np.maximum(high, np.where(reaches, -blocks.lowest() / middle, low))
        zero = np.full(own.shape, float(middle))
    else:
        low, high = np.minimum(blocks.lowest(), 0), np.maximum(blocks.highest(), 0)
        own = (high - low) / highest_code
        zero = np.rint(-low / np.where(own > 0, own, 1.0))
    steps = np.rint(blocks.values / blocks.spread(np.where(own > 0, own, 1.0)))
    return np.clip(steps + blocks.spread(zero), 0, highest_code).astype(np.uint8), own


def rule_text(rule: Rule, coding: Coding, *, power_of_two: bool) -> str:
    """The rule as a report says it."""
    if rule is Rule.SCALED:
        rounded = " rounded up to a power of two" if power_of_two else ""
        return f"amax / {_FLOATS[coding.number][1]:g}{rounded}"
    if rule is Rule.TWO_SCALES:
        return f"amax / {_FLOATS[coding.number][1]:g} under one scale, rounded to E4M3"
    middle = 1 << (coding.bits - 1)
    if rule is Rule.SYMMETRIC:
        return f"amax / {middle - 1}, or / {middle} below zero"
    return f"(max - min) / {2 * middle - 1}"


def _float_scales(
    rule: Rule, blocks: Blocks, amax: Float64, largest: float, *, power_of_two: bool
) -> Float64:
    wanted = amax / largest / (blocks.outer or 1.0)
    if rule is Rule.TWO_SCALES:
        return wanted.astype(ml_dtypes.float8_e4m3fn).astype(np.float64)
    if not power_of_two:
        return wanted.astype(np.float32).astype(np.float64)
    own = _ceil_power_of_two(wanted)
    # The largest value rounded down to half of what the format holds: up to a sixteenth above it
    # the scale was this, and below that half of this.
    scales = blocks.scales.astype(np.float64)
    return np.where(amax == scales * largest / 2, scales, own)


def _ceil_power_of_two(values: Float64) -> Float64:
    fractions, exponents = np.frexp(values)
    return np.asarray(
        np.ldexp(1.0, np.where(fractions == 0.5, exponents - 1, exponents)) * (values > 0)
    )
