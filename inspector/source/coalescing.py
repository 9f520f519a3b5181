"""`Coalesced`: a source that is told what will be read, and reads neighbours together."""

import threading
from collections.abc import Mapping, Sequence
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
    `max_read` bytes, which also bounds what is held for each. Any other span is read as it is.
    """

    def __init__(self, inner: Source, *, max_gap: int, max_read: int) -> None:
        self._inner = inner
        self._max_gap = max_gap
        self._max_read = max_read
        self._joints: dict[tuple[str, Span], _Joint] = {}

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

    def expect(self, wanted: Mapping[str, Sequence[Span]]) -> dict[str, list[Span]]:
        """Announce spans by file, each to be read once; the reads that will cover them."""
        planned = self.plan(wanted)
        for path, spans in wanted.items():
            reads = planned[path]
            inside = [[span for span in spans if _covers(read, span)] for read in reads]
            for read, members in zip(reads, inside, strict=True):
                if len(members) > 1:
                    joint = _Joint(read, waiting=len(members))
                    self._joints |= {(path, span): joint for span in members}
        return planned

    def plan(self, wanted: Mapping[str, Sequence[Span]]) -> dict[str, list[Span]]:
        """The reads that would cover spans by file, were they announced."""
        return {
            path: merge_spans(spans, max_gap=self._max_gap, max_read=self._max_read)
            for path, spans in wanted.items()
        }

    def files(self) -> Mapping[str, int]:
        return self._inner.files()

    def size(self, path: str) -> int:
        return self._inner.size(path)

    def stamp(self, path: str) -> str | None:
        return self._inner.stamp(path)

    def requests_for(self, path: str, reads: int) -> int:
        return self._inner.requests_for(path, reads)

    def read(self, path: str, span: Span) -> bytes:
        joint = self._joints.get((path, span))
        if joint is None:
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


def _covers(read: Span, span: Span) -> bool:
    return len(span) > 0 and read.start <= span.start and span.stop <= read.stop
