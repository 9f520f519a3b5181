"""All headers of a repository's `main` in one request, where the hub has such a call.

It is `HfApi.get_sharded_safetensors_metadata` of huggingface_hub 2.4. The hub gives each header as
JSON of its own making, so the length of the header in the file is worked out: data must end where
the file does. A shard for which that does not come out is read by range, as all are elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from inspector.checkpoint.discover import is_complete_series
from inspector.checkpoint.headers import read_headers
from inspector.checkpoint.policy import ReadPolicy
from inspector.errors import FormatError
from inspector.format.header import Header, parse_header
from inspector.format.index import INDEX_NAME
from inspector.source.base import Source

_ALIGNMENT: Final = 8
"""safetensors pads a header with spaces to a multiple of this (safetensors/src/tensor.rs)."""


@runtime_checkable
class GivesHeaders(Protocol):
    """A source that may have the headers of all shards in one request."""

    @property
    def is_main(self) -> bool:
        """Whether it is of a revision for which there may be such a request."""

    def headers_in_one_request(self, index_file: str) -> Mapping[str, bytes] | None:
        """The JSON of each shard's header, or None."""


def read_all_headers(
    source: Source, shards: Sequence[str], policy: ReadPolicy, known: Sequence[Header] = ()
) -> Iterator[Header]:
    """The header of every shard: in one request where that can be had, by range elsewhere.

    Those that are `known` are not read again.

    Raises:
        SourceError: a shard cannot be read.
        FormatError: a header is malformed.
    """
    given: Mapping[str, bytes] | None = None
    if may_be_given(source, shards) and isinstance(source, GivesHeaders):
        given = source.headers_in_one_request(INDEX_NAME)
    yield from known
    left = []
    read_before = {header.shard for header in known}
    for shard in shards:
        if shard in read_before:
            continue
        header = _header_of(given[shard], source, shard) if given and shard in given else None
        if header is None:
            left.append(shard)
        else:
            yield header
    if left:
        yield from read_headers(source, left, policy)


def may_be_given(source: Source, shards: Sequence[str]) -> bool:
    """Whether the one request is tried: the usual index is there, and of these shards alone."""
    is_described = len(shards) > 1 and is_complete_series(shards) and INDEX_NAME in source.files()
    return is_described and isinstance(source, GivesHeaders) and source.is_main


def _header_of(text: bytes, source: Source, shard: str) -> Header | None:
    """The header, where its length can be told: padded as writers do, or not at all."""
    size = source.size(shard)
    for padding in (-len(text) % _ALIGNMENT, 0):
        try:
            return parse_header(text + b" " * padding, shard=shard, file_size=size)
        except FormatError:
            continue
    return None
