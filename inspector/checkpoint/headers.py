"""Reading the headers of all shards: over a network one request a shard."""

from collections.abc import Iterator, Sequence
from typing import Final

from inspector.checkpoint.discover import REMOTE_KINDS
from inspector.checkpoint.policy import ReadPolicy
from inspector.format.header import LENGTH_PREFIX, Header, header_span, parse_header
from inspector.format.spans import Span
from inspector.source.base import Source
from inspector.source.pool import map_ordered
from inspector.source.wrappers import ReadAhead

PILOT_READ: Final = 256 * 1024
"""First read of the first header: headers of shards with 1,500 tensors are some 220 kB."""

HEADER_SLACK: Final = 1.03
"""Headers of one checkpoint's full shards differ by 1 % in the length of their numbers."""


def read_headers(source: Source, shards: Sequence[str], policy: ReadPolicy) -> Iterator[Header]:
    """The header of every shard. Over a network the largest shard's sizes the reads of the others.

    A header that is longer than the guess costs one more request, for the rest of it only.

    Raises:
        SourceError: a shard cannot be read.
        FormatError: a header is malformed.
    """
    total = len(shards)
    if source.kind not in REMOTE_KINDS:
        for done, shard in enumerate(shards, 1):
            yield _read_header(source, shard, len(LENGTH_PREFIX))
            policy.progress("headers", done, total)
        return
    pilot = max(shards, key=source.size)
    first = _read_header(source, pilot, PILOT_READ)
    yield first
    guess = int(first.span.stop * HEADER_SLACK) + 1024
    others = [shard for shard in shards if shard != pilot]
    headers = map_ordered(
        lambda shard: _read_header(source, shard, guess), others, jobs=policy.jobs
    )
    for done, header in enumerate(headers, 2):
        yield header
        policy.progress("headers", done, total)


def _read_header(source: Source, shard: str, first_read: int) -> Header:
    size = source.size(shard)
    ahead = ReadAhead(source, shard, first_read=first_read)
    prefix = ahead.read(Span(0, min(size, LENGTH_PREFIX.stop)))
    span = header_span(prefix, shard=shard, file_size=size)
    return parse_header(ahead.read(span), shard=shard, file_size=size)
