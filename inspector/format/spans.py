"""Half-open byte spans of a file, and the plan that covers many of them with few reads."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Bytes `[start, stop)` of one file, counted from the file's first byte."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise ValueError(f"not a span: [{self.start}, {self.stop})")

    def __len__(self) -> int:
        return self.stop - self.start

    def __str__(self) -> str:
        return f"[{self.start}, {self.stop})"

    def within(self, outer: "Span") -> slice:
        """The slice of bytes read for `outer` that holds this span.

        >>> Span(12, 14).within(Span(10, 20))
        slice(2, 4, None)
        """
        if not (outer.start <= self.start and self.stop <= outer.stop):
            raise ValueError(f"{self} is not inside {outer}")
        return slice(self.start - outer.start, self.stop - outer.start)


def merge_spans(spans: Sequence[Span], *, max_gap: int, max_read: int) -> list[Span]:
    """Cover `spans` with as few reads as the two limits allow. Pure: plans, never reads.

    Two neighbours merge when at most `max_gap` bytes lie between them and the merged read stays
    within `max_read` bytes. Both limits are required: the default belongs to the source that
    knows what a round trip costs. Empty spans need no read.

    >>> merge_spans([Span(0, 8), Span(10, 20), Span(90, 99)], max_gap=4, max_read=64)
    [Span(start=0, stop=20), Span(start=90, stop=99)]
    """
    reads: list[Span] = []
    for span in sorted(span for span in spans if len(span)):
        if reads and span.stop <= reads[-1].stop:
            continue
        if reads and span.start - reads[-1].stop <= max_gap:
            merged = Span(reads[-1].start, span.stop)
            if len(merged) <= max_read:
                reads[-1] = merged
                continue
        reads.append(span)
    return reads
