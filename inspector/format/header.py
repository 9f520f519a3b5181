"""A safetensors header, from bytes to entries. Bytes in, values out; nothing here reads a file.

Source: the format section of the safetensors README and `read_metadata`/`validate` in
safetensors/src/tensor.rs (0.8.0). Two decoders give the same entries: a fast one for headers with
nothing to report, and `header_problems.examine`, which reports everything, for all others.
"""

import json
import math
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Final, Self

import msgspec

from inspector.errors import FormatError, Place, Problem, Severity
from inspector.format.dtypes import DTYPE_BY_CODE, Dtype
from inspector.format.header_problems import MAX_FILE_BYTES, Examined, examine
from inspector.format.rules import problem
from inspector.format.spans import Span

LENGTH_PREFIX: Final = Span(0, 8)
"""Where a file says how long its header is: an unsigned 64-bit little-endian integer."""

MAX_HEADER_BYTES: Final = 100_000_000
"""Refuse longer headers, as the reference reader does (safetensors/src/tensor.rs)."""


class TensorEntry(msgspec.Struct, frozen=True, gc=False):
    """One stored tensor: what it is called, what it holds, where its bytes are.

    `start` and `stop` count from the start of the shard. The file stores offsets relative to the
    end of the header; the parser converts once, and nothing else adds a header length to anything.
    """

    name: str
    dtype: Dtype
    shape: tuple[int, ...]
    start: int
    stop: int

    @property
    def span(self) -> Span:
        return Span(self.start, self.stop)

    @property
    def count(self) -> int:
        """Elements; 1 for a scalar, whose shape is empty."""
        return math.prod(self.shape)


Kind = tuple[Dtype, tuple[int, ...]]
"""Dtype and shape: a shard of 1,500 tensors has a dozen."""


class Header(msgspec.Struct, frozen=True, gc=False):
    """A valid header, as columns in the order of the tensors' bytes; `metadata` as stored or None.

    `kinds` are the distinct dtypes and shapes, `kind_ids` which of them each tensor is; `starts`
    and `stops` count from the start of the shard.
    """

    shard: str
    span: Span
    metadata: dict[str, str] | None
    names: list[str]
    kinds: list[Kind]
    kind_ids: list[int]
    starts: list[int]
    stops: list[int]

    @classmethod
    def of(
        cls,
        shard: str,
        span: Span,
        metadata: dict[str, str] | None,
        entries: Iterable[TensorEntry],
    ) -> Self:
        """The header that holds `entries`, in their order."""
        header = cls(shard, span, metadata, [], [], [], [], [])
        ids: dict[Kind, int] = {}
        for entry in entries:
            header.names.append(entry.name)
            header.kind_ids.append(ids.setdefault((entry.dtype, entry.shape), len(ids)))
            header.starts.append(entry.start)
            header.stops.append(entry.stop)
        header.kinds.extend(ids)
        return header

    @property
    def entries(self) -> tuple[TensorEntry, ...]:
        """The tensors one by one."""
        columns = zip(self.names, self.kind_ids, self.starts, self.stops, strict=True)
        return tuple(
            TensorEntry(name, *self.kinds[kind], start, stop) for name, kind, start, stop in columns
        )


def header_span(prefix: bytes, *, shard: str, file_size: int | None = None) -> Span:
    """Where the header of `shard` is, from the file's first 8 bytes.

    Raises:
        FormatError: fewer than 8 bytes, a length over `MAX_HEADER_BYTES`, or (where `file_size` is
            known) one past the end of the file.

    >>> header_span((2).to_bytes(8, "little"), shard="a.safetensors")
    Span(start=8, stop=10)
    """
    start = LENGTH_PREFIX.stop
    if len(prefix) < start:
        message = "the file is too short for the length of a header"
        raise FormatError(
            [problem("truncated", _at(shard, 0), message, expected="8 bytes", found=len(prefix))]
        )
    length = int.from_bytes(prefix[:start], "little")
    if length > MAX_HEADER_BYTES:
        limit = f"at most {MAX_HEADER_BYTES:,} bytes"
        message = "the declared header length is over the limit of the reference reader"
        raise FormatError(
            [problem("header_too_large", _at(shard, 0), message, expected=limit, found=length)]
        )
    if file_size is not None and start + length > file_size:
        message = "the header would end after the file"
        limit = f"at most {file_size - start} bytes"
        raise FormatError(
            [
                problem(
                    "header_length_past_end", _at(shard, 0), message, expected=limit, found=length
                )
            ]
        )
    return Span(start, start + length)


def parse_header(text: bytes, *, shard: str, file_size: int | None = None) -> Header:
    """The entries of a header, in the order of their bytes.

    Args:
        text: the header's JSON, `header_span` of it.
        shard: the file's name in the checkpoint, for messages and entries.
        file_size: bytes of the whole file; None leaves truncation and trailing bytes unchecked.

    Raises:
        FormatError: with every problem of severity `error`.
    """
    header = _decode_clean(text, shard)
    if header is not None and file_size in (None, _last_stop(header)):
        return header
    examined = examine(text, shard=shard, file_size=file_size)
    errors = [found for found in examined.problems if found.severity is Severity.ERROR]
    if errors:
        raise FormatError(errors)
    return _from_examined(examined, len(text), shard)


def check_header(text: bytes, *, shard: str, file_size: int | None = None) -> list[Problem]:
    """Every problem of a header, in the order of the file; empty for a sound one."""
    return examine(text, shard=shard, file_size=file_size).problems


def _at(shard: str, offset: int) -> Place:
    return Place(shard=shard, offset=offset)


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


def _decode_clean(text: bytes, shard: str) -> Header | None:
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
    span = Span(LENGTH_PREFIX.stop, LENGTH_PREFIX.stop + len(text))
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


def _last_stop(header: Header) -> int:
    return header.stops[-1] if header.stops else header.span.stop


def _from_examined(examined: Examined, text_bytes: int, shard: str) -> Header:
    """A header that is sound, if unusually written."""
    span = Span(LENGTH_PREFIX.stop, LENGTH_PREFIX.stop + text_bytes)
    entries = (
        TensorEntry(
            name=entry.name,
            dtype=DTYPE_BY_CODE[entry.dtype],
            shape=entry.shape,
            start=span.stop + entry.start,
            stop=span.stop + entry.stop,
        )
        for entry in examined.entries
    )
    return Header.of(shard, span, examined.metadata, entries)
