"""Codes of any width: from the bytes of a row to their values. Arrays in, arrays out."""

from collections.abc import Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import ml_dtypes
import numpy as np
import numpy.typing as npt

from inspector.decode.numeric import NUMPY_DTYPES, Array, Float32, to_float32
from inspector.format.codings import PLAIN_CODINGS, Coding, Number

_NUMPY_NUMBERS: Final = MappingProxyType(
    {
        Number.E4M3: np.dtype(ml_dtypes.float8_e4m3fn),
        Number.E5M2: np.dtype(ml_dtypes.float8_e5m2),
        Number.E4M3FNUZ: np.dtype(ml_dtypes.float8_e4m3fnuz),
        Number.E5M2FNUZ: np.dtype(ml_dtypes.float8_e5m2fnuz),
        Number.E3M2: np.dtype(ml_dtypes.float6_e3m2fn),
        Number.E2M3: np.dtype(ml_dtypes.float6_e2m3fn),
        Number.E2M1: np.dtype(ml_dtypes.float4_e2m1fn),
        Number.SIGNED: np.dtype(np.int8),
    }
)
_FAST: Final = frozenset({Number.E4M3, Number.E5M2})
_PLAIN_DTYPES: Final = MappingProxyType(
    {coding: NUMPY_DTYPES[dtype] for dtype, coding in PLAIN_CODINGS.items()}
)
_CODES: Final = MappingProxyType({coding: dtype for dtype, coding in PLAIN_CODINGS.items()})


_FP4: Final = tuple(value / 12 for value in (0.0, 0.0625, 8.0, 12.0, 4.0, 6.0, 2.0, 3.0))
_TABLES: Final = MappingProxyType(
    {
        Number.NF4: (
            -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
            -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
            0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
            0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
        ),
        Number.FP4: (*_FP4, *(-value for value in _FP4)),
    }
)  # fmt: skip
"""The values of codes that are places in a table (QLoRA, appendix E; bitsandbytes `functional.py`,
`get_4bit_type`). bitsandbytes stores the table too, and decodes by the name of the type."""


def code_values(codes: Array, coding: Coding, out: Float32) -> None:
    """The values of codes, without any scale, into `out` `[rows, columns]`.

    Args:
        codes: `[rows, stored]` elements of any dtype; the codes lie side by side in their bytes,
            the first in the lowest bits, and what is left of the last one is padding.
        coding: what a code means and how many bits it takes.
        out: contiguous; its columns are as many codes of each row.
    """
    columns = out.shape[1]
    if coding.number in _FAST:
        to_float32(codes.view(_PLAIN_DTYPES[coding]), _CODES[coding], out=out)
    elif coding.bits == 4 and columns == 2 * codes.shape[1] * codes.itemsize:
        pairs = out.view(np.uint64)
        np.take(_pair_table(coding), bytes_of(codes), out=pairs, mode="clip")
    elif coding.number is Number.SIGNED:
        out[...] = codes.view(np.int8)
    else:
        np.take(code_table(coding), unpack(codes, coding.bits, columns), out=out, mode="clip")


@lru_cache(maxsize=16)
def code_table(coding: Coding) -> Float32:
    """`[2 ** bits]` values of every code.

    >>> code_table(Coding(Number.E2M1, 4))[:8]
    array([0. , 0.5, 1. , 1.5, 2. , 3. , 4. , 6. ], dtype=float32)
    """
    every = np.arange(1 << coding.bits, dtype=np.uint8)
    if coding.number is Number.UNSIGNED:
        return every.astype(np.float32)
    if coding.number in _TABLES:
        return np.array(_TABLES[coding.number], dtype=np.float32)
    if coding.number is Number.OFFSET:
        return every.astype(np.float32) - np.float32(1 << (coding.bits - 1))
    values: Float32 = every.view(_NUMPY_NUMBERS[coding.number]).astype(np.float32)
    return values


@lru_cache(maxsize=4)
def _pair_table(coding: Coding) -> npt.NDArray[np.uint64]:
    """`[256]` pairs of float32 as one number each: the values of both codes of a byte."""
    every = np.arange(256, dtype=np.uint8)
    pairs = np.stack([every & 15, every >> 4], axis=1)
    return code_table(coding)[pairs].view(np.uint64).reshape(-1)


def bytes_of(codes: Array) -> npt.NDArray[np.uint8]:
    """`[rows, bytes]` of stored elements, little-endian, without a copy where they lie so."""
    width = codes.shape[1] * codes.itemsize
    return np.ascontiguousarray(codes).view(np.uint8).reshape(len(codes), width)


def unpack(codes: Array, bits: int, columns: int) -> npt.NDArray[np.uint8]:
    """`[rows, columns]` codes, one a byte, from codes of `bits` that lie side by side.

    >>> unpack(np.array([[0x21, 0x43]], dtype=np.uint8), 4, 3)
    array([[1, 2, 3]], dtype=uint8)
    """
    stored = bytes_of(codes)
    if bits == 8:
        return stored[:, :columns]
    if bits == 4:
        both = np.stack([stored & 15, stored >> 4], axis=2)
        return both.reshape(len(stored), -1)[:, :columns]
    single = np.unpackbits(stored, axis=1, count=columns * bits, bitorder="little")
    weights = np.left_shift(1, np.arange(bits, dtype=np.uint8), dtype=np.uint8)
    return np.asarray(single.reshape(len(stored), columns, bits) @ weights, dtype=np.uint8)


def in_order(codes: npt.NDArray[np.uint8], order: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Codes by their numbers, which `order` gives for the places of each run of so many columns.

    >>> in_order(np.array([[10, 12, 11, 13]], dtype=np.uint8), (0, 2, 1, 3))
    array([[10, 11, 12, 13]], dtype=uint8)
    """
    runs = codes.reshape(len(codes), -1, len(order))
    return runs[:, :, np.argsort(order)].reshape(codes.shape)


def rows_of_words(words: Array, order: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Codes of 4 bits that lie across the rows of their matrix, repacked along them.

    Args:
        words: `[columns, words]` I32, each with the codes of eight rows in one column.
        order: which of the eight rows is at each place of a word, from the lowest bits.

    Returns:
        `[8 * words, ceil(columns / 2)]` bytes, the first code of each in the lower half.
    """
    columns, count = words.shape
    packed = np.empty((len(order) * count, -(-columns // 2)), dtype=np.uint8)
    for first in range(0, count, _WORDS_AT_A_TIME):
        some = words[:, first : first + _WORDS_AT_A_TIME]
        codes = in_order(unpack(some, 4, len(order) * some.shape[1]), order).T
        _pack_pairs(codes, packed[len(order) * first : len(order) * first + len(codes)])
    return packed


def rows_of_run(content: bytes, first: int, rows: int, columns: int) -> npt.NDArray[np.uint8]:
    """Codes of 4 bits that are one run, the first of a byte in its upper half, repacked by rows.

    Args:
        content: the bytes that hold the codes.
        first: which of the run's codes the first of these is: a row may begin amid a byte.
        rows: that there are.
        columns: codes of each.

    Returns:
        `[rows, ceil(columns / 2)]` bytes, the first code of each in the lower half.

    >>> rows_of_run(bytes([0x12, 0x30]), 0, 1, 3).tolist() == [[0x21, 0x03]]
    True
    >>> rows_of_run(bytes([0x01, 0x23]), 1, 1, 3).tolist() == [[0x21, 0x03]]
    True
    """
    stored = np.frombuffer(content, dtype=np.uint8)
    swapped = np.asarray((stored >> 4) | (stored << 4), dtype=np.uint8)
    if columns % 2 == 0:
        return swapped.reshape(rows, columns // 2)
    codes = unpack(swapped[None], 4, 2 * len(swapped))[0, first % 2 :]
    packed = np.empty((rows, -(-columns // 2)), dtype=np.uint8)
    _pack_pairs(codes[: rows * columns].reshape(rows, columns), packed)
    return packed


def _pack_pairs(codes: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> None:
    """Codes `[rows, columns]` of 4 bits, two a byte, the first of each in the lower half."""
    out[...] = codes[:, 0::2]
    out[:, : codes.shape[1] // 2] |= codes[:, 1::2] << 4


_WORDS_AT_A_TIME: Final = 64
"""512 rows are unpacked at a time: what is unpacked takes a byte a code."""
