"""What every source keeps, whatever is behind it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from inspector.errors import ObjectNotFound, SourceError
from inspector.format.spans import Span
from inspector.source.base import Ledger, MemorySource, Source, read_file
from inspector.source.http import HttpSource
from inspector.source.hub import HubSource
from inspector.source.local import LocalSource
from inspector.source.modelscope import ModelScopeSource
from tests.hub import Hub
from tests.modelscope import ModelScope
from tests.source.serving import BYTES, REPO, Connect, asked, write_repo

ODD = "a b%20#+é.safetensors"
FILES = {"a.safetensors": BYTES, ODD: BYTES[::-1], "config.json": b"{}"}

Opened = tuple[Source, Callable[[], int]]
"""A source of `FILES`, and how many requests have been made."""


@contextmanager
def _memory(root: Path, connect: Connect) -> Iterator[Opened]:
    source = MemorySource(FILES)
    yield source, lambda: len(source.reads)


@contextmanager
def _local(root: Path, connect: Connect) -> Iterator[Opened]:
    ledger = Ledger()
    source = LocalSource(write_repo(root, FILES) / REPO, ledger)
    yield source, lambda: ledger.requests
    source.close()


@contextmanager
def _http(root: Path, connect: Connect) -> Iterator[Opened]:
    with Hub(write_repo(root, FILES)) as hub:
        yield HttpSource(f"{hub.cdn}/plain/{REPO}", Ledger()), lambda: len(hub.log)


@contextmanager
def _hub(root: Path, connect: Connect) -> Iterator[Opened]:
    with Hub(write_repo(root, FILES)) as hub:
        connect(hub)
        yield HubSource(REPO, None, Ledger()), lambda: len(hub.log)


@contextmanager
def _modelscope(root: Path, connect: Connect) -> Iterator[Opened]:
    with ModelScope(write_repo(root, FILES)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELSCOPE_ENDPOINT", server.endpoint)
        patch.delenv("MODELSCOPE_API_TOKEN", raising=False)
        with closing(ModelScopeSource(REPO, None, Ledger())) as source:
            yield source, lambda: len(server.log)


@pytest.fixture(
    params=[_memory, _local, _http, _hub, _modelscope],
    ids=["memory", "local", "http", "hub", "modelscope"],
)
def opened(request: pytest.FixtureRequest, tmp_path: Path, connect: Connect) -> Iterator[Opened]:
    with request.param(tmp_path, connect) as pair:
        yield pair


@pytest.mark.parametrize(
    "span",
    [Span(0, 1), Span(7, 300), Span(0, len(BYTES)), Span(len(BYTES) - 1, len(BYTES))],
    ids=["first byte", "middle", "whole file", "last byte"],
)
def test_a_read_gives_exactly_the_span(opened: Opened, span: Span) -> None:
    source, _ = opened
    for _ in range(3):
        assert source.read("a.safetensors", span) == BYTES[span.start : span.stop]


def test_a_read_is_of_the_type_bytes(opened: Opened) -> None:
    assert type(opened[0].read("a.safetensors", Span(0, 8))) is bytes


def test_odd_names_are_read_as_they_are(opened: Opened) -> None:
    source, _ = opened
    for _ in range(3):
        assert source.read(ODD, Span(2, 10)) == BYTES[::-1][2:10]


def test_an_empty_span_costs_no_request(opened: Opened) -> None:
    source, requests = opened
    before = requests()
    assert source.read("a.safetensors", Span(5, 5)) == b""
    assert requests() == before


@pytest.mark.parametrize(
    "span",
    [
        Span(len(BYTES) - 1, len(BYTES) + 1),
        Span(len(BYTES), len(BYTES) + 1),
        Span(10**6, 10**6 + 9),
    ],
    ids=["one byte past", "just past", "far past"],
)
def test_a_span_past_the_end_is_refused(opened: Opened, span: Span) -> None:
    source, _ = opened
    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            source.read("a.safetensors", span)
        assert "\n" not in str(caught.value)


def test_an_unknown_file_is_not_found(opened: Opened) -> None:
    source, _ = opened
    with pytest.raises(ObjectNotFound, match=r"absent\.safetensors"):
        source.size("absent.safetensors")
    with pytest.raises(ObjectNotFound, match=r"absent\.safetensors"):
        source.read("absent.safetensors", Span(0, 8))


def test_sizes_are_those_of_the_files(opened: Opened) -> None:
    source, _ = opened
    assert {name: source.size(name) for name in FILES} == {n: len(c) for n, c in FILES.items()}


def test_files_lists_every_file_with_its_size_where_there_are_listings(opened: Opened) -> None:
    source, _ = opened
    expected = {} if source.kind == "http" else {n: len(c) for n, c in FILES.items()}
    assert source.files() == expected


def test_concurrent_reads_do_not_mix(opened: Opened) -> None:
    source, _ = opened
    spans = [Span(start, start + 1 + start % 97) for start in range(0, 3000, 23)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda span: source.read("a.safetensors", span), spans))
    assert found == [BYTES[span.start : span.stop] for span in spans]


def test_a_small_file_is_read_whole_and_a_large_one_refused(opened: Opened) -> None:
    source, _ = opened
    assert read_file(source, "config.json", max_bytes=2) == b"{}"
    with pytest.raises(SourceError, match="4,096 bytes, more than the 4,095"):
        read_file(source, "a.safetensors", max_bytes=4095)


def test_http_costs_one_request_a_read(tmp_path: Path) -> None:
    ledger = Ledger()
    with Hub(write_repo(tmp_path, FILES)) as hub:
        source = HttpSource(f"{hub.cdn}/plain/{REPO}", ledger)
        for start in range(5):
            source.read("a.safetensors", Span(start, start + 10))
        assert [(one.method, one.range, one.status) for one in asked(hub)] == [
            ("GET", f"bytes={start}-{start + 9}", 206) for start in range(5)
        ]
    assert (ledger.requests, ledger.bytes) == (5, 50)


def test_a_local_file_that_changes_between_two_reads_is_noticed(tmp_path: Path) -> None:
    root = write_repo(tmp_path, FILES) / REPO
    source = LocalSource(root, Ledger())
    source.read("a.safetensors", Span(0, 8))
    with (root / "a.safetensors").open("ab") as file:
        file.write(b"more")
    with pytest.raises(SourceError, match=r"4,096 bytes before, 4,100 now"):
        source.read("a.safetensors", Span(0, 8))
    source.close()


def test_a_local_directory_is_no_file_of_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "sub.safetensors").mkdir()
    source = LocalSource(tmp_path, Ledger())
    assert source.files() == {}
    with pytest.raises(ObjectNotFound):
        source.size("sub.safetensors")
