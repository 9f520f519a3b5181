"""Decoded weights as bytes of a file: the header first, then values as they come."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Final

import ml_dtypes
import msgspec
import numpy as np
from numpy.lib.format import write_array_header_1_0

from inspector.decode.numeric import Float32
from inspector.errors import UsageError

EXPORT_DTYPES: Final = {
    "float32": ("F32", np.dtype("<f4")),
    "bfloat16": ("BF16", np.dtype(ml_dtypes.bfloat16)),
    "float16": ("F16", np.dtype("<f2")),
}
"""Name of `--dtype` -> the code in the file, and numpy's dtype."""


def export_header(
    shapes: Sequence[tuple[str, tuple[int, ...]]], dtype: str, metadata: Mapping[str, str]
) -> bytes:
    """The first bytes of the file: length and header, padded to 8, for tensors in this order.

    Raises:
        UsageError: two tensors of one name.
    """
    code, numpy_dtype = EXPORT_DTYPES[dtype]
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    position = 0
    for name, shape in shapes:
        if name in header:
            raise UsageError(f"{name} is selected twice; a file holds a name once")
        size = int(np.prod(shape, dtype=np.int64)) * numpy_dtype.itemsize
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = msgspec.json.encode(header)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    """The first bytes of a .npy file that holds one array, row-major (numpy `lib/format.py`)."""
    _, numpy_dtype = EXPORT_DTYPES[dtype]
    file = BytesIO()
    write_array_header_1_0(file, {"descr": numpy_dtype.str, "fortran_order": False, "shape": shape})
    return file.getvalue()


def export_values(values: Float32, dtype: str) -> memoryview:
    """Values in the dtype of the file, row-major, little-endian; too large ones become infinite.

    Float32 values that lie so already are not copied.
    """
    _, numpy_dtype = EXPORT_DTYPES[dtype]
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(values).astype(numpy_dtype, copy=False)
    return stored.reshape(-1).view(np.uint8).data


def overflowed(values: Float32, dtype: str) -> int:
    """How many finite values become infinite in the dtype of the file."""
    _, numpy_dtype = EXPORT_DTYPES[dtype]
    if dtype == "float32":
        return 0
    with np.errstate(over="ignore"):
        narrow = values.astype(numpy_dtype)
    return int(np.count_nonzero(np.isinf(narrow) & np.isfinite(values)))
