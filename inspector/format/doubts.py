"""What the reference reader accepts in a header and its README or other readers do not."""

import reprlib
from collections.abc import Iterator, Sequence
from typing import Final

from inspector.errors import Place, Problem
from inspector.format.rules import problem
from inspector.format.strict_json import Pairs

ENTRY_FIELDS: Final = ("dtype", "shape", "data_offsets")
"""The fields of a tensor's entry: all of them, and no other."""

MAX_HUB_HEADER_BYTES: Final = 25_000_000
"""The longest header that huggingface_hub 2.4 (`constants.py`) and huggingface.js read."""

_PREFIX_BYTES: Final = 8
_WHITE_SPACE: Final = b" \t\n\r"


def is_plain_text(text: bytes) -> bool:
    r"""Whether a header begins, ends and is as long as every reader wants it.

    >>> is_plain_text(b'{"a":{}}  '), is_plain_text(b" {}"), is_plain_text(b"{}\n")
    (True, False, False)
    """
    return (
        text[:1] not in _WHITE_SPACE
        and text.rstrip(b" ")[-1:] not in _WHITE_SPACE
        and len(text) <= MAX_HUB_HEADER_BYTES
    )


def doubts_about(
    text: bytes, members: Sequence[tuple[str, object]], *, shard: str
) -> Iterator[Problem]:
    """One problem a kind, however many tensors it is about.

    Args:
        text: a header that is JSON.
        members: its tensors, as `strict_json.load` gives them.
        shard: the file's name.
    """
    first, last = text[:1], text.rstrip(b" ")[-1:]
    if first in _WHITE_SPACE or last in _WHITE_SPACE:
        at = 0 if first in _WHITE_SPACE else len(text.rstrip())
        where = Place(shard=shard, offset=_PREFIX_BYTES + at)
        message = "white space before the header, or other padding than spaces"
        seen = repr(text[at : at + 1])[1:]
        yield problem("header_padding", where, message, expected="'{', then spaces", found=seen)
    if len(text) > MAX_HUB_HEADER_BYTES:
        where, limit = Place(shard=shard, offset=0), f"at most {MAX_HUB_HEADER_BYTES:,} bytes"
        message = "the hub's own readers refuse so long a header"
        yield problem("header_over_hub_limit", where, message, expected=limit, found=len(text))
    if any(not name for name, _ in members):
        where = Place(shard=shard, tensor="")
        yield problem("empty_name", where, "a tensor has no name", expected="a name", found="''")
    odd = [
        (name, value) for name, value in members if isinstance(value, Pairs) and _has_more(value)
    ]
    if odd:
        name, value = odd[0]
        other = next(key for key, _ in value if key not in ENTRY_FIELDS)
        where = Place(shard=shard, tensor=name)
        message = f"fields that readers ignore, in the entries of {len(odd):,} tensors"
        expected, seen = ", ".join(ENTRY_FIELDS), reprlib.repr(other)
        yield problem("unknown_field", where, message, expected=expected, found=seen)


def _has_more(entry: Pairs) -> bool:
    """Whether an entry has its fields and others; one that lacks some is malformed anyway."""
    return len(entry) > len(ENTRY_FIELDS) and dict(entry).keys() > set(ENTRY_FIELDS)
