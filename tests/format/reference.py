"""The reference reader's view of a file beside ours, in one form."""

from safetensors import deserialize

from inspector.format.header import LENGTH_PREFIX, header_span, parse_header

Stored = dict[str, tuple[str, tuple[int, ...], bytes]]
"""Tensor name -> dtype, shape and the bytes of its data."""


def read_with_reference(content: bytes) -> Stored:
    """What safetensors reads of a file; raises SafetensorError."""
    tensors = deserialize(content)  # type: ignore[no-untyped-call]  # its stub has no types
    return {
        name: (stored["dtype"], tuple(stored["shape"]), bytes(stored["data"]))
        for name, stored in tensors
    }


def read_with_ours(content: bytes) -> Stored:
    """What our parser finds in a file; raises FormatError."""
    size = len(content)
    span = header_span(content[: len(LENGTH_PREFIX)], shard="a", file_size=size)
    header = parse_header(content[span.start : span.stop], shard="a", file_size=size)
    return {
        entry.name: (entry.dtype, entry.shape, content[entry.start : entry.stop])
        for entry in header.entries
    }
