"""The fast decoder of headers: right about a header that is plain, silent about any other."""

import json
import math
from itertools import accumulate, pairwise
from typing import Final

import msgspec

from inspector.format.coverage import MAX_FILE_BYTES
from inspector.format.dtypes import DTYPE_BY_CODE
from inspector.format.entries import Header, Kind
from inspector.format.spans import Span


class _Fields(msgspec.Struct, gc=False):
    """A tensor's fields as JSON has them. All optional, so that `__metadata__` decodes too."""

    dtype: str = ""
    shape: tuple[int, ...] | None = None
    data_offsets: tuple[int, int] | None = None


_DECODER: Final = msgspec.json.Decoder(dict[str, _Fields])
_METADATA: Final = "__metadata__"
_METADATA_START: Final = b'{"__metadata__":'
_QUOTES_PER_TENSOR: Final = 10
"""Of its name, its three fields' names, and its dtype."""


def decode_clean(text: bytes, *, shard: str, data_start: int) -> Header | None:
    """The header, or None as soon as anything is unusual. Never reports.

    With no backslash in the text every quote opens or closes a string, so their number proves that
    nothing is there but one name and three fields a tensor: a typed decoder alone keeps the last of
    two equal keys in silence. It also takes `-0` for an integer, which the reference does not.
    """
    if b"\\" in text or b"-0" in text:
        return None
    try:
        fields_by_name = _DECODER.decode(text)
        metadata = _leading_metadata(text)
    except (ValueError, RecursionError):
        return None
    quotes = 0
    if metadata is not None:
        del fields_by_name[_METADATA]
        quotes = 2 + 4 * len(metadata)
    quotes += _QUOTES_PER_TENSOR * len(fields_by_name)
    if text.count(b'"') != quotes or _METADATA in fields_by_name:
        return None
    rows = fields_by_name.values()
    keys = [(fields.dtype, fields.shape) for fields in rows]
    plain = {key: _plain_kind(*key) for key in dict.fromkeys(keys)}
    kinds = [kind for kind in plain.values() if kind is not None]
    if len(kinds) < len(plain):
        return None
    ids = {key: position for position, key in enumerate(plain)}
    kind_ids = [ids[key] for key in keys]
    sizes = [size for _, size in kinds]
    edges = list(accumulate((sizes[kind] for kind in kind_ids), initial=0))
    if [fields.data_offsets for fields in rows] != list(pairwise(edges)):
        return None
    span = Span(data_start - len(text), data_start)
    places = [span.stop + edge for edge in edges]
    if places[-1] > MAX_FILE_BYTES:
        return None
    return Header(
        shard=shard,
        span=span,
        metadata=metadata,
        names=list(fields_by_name),
        kinds=[kind for kind, _ in kinds],
        kind_ids=kind_ids,
        starts=places[:-1],
        stops=places[1:],
    )


def _plain_kind(code: str, shape: tuple[int, ...] | None) -> tuple[Kind, int] | None:
    """Kind and bytes of a tensor; None where the code is unknown or the size is no plain one."""
    dtype = DTYPE_BY_CODE.get(code)
    if dtype is None or shape is None or not all(0 <= size < 1 << 31 for size in shape):
        return None
    bits = math.prod(max(dimension, 1) for dimension in shape) * dtype.bits
    if bits >= 1 << 62 or bits % 8:
        return None
    return (dtype, shape), math.prod(shape) * dtype.bits // 8


def _leading_metadata(text: bytes) -> dict[str, str] | None:
    """`__metadata__` where writers put it, first. Raises ValueError where it is not that plain."""
    if not text.startswith(_METADATA_START):
        return None
    start = len(_METADATA_START)
    stop = text.index(b"}", start) + 1
    pairs = json.loads(text[start:stop].decode("utf-8"), object_pairs_hook=list)
    metadata = msgspec.convert(dict(pairs), dict[str, str])
    if len(metadata) != len(pairs):
        raise ValueError("a key occurs twice")
    return metadata
