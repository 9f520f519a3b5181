import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.errors import ObjectNotFound, SourceError
from inspector.format.spans import Span
from inspector.source.base import MemorySource
from inspector.source.coalescing import Coalesced
from tests.strategies import spans

NAME = "a.safetensors"
CONTENT = random.Random(1).randbytes(300)


def coalesced(*, gap: int, most: int, held: int = 10**9) -> tuple[Coalesced, MemorySource]:
    inner = MemorySource({NAME: CONTENT, "b.safetensors": CONTENT[::-1]})
    return Coalesced(inner, max_gap=gap, max_read=most, max_held=held), inner


def read_all(source: Coalesced, wanted: list[tuple[str, Span]]) -> None:
    for path, span in wanted:
        whole = CONTENT if path == NAME else CONTENT[::-1]
        assert source.read(path, span) == whole[span.start : span.stop]


announcements = st.lists(st.tuples(st.sampled_from([NAME, "b.safetensors"]), spans), max_size=14)


@given(announcements, st.integers(0, 40), st.integers(1, 200), st.integers(1, 600))
def test_spans_are_what_they_are_alone_and_the_reads_are_those_that_were_planned(
    wanted: list[tuple[str, Span]], gap: int, most: int, held: int
) -> None:
    source, inner = coalesced(gap=gap, most=most, held=held)
    planned = source.expect(wanted)
    read_all(source, wanted)
    expected = [(path, read) for path, reads in planned.items() for read in reads]
    assert sorted(inner.reads) == sorted(expected)
    assert all(len(read) <= most or (path, read) in wanted for path, read in inner.reads)


@given(announcements, st.integers(0, 40), st.integers(1, 200), st.randoms())
def test_any_order_gives_the_same_bytes_in_no_more_reads(
    wanted: list[tuple[str, Span]], gap: int, most: int, chance: random.Random
) -> None:
    source, inner = coalesced(gap=gap, most=most)
    planned = source.expect(wanted)
    shuffled = list(wanted)
    chance.shuffle(shuffled)
    read_all(source, shuffled)
    assert len(inner.reads) == sum(map(len, planned.values()))


@given(announcements, st.integers(0, 8), st.integers(1, 60), st.integers(1, 120))
def test_what_is_held_is_bounded_and_given_up_in_the_end(
    wanted: list[tuple[str, Span]], gap: int, most: int, held: int
) -> None:
    source, _ = coalesced(gap=gap, most=most, held=held)
    source.expect(wanted)
    joints = {id(one): one for many in source._joints.values() for one in many}
    longest = max((len(span) for _, span in wanted), default=0)
    for path, span in wanted:
        source.read(path, span)
        kept = sum(len(one.content or b"") for one in joints.values())
        assert kept <= 2 * (held + longest + gap)
    assert all(one.content is None for one in joints.values())


def test_neighbours_are_read_together_and_a_distant_span_alone() -> None:
    source, inner = coalesced(gap=10, most=100)
    wanted = [(NAME, Span(0, 20)), (NAME, Span(25, 50)), (NAME, Span(200, 210))]
    assert source.expect(wanted) == {NAME: [Span(0, 50), Span(200, 210)]}
    read_all(source, wanted)
    assert inner.reads == [(NAME, Span(0, 50)), (NAME, Span(200, 210))]


def test_what_was_not_announced_is_read_as_it_is() -> None:
    source, inner = coalesced(gap=10, most=100)
    source.expect([(NAME, Span(0, 20)), (NAME, Span(20, 40))])
    read_all(source, [(NAME, Span(5, 25))])
    assert inner.reads == [(NAME, Span(5, 25))]


def test_a_second_reading_of_a_span_is_a_read_of_its_own() -> None:
    source, inner = coalesced(gap=10, most=100)
    wanted = [(NAME, Span(0, 20)), (NAME, Span(20, 40))]
    source.expect(wanted)
    read_all(source, wanted * 2)
    assert inner.reads == [(NAME, Span(0, 40)), *wanted]


def test_threads_share_one_read() -> None:
    source, inner = coalesced(gap=0, most=300)
    wanted = [(NAME, Span(start, start + 10)) for start in range(0, 300, 10)]
    source.expect(wanted)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda one: read_all(source, [one]), wanted))
    assert inner.reads == [(NAME, Span(0, 300))]


def test_a_read_that_fails_fails_for_each_and_is_tried_for_each() -> None:
    source, _ = coalesced(gap=0, most=1000)
    wanted = [(NAME, Span(280, 300)), (NAME, Span(300, 320))]
    source.expect(wanted)
    for path, span in wanted:
        with pytest.raises(SourceError, match="the file has 300 bytes"):
            source.read(path, span)
    source.expect([("absent", Span(0, 1)), ("absent", Span(1, 2))])
    with pytest.raises(ObjectNotFound):
        source.read("absent", Span(0, 1))


def test_a_hundred_thousand_spans_are_planned_at_once() -> None:
    """Each span was compared with each read: a whole checkpoint took minutes."""
    source, _ = coalesced(gap=1, most=64)
    wanted = [(NAME, Span(4 * i, 4 * i + 4)) for i in range(100_000)]
    assert len(source.expect(wanted)[NAME]) == 6_250


def test_it_is_a_source_like_the_one_inside() -> None:
    source, inner = coalesced(gap=0, most=1)
    assert (source.location, source.kind, source.commit) == ("memory", "memory", None)
    assert (source.files(), source.size(NAME)) == (inner.files(), 300)
    assert (source.subject, source.stamp(NAME), source.requests_for(NAME, 3)) == (None, None, 3)
