"""FP8 codes times block scales in one pass over memory: a kernel in C, where it was compiled.

`hatch_build.py` compiles `_fused.c` where a package is built and a C compiler is there. Without
it the steps of `blocks.py` give the same values, in about 1.7 times the time.
"""

from types import MappingProxyType
from typing import Final

import numpy as np

from inspector.decode.numeric import Array, Float32
from inspector.decode.packed import bytes_of
from inspector.format.codings import Coding, Number

try:
    from inspector.decode import _fused
except ImportError:
    _fused = None  # type: ignore[assignment]  # it was not compiled

_MANTISSA_BITS: Final = MappingProxyType({Number.E4M3: 3, Number.E5M2: 2})


def is_compiled() -> bool:
    """Whether there is a kernel. Values do not depend on it, only the time that they take."""
    return _fused is not None


def takes(coding: Coding) -> bool:
    """Whether there is a kernel for such codes."""
    return is_compiled() and coding.number in _MANTISSA_BITS


def multiply_blocks(
    codes: Array,
    coding: Coding,
    scale: Float32,
    block: tuple[int, int],
    *,
    first_row: int,
    out: Float32,
) -> None:
    """Multiply every `block` of codes by its scale; `decode_block_scaled` says how they lie.

    Args:
        codes: `[rows, columns]`, one in each byte.
        coding: what a code means, one that `takes` takes.
        scale: `[rows of blocks or more, blocks in a row]` multipliers.
        block: `(block_rows, block_columns)`.
        first_row: which row of the first row of blocks `codes[0]` is.
        out: `[rows, columns]`, contiguous: the products.

    Raises:
        ValueError: the arrays do not fit each other.
    """
    if not out.size:
        return
    numbers = np.require(scale, dtype=np.float32, requirements=("C", "ALIGNED"))
    mantissa_bits = _MANTISSA_BITS[coding.number]
    _fused.multiply(bytes_of(codes), numbers, out, out.shape[1], *block, first_row, mantissa_bits)
