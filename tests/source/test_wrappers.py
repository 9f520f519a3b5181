from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from inspector.errors import BudgetExceeded
from inspector.format.header import LENGTH_PREFIX, header_span
from inspector.format.spans import Span
from inspector.source.base import Ledger, MemorySource
from inspector.source.local import LocalSource
from inspector.source.wrappers import Budget, ReadAhead

NAME = "a.safetensors"
LENGTHS = [99_991, 99_992, 99_993, 100_000, 250_000]


@pytest.mark.parametrize("length", LENGTHS)
def test_any_header_length_survives_prefetching(length: int) -> None:
    """huggingface_hub#4602: a header a few bytes longer than the prefetch was cut."""
    header = b'{"__metadata__":{"pad":"'.ljust(length - 3, b"x") + b'"}}'
    content = length.to_bytes(8, "little") + header
    inner = MemorySource({NAME: content})
    ahead = ReadAhead(inner, NAME, first_read=100_000)
    span = header_span(ahead.read(LENGTH_PREFIX), shard=NAME, file_size=len(content))
    assert ahead.read(span) == header
    expected = [Span(0, min(length + 8, 100_000))]
    if length + 8 > 100_000:
        expected.append(Span(100_000, length + 8))
    assert [read for _, read in inner.reads] == expected


def test_a_span_beyond_the_first_read_costs_its_own_bytes_only() -> None:
    inner = MemorySource({NAME: bytes(1000)})
    ahead = ReadAhead(inner, NAME, first_read=100)
    ahead.read(Span(0, 8))
    assert ahead.read(Span(400, 500)) == bytes(100)
    assert [len(read) for _, read in inner.reads] == [100, 100]


def test_a_file_shorter_than_the_first_read_is_read_once_and_whole() -> None:
    inner = MemorySource({NAME: b"0123456789"})
    ahead = ReadAhead(inner, NAME, first_read=100)
    assert [ahead.read(Span(0, 8)), ahead.read(Span(8, 10))] == [b"01234567", b"89"]
    assert inner.reads == [(NAME, Span(0, 10))]


def test_a_budget_refuses_the_read_that_would_pass_it_before_it_is_sent(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(bytes(1000))
    ledger = Ledger()
    budget = Budget(LocalSource(tmp_path, ledger), 300, ledger)
    budget.read(NAME, Span(0, 200))
    with pytest.raises(BudgetExceeded, match=r"101 bytes .* --max-bytes 300; 200 were read"):
        budget.read(NAME, Span(200, 301))
    assert len(budget.read(NAME, Span(200, 300))) == 100
    assert (ledger.requests, ledger.bytes) == (2, 300)
    budget.close()


def test_what_others_put_in_the_ledger_is_spent_too() -> None:
    """The hub's listing was free, and two checkpoints had a budget each."""
    ledger = Ledger()
    budget = Budget(MemorySource({NAME: bytes(1000)}), 300, ledger)
    ledger.add(byte_count=250)
    with pytest.raises(BudgetExceeded, match="250 were read"):
        budget.read(NAME, Span(0, 51))


class Slow(MemorySource):
    """Answers when it is let go."""

    def __init__(self) -> None:
        super().__init__({NAME: bytes(1000)})
        self.asked, self.let_go = Event(), Event()

    def read(self, path: str, span: Span) -> bytes:
        self.asked.set()
        assert self.let_go.wait(timeout=10)
        return super().read(path, span)


def test_reads_on_the_way_are_spent() -> None:
    inner = Slow()
    budget = Budget(inner, 300, Ledger())
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(budget.read, NAME, Span(0, 200))
        assert inner.asked.wait(timeout=10)
        with pytest.raises(BudgetExceeded):
            budget.read(NAME, Span(200, 301))
        inner.let_go.set()
        assert len(first.result()) == 200
    assert len(budget.read(NAME, Span(200, 500))) == 300


def test_a_budget_is_a_source_like_the_one_inside() -> None:
    inner = MemorySource({NAME: bytes(10)}, location="there")
    budget = Budget(inner, 300, Ledger())
    assert (budget.location, budget.kind, budget.commit) == ("there", "memory", None)
    assert (budget.files(), budget.size(NAME)) == ({NAME: 10}, 10)
