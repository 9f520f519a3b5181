"""What a valid header says: its tensors, one by one or as columns. Pure values."""

import math
from collections.abc import Iterable
from typing import Self

import msgspec

from inspector.format.dtypes import Dtype
from inspector.format.spans import Span


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
