"""Values as codes: what a producer's rounding makes of them, and how far two codes are apart."""

from types import MappingProxyType
from typing import Final

import ml_dtypes
import numpy as np
import numpy.typing as npt

from inspector.decode.numeric import NUMPY_DTYPES, Array, Float32
from inspector.format.dtypes import Dtype

Ints = npt.NDArray[np.int64]

MANTISSA_BITS: Final = MappingProxyType(
    {Dtype.F8_E5M2: 2, Dtype.F8_E4M3: 3, Dtype.BF16: 7, Dtype.F16: 10, Dtype.F32: 23}
)
"""Of formats of floats, those that weights are stored in."""


def rounded_codes(values: Float32, scale: Float32 | None, dtype: Dtype) -> Array:
    """The codes of `dtype` nearest to `values / scale`, ties to even; None is a scale of 1.

    Producers divide by the scale in float32 and saturate (InternLM/xtuner `hf_to_fp8.py`,
    DeepSeek-V3 `kernel.py`); E4M3 has no infinity, so what lies beyond its largest value becomes
    that.
    """
    target = NUMPY_DTYPES[dtype]
    ratio = values if scale is None else values / scale
    if target.itemsize == 1:
        largest = float(ml_dtypes.finfo(target).max)  # type: ignore[no-untyped-call] # no stubs
        ratio = np.clip(ratio, -largest, largest)
    return ratio.astype(target)


def code_distance(first: Array, second: Array) -> Ints:
    """How many representable values lie between two arrays of codes of one float dtype.

    >>> one = np.array([1.0, -1.0, 0.0], NUMPY_DTYPES[Dtype.F8_E4M3])
    >>> code_distance(one, np.array([1.125, 1.0, -0.0], NUMPY_DTYPES[Dtype.F8_E4M3])).tolist()
    [1, 112, 0]
    """
    return np.asarray(np.abs(_ordinals(first) - _ordinals(second)))


def _ordinals(codes: Array) -> Ints:
    """Codes in the order of their values, sign and magnitude unfolded."""
    bits = codes.dtype.itemsize * 8
    unsigned = codes.view(f"u{codes.dtype.itemsize}").astype(np.int64)
    magnitude = unsigned & ((1 << (bits - 1)) - 1)
    return np.asarray(np.where(unsigned >> (bits - 1), -magnitude, magnitude))
