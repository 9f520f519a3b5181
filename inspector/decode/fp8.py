"""Codes times block scales. Arrays in, arrays out."""

from itertools import pairwise
from typing import Final

import numpy as np

from inspector.decode.blocks import Factor, decode_rows
from inspector.decode.numeric import NUMPY_DTYPES, Array, Float32
from inspector.format.codings import PLAIN_CODINGS
from inspector.format.dtypes import Dtype

_MAX_CODE: Final = {
    Dtype.F8_E4M3: 0x7E,
    Dtype.F8_E5M2: 0x7B,
    Dtype.F8_E4M3FNUZ: 0x7F,
    Dtype.F8_E5M2FNUZ: 0x7F,
}
"""The largest finite magnitude of each format, as a code without its sign."""

_WITHOUT_MINUS_ZERO: Final = frozenset(
    {
        NUMPY_DTYPES[Dtype.I8],
        NUMPY_DTYPES[Dtype.F8_E4M3FNUZ],
        NUMPY_DTYPES[Dtype.F8_E5M2FNUZ],
    }
)
"""Formats where 0x80 is no zero: -128, or the one NaN of FNUZ."""


def decode_block_scaled(
    codes: Array, dtype: Dtype, scale: Float32, block: tuple[int, int], *, first_row: int = 0
) -> Float32:
    """Multiply every `block` of a quantized weight by its scale.

    Args:
        codes: `[rows, columns]` of the stored dtype; some rows of a weight will do.
        dtype: of the codes.
        scale: `[ceil((first_row + rows) / block_rows) or more, ceil(columns / block_columns)]`
            multipliers of the whole weight. Checkpoints store them as `weight_scale_inv`; despite
            the name they multiply (DeepSeek-V3, `inference/kernel.py`).
        block: `(block_rows, block_columns)`.
        first_row: which row of the weight `codes[0]` is.

    Returns:
        `[rows, columns]` float32, each value rounded once. The last block of each axis may be
        partial. NaN codes and NaN scales give NaN: audits count them.

    Raises:
        DecodeError: `scale` does not tile `codes`.

    >>> codes = np.array([[0x38, 0x38, 0xB8]], dtype=np.uint8).view("float8_e4m3fn")  # 1, 1, -1
    >>> scale = np.array([[2.0, 8.0]], dtype=np.float32)
    >>> decode_block_scaled(codes, Dtype.F8_E4M3, scale, (1, 2))
    array([[ 2.,  2., -8.]], dtype=float32)
    """
    factor = Factor(scale, block, first_row=first_row)
    return decode_rows(codes, PLAIN_CODINGS[dtype], codes.shape[1], [factor])


def saturated_codes(codes: Array, dtype: Dtype) -> int:
    """How many FP8 codes are at the largest finite magnitude (448 for E4M3)."""
    return int(np.count_nonzero((codes.view(np.uint8) & 0x7F) == _MAX_CODE[dtype]))


def is_fp8(dtype: Dtype) -> bool:
    """Whether codes of this dtype are 8-bit floating-point weights."""
    return dtype in _MAX_CODE


def zero_blocks(codes: Array, block: tuple[int, int], *, first_row: int = 0) -> int:
    """How many blocks hold only zeros (of either sign), among the rows given."""
    rows, columns = codes.shape
    bits = codes.view(np.uint8)
    magnitude = 0xFF if codes.dtype in _WITHOUT_MINUS_ZERO else 0x7F
    edges = sorted({0, *range(block[0] - first_row % block[0], rows, block[0]), rows})
    count = 0
    for start, stop in pairwise(edges):
        used = np.bitwise_or.reduce(bits[start:stop], axis=0) & magnitude
        by_block = np.maximum.reduceat(used, range(0, columns, block[1]))
        count += int(np.count_nonzero(by_block == 0))
    return count
