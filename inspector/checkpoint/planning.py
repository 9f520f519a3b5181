"""What reading all headers would take, told from the length of one of them."""

from collections.abc import Mapping

from inspector.analysis.plan import PlannedReads
from inspector.checkpoint.discover import REMOTE_KINDS, Shards
from inspector.checkpoint.headers import PILOT_READ, first_read_after
from inspector.config import CONFIG_NAME
from inspector.format.header import LENGTH_PREFIX, header_span
from inspector.format.spans import Span
from inspector.source.base import Source
from inspector.source.pool import map_ordered

_LOCAL_READS_A_HEADER = 2


def plan_headers(source: Source, shards: Shards, *, jobs: int) -> PlannedReads:
    """The requests and bytes of a header pass by range.

    The length of a header is read, eight bytes: of each file on disk, of one file elsewhere, which
    sizes the first reads of all.

    Raises:
        SourceError: they cannot be read.
        FormatError: a file is no safetensors file.
    """
    names = shards.names
    if source.kind not in REMOTE_KINDS:
        stops = map_ordered(lambda name: _header_stop(source, name), names, jobs=jobs)
        return PlannedReads(
            what="headers", requests=_LOCAL_READS_A_HEADER * len(names), bytes=sum(stops)
        )
    pilot = max(names, key=source.size)
    stop = _header_stop(source, pilot)
    first = min(source.size(pilot), PILOT_READ)
    guess = first_read_after(stop)
    others = [min(source.size(name), guess) for name in names if name != pilot]
    return PlannedReads(
        what="headers",
        requests=len(names) + (stop > first),
        bytes=max(first, stop) + sum(others),
        is_estimate=len(names) > 1,
    )


def plan_indexes(sizes: Mapping[str, int]) -> list[PlannedReads]:
    """A read for each index, whole."""
    return [PlannedReads(what=name, requests=1, bytes=size) for name, size in sizes.items()]


def plan_config(source: Source) -> list[PlannedReads]:
    """A read of the config, where there is one: what codes packed in words are counted by.

    Over a network it may be kept, or not be needed.
    """
    size = source.files().get(CONFIG_NAME)
    if size is None:
        return []
    is_estimate = source.kind in REMOTE_KINDS
    what = f"{CONFIG_NAME}, where codes are packed in words" if is_estimate else CONFIG_NAME
    requests = source.requests_for(CONFIG_NAME, 1)
    return [PlannedReads(what=what, requests=requests, bytes=size, is_estimate=is_estimate)]


def _header_stop(source: Source, shard: str) -> int:
    size = source.size(shard)
    prefix = source.read(shard, Span(0, min(size, LENGTH_PREFIX.stop)))
    return header_span(prefix, shard=shard, file_size=size).stop
