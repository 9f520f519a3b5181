"""A safetensors header, from bytes to entries. Bytes in, values out; nothing here reads a file.

Source: the format section of the safetensors README and `read_metadata`/`validate` in
safetensors/src/tensor.rs (0.8.0). Two decoders give the same entries: a fast one for headers with
nothing to report, and `header_problems.examine`, which reports everything, for all others.
"""

from types import MappingProxyType
from typing import Final

from inspector.errors import FormatError, Place, Problem, Severity
from inspector.format.doubts import is_plain_text
from inspector.format.dtypes import DTYPE_BY_CODE
from inspector.format.entries import Header, TensorEntry
from inspector.format.fast_header import decode_clean
from inspector.format.header_problems import Examined, examine
from inspector.format.rules import problem
from inspector.format.spans import Span

__all__ = [
    "LENGTH_PREFIX",
    "MAX_HEADER_BYTES",
    "Header",
    "TensorEntry",
    "check_header",
    "header_from",
    "header_span",
    "parse_header",
    "plain_header",
]

LENGTH_PREFIX: Final = Span(0, 8)
"""Where a file says how long its header is: an unsigned 64-bit little-endian integer."""

MAX_HEADER_BYTES: Final = 100_000_000
"""Refuse longer headers, as the reference reader does (safetensors/src/tensor.rs)."""

_OTHER_FILES: Final = MappingProxyType(
    {
        b"version ": "this is the pointer that Git LFS keeps for a file, not the file",
        b"<!DOCTYP": "this is a web page",
        b"<!doctyp": "this is a web page",
        b"<html": "this is a web page",
        b"PK\x03\x04": "this is a ZIP archive, as PyTorch writes",
        b"GGUF": "this is a GGUF file",
    }
)
"""How files begin that are often found in the place of a shard; no header is so long."""


def header_span(prefix: bytes, *, shard: str, file_size: int | None = None) -> Span:
    """Where the header of `shard` is, from the file's first 8 bytes.

    Raises:
        FormatError: fewer than 8 bytes, a length over `MAX_HEADER_BYTES`, or (where `file_size` is
            known) one past the end of the file.

    >>> header_span((2).to_bytes(8, "little"), shard="a.safetensors")
    Span(start=8, stop=10)
    """
    start = LENGTH_PREFIX.stop
    where = Place(shard=shard, offset=0)
    if len(prefix) < start:
        message = "the file is too short for the length of a header"
        raise FormatError(
            [problem("truncated", where, message, expected="8 bytes", found=len(prefix))]
        )
    length = int.from_bytes(prefix[:start], "little")
    if length > MAX_HEADER_BYTES:
        limit = f"at most {MAX_HEADER_BYTES:,} bytes"
        message = "the declared header length is over the limit of the reference reader"
        for beginning, what in _OTHER_FILES.items():
            if prefix.startswith(beginning):
                message = what
        raise FormatError(
            [problem("header_too_large", where, message, expected=limit, found=length)]
        )
    if file_size is not None and start + length > file_size:
        message = "the header would end after the file"
        limit = f"at most {file_size - start} bytes"
        raise FormatError(
            [problem("header_length_past_end", where, message, expected=limit, found=length)]
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
    header = _fast(text, shard, file_size)
    if header is not None:
        return header
    examined = examine(text, shard=shard, file_size=file_size)
    errors = [found for found in examined.problems if found.severity is Severity.ERROR]
    if errors:
        raise FormatError(errors)
    return header_from(examined, text, shard=shard)


def check_header(text: bytes, *, shard: str, file_size: int | None = None) -> list[Problem]:
    """Every problem of a header, warnings too, in the order of the file; empty for a sound one."""
    return examine(text, shard=shard, file_size=file_size).problems


def plain_header(text: bytes, *, shard: str, file_size: int) -> Header | None:
    """The entries of a header that troubles no reader, or None: it must be examined."""
    header = _fast(text, shard, file_size)
    if header is None or "" in header.names or not is_plain_text(text):
        return None
    return header


def header_from(examined: Examined, text: bytes, *, shard: str) -> Header:
    """The header whose entries were all read: one that is sound, if unusually written."""
    span = Span(LENGTH_PREFIX.stop, LENGTH_PREFIX.stop + len(text))
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


def _fast(text: bytes, shard: str, file_size: int | None) -> Header | None:
    header = decode_clean(text, shard=shard, data_start=LENGTH_PREFIX.stop + len(text))
    if header is None:
        return None
    stop = header.stops[-1] if header.stops else header.span.stop
    return header if file_size in (None, stop) else None
