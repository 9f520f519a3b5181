"""Results of tasks as JSON that gives back the same values, bit for bit.

Python's own writer is used: it has words for NaN and infinities, which a verdict may hold.
"""

import json
from typing import Any, TypeVar

import msgspec
import numpy as np

Value = TypeVar("Value")


def packed(value: object) -> bytes:
    """Structs, dataclasses and integer arrays as JSON, on one line."""
    plain = msgspec.to_builtins(value, enc_hook=_listed)
    return json.dumps(plain, separators=(",", ":")).encode()


def unpacked(content: bytes, kind: type[Value]) -> Value | None:
    """The value of a result; None where it is damaged."""
    try:
        return msgspec.convert(json.loads(content), kind, dec_hook=_array)
    except (ValueError, msgspec.MsgspecError):
        return None


def _listed(value: object) -> list[Any]:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{type(value).__name__} is no part of a result")
    return list(value.tolist())


def _array(_: type, value: object) -> object:
    return np.array(value, dtype=np.int64)
