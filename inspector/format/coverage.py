"""Whether tensors have the bytes that their shapes need, and cover the data without a gap.

Source: `validate` in safetensors/src/tensor.rs (0.8.0): a file is covered from its header to its
end, each byte by one tensor.
"""

import reprlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from inspector.errors import Place, Problem
from inspector.format.dtypes import DTYPE_BY_CODE
from inspector.format.rules import problem

MAX_FILE_BYTES: Final = (1 << 63) - 1
"""No file is longer: file systems and HTTP clients count in signed 64-bit integers."""

_SIZE_LIMIT: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class RawEntry:
    """A tensor as the header states it; `start` and `stop` count from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def check_sizes(entries: Iterable[RawEntry], *, shard: str) -> Iterator[Problem]:
    """Tensors whose bytes are not what dtype and shape need."""
    for entry in entries:
        where = Place(shard=shard, tensor=entry.name)
        if entry.dtype not in DTYPE_BY_CODE:
            continue
        what = f"{reprlib.repr(list(entry.shape))} {entry.dtype}"
        bits = _size_in_bits(entry)
        if bits is None:
            message = f"{what} does not fit in 64 bits"
            yield problem("shape_overflow", where, message, expected="< 2^64 bits", found="more")
        elif bits % 8:
            message = f"{what} does not end on a byte boundary"
            expected = "a multiple of 8 bits"
            yield problem("sub_byte_misaligned", where, message, expected=expected, found=bits)
        elif entry.start <= entry.stop and entry.stop - entry.start != bits // 8:
            message = f"{what} needs another number of bytes"
            found = entry.stop - entry.start
            yield problem("span_size_mismatch", where, message, expected=bits // 8, found=found)


def check_coverage(
    entries: Iterable[RawEntry], *, shard: str, data_start: int, file_size: int | None
) -> Iterator[Problem]:
    """Holes, overlaps and both ways of not ending with the file.

    Args:
        entries: in the order of their bytes.
        shard: the file's name.
        data_start: where the data begin in the file.
        file_size: bytes of the file, or None where nobody knows.
    """
    cursor = 0
    for entry in entries:
        start = data_start + entry.start
        where = Place(shard=shard, tensor=entry.name, offset=start)
        if entry.start > entry.stop:
            message = "the tensor ends before it starts"
            expected = f"a stop of at least {entry.start}"
            yield problem("offsets_reversed", where, message, expected=expected, found=entry.stop)
            continue
        # Past the end of the file there are no bytes that could belong to none: it is truncated.
        if entry.start > cursor and (file_size is None or data_start + cursor < file_size):
            message = f"{entry.start - cursor} bytes before the tensor belong to none"
            yield problem("hole", where, message, expected=data_start + cursor, found=start)
        elif entry.start < cursor:
            message = f"the tensor shares {min(cursor, entry.stop) - entry.start} bytes with others"
            yield problem("overlap", where, message, expected=data_start + cursor, found=start)
        cursor = max(cursor, entry.stop)
    yield from _check_end(data_start + cursor, shard, file_size)


def _check_end(stop: int, shard: str, file_size: int | None) -> Iterator[Problem]:
    if file_size is None:
        file_size = min(stop, MAX_FILE_BYTES)
    where = Place(shard=shard, offset=min(stop, file_size))
    if stop > file_size:
        message = "the file ends before the last tensor"
        yield problem("truncated", where, message, expected=stop, found=file_size)
    elif stop < file_size:
        message = f"{file_size - stop} bytes follow the last tensor"
        yield problem("trailing_bytes", where, message, expected=stop, found=file_size)


def _size_in_bits(entry: RawEntry) -> int | None:
    """Bits of a tensor; None where a 64-bit multiplication on the way would overflow."""
    count = 1
    for dimension in (*entry.shape, DTYPE_BY_CODE[entry.dtype].bits):
        count *= dimension
        if count >= _SIZE_LIMIT:
            return None
    return count
