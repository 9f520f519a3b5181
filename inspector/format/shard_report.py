"""What can be said of one shard, sound or not: how many tensors it has, and every problem."""

from dataclasses import dataclass, replace

from inspector.errors import Problem, SourceError
from inspector.format.coverage import MAX_FILE_BYTES
from inspector.format.dtypes import DTYPE_BY_CODE
from inspector.format.header import LENGTH_PREFIX, Header, header_from, plain_header
from inspector.format.header_problems import Examined, examine


@dataclass(frozen=True, slots=True)
class ShardReport:
    """One shard as it was found.

    `size` is what the listing says. `header_bytes` is the length of the header's JSON and `tensors`
    the number of names in it, both None where they cannot be told. `header` has every tensor, each
    name once; it is None where one of them could not be read. `failure` is why nothing was read.
    """

    shard: str
    size: int | None
    header_bytes: int | None = None
    tensors: int | None = None
    header: Header | None = None
    problems: tuple[Problem, ...] = ()
    failure: SourceError | None = None


def report_header(text: bytes, *, shard: str, file_size: int) -> ShardReport:
    """The report of a shard whose header was read, from that header."""
    header = plain_header(text, shard=shard, file_size=file_size)
    if header is not None:
        return ShardReport(shard, file_size, len(text), len(header.names), header)
    examined = examine(text, shard=shard, file_size=file_size)
    return ShardReport(
        shard,
        file_size,
        len(text),
        examined.tensors,
        _whole_header(examined, text, shard),
        tuple(examined.problems),
    )


def _whole_header(examined: Examined, text: bytes, shard: str) -> Header | None:
    """The header, where all of its tensors could be read to places that a file can have."""
    last_byte = MAX_FILE_BYTES - LENGTH_PREFIX.stop - len(text)
    readable = examined.is_whole and all(
        entry.dtype in DTYPE_BY_CODE and max(entry.start, entry.stop) <= last_byte
        for entry in examined.entries
    )
    if examined.tensors is None or not readable:
        return None
    by_name = {entry.name: entry for entry in examined.entries}
    return header_from(replace(examined, entries=list(by_name.values())), text, shard=shard)
