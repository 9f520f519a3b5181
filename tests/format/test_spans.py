from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.format.spans import Span, merge_spans
from tests.strategies import spans


def test_a_span_does_not_stop_before_it_starts() -> None:
    with pytest.raises(ValueError, match=r"\[3, 2\)"):
        Span(3, 2)


def test_a_span_does_not_start_before_the_file() -> None:
    with pytest.raises(ValueError, match=r"\[-1, 2\)"):
        Span(-1, 2)


@given(spans, spans)
def test_within_cuts_the_same_bytes_out_of_an_outer_read(inner: Span, outer: Span) -> None:
    file = bytes(range(256))
    if outer.start <= inner.start and inner.stop <= outer.stop:
        read = file[outer.start : outer.stop]
        assert read[inner.within(outer)] == file[inner.start : inner.stop]
    else:
        with pytest.raises(ValueError, match="is not inside"):
            inner.within(outer)


@given(st.lists(spans, max_size=20), st.integers(0, 40), st.integers(1, 200))
def test_every_span_lies_in_one_planned_read(wanted: list[Span], gap: int, most: int) -> None:
    reads = merge_spans(wanted, max_gap=gap, max_read=most)
    for span in wanted:
        assert not len(span) or any(r.start <= span.start and span.stop <= r.stop for r in reads)
    assert all(len(read) <= most or read in wanted for read in reads)


@given(st.lists(spans, max_size=20), st.integers(0, 40), st.integers(1, 200))
def test_reads_are_in_order_and_their_gaps_within_the_limit(
    wanted: list[Span], gap: int, most: int
) -> None:
    reads = merge_spans(wanted, max_gap=gap, max_read=most)
    assert reads == sorted(set(reads))
    asked = {byte for span in wanted for byte in range(span.start, span.stop)}
    for read in reads:
        idle = "".join(" x"[byte in asked] for byte in range(read.start, read.stop))
        assert idle == idle.strip()
        assert max(map(len, idle.split("x"))) <= gap


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 30)), max_size=8),
    st.integers(0, 20),
    st.integers(1, 120),
)
def test_spans_that_share_no_byte_take_as_few_reads_as_the_limits_allow(
    steps: list[tuple[int, int]], gap: int, most: int
) -> None:
    wanted: list[Span] = []
    for space, length in steps:
        start = (wanted[-1].stop if wanted else 0) + space
        wanted.append(Span(start, start + length))
    assert len(merge_spans(wanted, max_gap=gap, max_read=most)) == fewest_reads(wanted, gap, most)


def fewest_reads(wanted: list[Span], gap: int, most: int) -> int:
    """The least number of runs of neighbours that keep both limits, by trying every cut."""
    fewest = [0]
    for stop in range(1, len(wanted) + 1):
        runs = [wanted[start:stop] for start in range(stop)]
        fewest.append(
            min(
                1 + fewest[stop - len(run)]
                for run in runs
                if len(run) == 1
                or (
                    run[-1].stop - run[0].start <= most
                    and all(b.start - a.stop <= gap for a, b in pairwise(run))
                )
            )
        )
    return fewest[-1]
