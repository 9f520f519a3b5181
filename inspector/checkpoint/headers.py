"""Reading the headers of all shards: over a network one request a shard."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from inspector.checkpoint.discover import REMOTE_KINDS
from inspector.checkpoint.policy import ReadPolicy
from inspector.errors import FormatError, Place, SourceError
from inspector.format.header import LENGTH_PREFIX, Header, header_span, parse_header
from inspector.format.rules import problem
from inspector.format.shard_report import ShardReport, report_header
from inspector.format.spans import Span
from inspector.source.base import Source
from inspector.source.pool import map_ordered
from inspector.source.wrappers import ReadAhead

PILOT_READ: Final = 256 * 1024
"""First read of the first header: headers of shards with 1,500 tensors are some 220 kB."""

HEADER_SLACK: Final = 1.03
"""Headers of one checkpoint's full shards differ by 1 % in the length of their numbers."""

Read = TypeVar("Read")


def read_headers(source: Source, shards: Sequence[str], policy: ReadPolicy) -> Iterator[Header]:
    """The header of every shard.

    Raises:
        SourceError: a shard cannot be read.
        FormatError: a header is malformed.
    """

    def read(shard: str, first_read: int) -> Header:
        size = source.size(shard)
        text = _header_text(source, shard, size, first_read)
        return parse_header(text, shard=shard, file_size=size)

    return _of_each(source, shards, policy, source.size, read, lambda header: header.span.stop)


def report_shards(
    source: Source, sizes: Mapping[str, int], policy: ReadPolicy
) -> Iterator[ShardReport]:
    """What can be said of every shard: a malformed or unreadable one stops nothing."""

    def report(shard: str, first_read: int) -> ShardReport:
        size = sizes[shard]
        try:
            text = _header_text(source, shard, size, first_read)
        except FormatError as error:
            return ShardReport(shard, size, problems=error.problems)
        except SourceError as error:
            return report_failure(shard, size, error)
        return report_header(text, shard=shard, file_size=size)

    def header_stop(report: ShardReport) -> int | None:
        return None if report.header_bytes is None else LENGTH_PREFIX.stop + report.header_bytes

    return _of_each(source, list(sizes), policy, sizes.__getitem__, report, header_stop)


def report_failure(shard: str, size: int | None, error: SourceError) -> ShardReport:
    """The report of a shard of which nothing could be read, and why."""
    found = problem(
        "unreadable_file", Place(shard=shard), "the file cannot be read",
        expected="a file that can be read", found=error,
    )  # fmt: skip
    return ShardReport(shard, size, problems=(found,), failure=error)


def _of_each(
    source: Source,
    shards: Sequence[str],
    policy: ReadPolicy,
    size_of: Callable[[str], int],
    read: Callable[[str, int], Read],
    header_stop: Callable[[Read], int | None],
) -> Iterator[Read]:
    """What `read` makes of every shard and of how many bytes to read first.

    Over a network the header of the largest shard sizes the first reads of all others. A header
    that is longer than the guess costs one more request, for the rest of it only.
    """
    total = len(shards)
    if source.kind not in REMOTE_KINDS:
        for done, shard in enumerate(shards, 1):
            yield read(shard, len(LENGTH_PREFIX))
            policy.progress("headers", done, total)
        return
    if not shards:
        return
    pilot = max(shards, key=size_of)
    first = read(pilot, PILOT_READ)
    yield first
    stop = header_stop(first)
    guess = PILOT_READ if stop is None else first_read_after(stop)
    others = [shard for shard in shards if shard != pilot]
    results = map_ordered(lambda shard: read(shard, guess), others, jobs=policy.jobs)
    for done, result in enumerate(results, 2):
        yield result
        policy.progress("headers", done, total)


def first_read_after(header_stop: int) -> int:
    """Bytes to read first of a shard, when the header of the largest ends at `header_stop`."""
    return int(header_stop * HEADER_SLACK) + 1024


def _header_text(source: Source, shard: str, size: int, first_read: int) -> bytes:
    """The JSON of a shard's header."""
    ahead = ReadAhead(source, shard, first_read=first_read)
    prefix = ahead.read(Span(0, min(size, LENGTH_PREFIX.stop)))
    return ahead.read(header_span(prefix, shard=shard, file_size=size))
