"""The numbers that stand beside codes, as float32. Arrays in, arrays out."""

import numpy as np

from inspector.decode.numeric import NUMPY_DTYPES, Array, Float32, to_float32
from inspector.decode.packed import in_order, unpack
from inspector.errors import DecodeError
from inspector.format.codings import AWQ_ORDER, Encoding
from inspector.format.dtypes import Dtype


def numbers(
    stored: Array, dtype: Dtype, encoding: Encoding, *, columns: int, bits: int = 0
) -> Float32:
    """Stored numbers as `[rows, columns]` float32, exactly; a 127th of a maximum is rounded.

    Those packed in words are `bits` wide and lie down the rows: as many rows as the words hold
    come back.
    An exponent of 0xFF is NaN.

    Raises:
        DecodeError: an encoding that the dtype cannot have.

    >>> numbers(np.array([[126, 128]], dtype=np.uint8), Dtype.U8, Encoding.E8M0, columns=2)
    array([[0.5, 2. ]], dtype=float32)
    """
    if encoding is Encoding.PLAIN:
        return to_float32(stored, dtype)
    if encoding is Encoding.MAXIMUM:
        return to_float32(stored, dtype) / np.float32(127)
    exponents = NUMPY_DTYPES[Dtype.F8_E8M0]
    if encoding is Encoding.E8M0 and stored.itemsize == 1:
        return to_float32(stored.view(exponents), Dtype.F8_E8M0)
    if encoding is Encoding.E8M0_WORDS and dtype is Dtype.I32:
        four = unpack(stored, 8, columns)
        return to_float32(four.view(exponents), Dtype.F8_E8M0)
    if encoding is Encoding.E4M3 and stored.itemsize == 1:
        return to_float32(stored.view(NUMPY_DTYPES[Dtype.F8_E4M3]), Dtype.F8_E4M3)
    if encoding.is_packed_down and dtype is Dtype.I32:
        down = unpack(stored.T, bits, len(stored) * 32 // bits)
        if encoding is Encoding.AWQ_WORDS:
            down = in_order(down, AWQ_ORDER)
        offset = (1 << (bits - 1)) - (encoding is Encoding.LESS_ONE_WORDS)
        return down.T.astype(np.float32) - np.float32(offset)
    if encoding is Encoding.ROW_WORDS and dtype is Dtype.I32:
        along = unpack(stored, bits, columns).astype(np.float32)
        return np.asarray(along - np.float32(1 << (bits - 1)), dtype=np.float32)
    raise DecodeError(f"{dtype} numbers cannot be {encoding}")


def nested_numbers(
    codes: Array, table: Float32, scales: Float32, block: int, offset: float, first: int
) -> Float32:
    """Numbers that are coded themselves: `table[code] * scale + offset`, in float32.

    Args:
        codes: `[rows, columns]` U8, in the order in which scales are laid over them.
        table: `[256]` values of codes.
        scales: of all blocks of `block` codes.
        block: codes of one scale.
        offset: added to all.
        first: which of all codes the first of these is.

    >>> table = np.arange(256, dtype=np.float32)
    >>> scales = np.array([1, 10], dtype=np.float32)
    >>> nested_numbers(np.array([[1, 2, 3]], dtype=np.uint8), table, scales, 2, 0.5, 1)
    array([[ 1.5, 20.5, 30.5]], dtype=float32)
    """
    places = (first + np.arange(codes.size)).reshape(codes.shape) // block
    found: Float32 = table[codes] * scales[places] + np.float32(offset)
    return found
