"""The numbers that stand beside codes, as float32. Arrays in, arrays out."""

import numpy as np

from inspector.decode.numeric import NUMPY_DTYPES, Array, Float32, to_float32
from inspector.decode.packed import unpack
from inspector.errors import DecodeError
from inspector.format.codings import Encoding
from inspector.format.dtypes import Dtype


def numbers(
    stored: Array, dtype: Dtype, encoding: Encoding, *, columns: int, bits: int = 0
) -> Float32:
    """Stored numbers as `[rows, columns]` float32, exactly.

    `OFFSET_WORDS` are `bits` wide and lie down the rows: as many rows as the words hold come back.
    An exponent of 0xFF is NaN.

    Raises:
        DecodeError: an encoding that the dtype cannot have.

    >>> numbers(np.array([[126, 128]], dtype=np.uint8), Dtype.U8, Encoding.E8M0, columns=2)
    array([[0.5, 2. ]], dtype=float32)
    """
    if encoding is Encoding.PLAIN:
        return to_float32(stored, dtype)
    exponents = NUMPY_DTYPES[Dtype.F8_E8M0]
    if encoding is Encoding.E8M0 and stored.itemsize == 1:
        return to_float32(stored.view(exponents), Dtype.F8_E8M0)
    if encoding is Encoding.E8M0_WORDS and dtype is Dtype.I32:
        four = unpack(stored, 8, columns)
        return to_float32(four.view(exponents), Dtype.F8_E8M0)
    if encoding is Encoding.OFFSET_WORDS and dtype is Dtype.I32:
        down = unpack(stored.T, bits, len(stored) * 32 // bits)
        return down.T.astype(np.float32) - np.float32(1 << (bits - 1))
    raise DecodeError(f"{dtype} numbers cannot be {encoding}")
