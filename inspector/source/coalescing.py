"""`Coalesced`: a source that is told what will be read, and reads neighbours together."""

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from inspector.format.spans import Span, merge_spans
from inspector.source.base import Source


@dataclass(slots=True)
class _Joint:
    """One read for several spans; its bytes are held until the last of them was handed out."""

    span: Span
    waiting: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    content: bytes | None = None


class Coalesced:
    """Reads spans that were announced by `expect` together where they lie near each other.

    Neighbours merge when at most `max_gap` bytes lie between them and the merged read stays within
    `max_read` bytes. Any span that was not announced is read as it is.

    Args:
        inner: reads.
        max_gap: bytes between two spans that are read along.
        max_read: bytes of one merged read.
        max_held: bytes of the spans that are merged with each other, and of a gap each, at most.
            Reading in the order of the announcement holds no more than twice as much.
    """

    def __init__(self, inner: Source, *, max_gap: int, max_read: int, max_held: int) -> None:
        self._inner = inner
        self._max_gap = max_gap
        self._max_read = max_read
        self._max_held = max_held
        self._joints: dict[tuple[str, Span], deque[_Joint]] = {}

    @property
    def location(self) -> str:
        return self._inner.location

    @property
    def kind(self) -> str:
        return self._inner.kind

    @property
    def commit(self) -> str | None:
        return self._inner.commit

    @property
    def subject(self) -> str | None:
        return self._inner.subject

    def expect(self, wanted: Iterable[tuple[str, Span]]) -> dict[str, list[Span]]:
        """Announce spans of files, each to be read once, in this order; the reads that cover them.

        What was announced before and not read is forgotten.
        """
        self._joints.clear()
        planned: dict[str, list[Span]] = {}
        for path, read, inside in self._reads(wanted):
            planned.setdefault(path, []).append(read)
            if len(inside) > 1:
                joint = _Joint(read, waiting=len(inside))
                for span in inside:
                    self._joints.setdefault((path, span), deque()).append(joint)
        return planned

    def plan(self, wanted: Iterable[tuple[str, Span]]) -> dict[str, list[Span]]:
        """The reads that would cover spans of files, were they announced."""
        planned: dict[str, list[Span]] = {}
        for path, read, _ in self._reads(wanted):
            planned.setdefault(path, []).append(read)
        return planned

    def _reads(self, wanted: Iterable[tuple[str, Span]]) -> Iterator[tuple[str, Span, list[Span]]]:
        """Each read with its file and the spans that it covers."""
        for batch in self._batches(wanted):
            for path, spans in batch.items():
                for read, inside in self._joined(spans):
                    yield path, read, inside

    def _batches(self, wanted: Iterable[tuple[str, Span]]) -> Iterator[dict[str, list[Span]]]:
        """The spans in their order, by file, as many at a time as may be held."""
        batch: dict[str, list[Span]] = {}
        held = 0
        for path, span in wanted:
            weight = len(span) + self._max_gap
            if batch and held + weight > self._max_held:
                yield batch
                batch, held = {}, 0
            batch.setdefault(path, []).append(span)
            held += weight
        yield batch

    def _joined(self, spans: list[Span]) -> list[tuple[Span, list[Span]]]:
        reads = merge_spans(spans, max_gap=self._max_gap, max_read=self._max_read)
        starts = [read.start for read in reads]
        members: list[list[Span]] = [[] for _ in reads]
        for span in spans:
            if len(span):
                members[bisect_right(starts, span.start) - 1].append(span)
        return [(read, inside) for read, inside in zip(reads, members, strict=True) if inside]

    def files(self) -> Mapping[str, int]:
        return self._inner.files()

    def size(self, path: str) -> int:
        return self._inner.size(path)

    def stamp(self, path: str) -> str | None:
        return self._inner.stamp(path)

    def requests_for(self, path: str, reads: int) -> int:
        return self._inner.requests_for(path, reads)

    def read(self, path: str, span: Span) -> bytes:
        try:
            joint = self._joints[path, span].popleft()
        except (KeyError, IndexError):
            return self._inner.read(path, span)
        with joint.lock:
            if joint.content is None:
                joint.content = self._inner.read(path, joint.span)
            part = joint.content[span.within(joint.span)]
            joint.waiting -= 1
            if joint.waiting <= 0:
                joint.content = None
            return part

    def close(self) -> None:
        self._inner.close()
