"""A server that breaks its word gives an error of one line, never wrong bytes."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from inspector.errors import (
    AccessDenied,
    InspectorError,
    RangeNotHonored,
    SourceChanged,
    SourceError,
)
from inspector.format.spans import Span
from inspector.source.access import Access
from inspector.source.base import Ledger
from inspector.source.http import HttpSource
from inspector.source.hub import HubSource
from inspector.source.patience import Patience
from inspector.source.ranges import UrlReader
from tests.hub import Fault, Hub
from tests.source.serving import BYTES, REPO, Connect, write_repo

NAME: Final = "a.safetensors"
WANTED: Final = Span(100, 200)
IMPATIENT: Final = Patience(
    read_seconds=0.3, attempts=2, unanswered_attempts=2, first_pause=0.01, total_seconds=5
)


class Outcome(NamedTuple):
    error: type[InspectorError]
    says: str


OUTCOMES: Final = {
    Fault.IGNORE_RANGE: Outcome(RangeNotHonored, r"with the whole file \(200, not 206\)"),
    Fault.GZIP: Outcome(RangeNotHonored, r"with the whole file \(200, not 206\)"),
    Fault.SHIFTED_RANGE: Outcome(RangeNotHonored, "100..200, got 101..201"),
    Fault.SHORT_BODY: Outcome(SourceError, "the body was cut short"),
    Fault.EMPTY_206: Outcome(SourceError, r"asked for \[100, 200\), the body has 0 bytes"),
    Fault.WRONG_SIZE: Outcome(SourceChanged, "listed with 4,096 bytes, the server says 4,097"),
    Fault.ETAG_CHANGES: Outcome(SourceChanged, 'changed between two reads: .* ETag "0*2" now'),
    Fault.REDIRECT_LOOP: Outcome(SourceError, "too many redirects"),
    Fault.BUSY: Outcome(SourceError, "the server answered 503 Service Unavailable"),
    Fault.LIMITED: Outcome(SourceError, "the server answered 429 Too Many Requests"),
    Fault.RESET: Outcome(SourceError, "Connection reset by peer"),
    Fault.STALL: Outcome(SourceError, "no answer in time"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_repo(tmp_path, {NAME: BYTES})


def check_message(error: InspectorError) -> None:
    text = f"{error}\n{error.hint}"
    assert text.count("\n") == 1
    assert len(str(error)) < 300
    assert not any(word in text for word in ("Signature", "Expires", "Debug", "Generic", "{"))


def test_every_fault_has_an_outcome() -> None:
    assert {*OUTCOMES, Fault.FLAKY} == set(Fault)


@pytest.mark.parametrize("fault", OUTCOMES)
@pytest.mark.parametrize("signed", [False, True], ids=["plain", "signed"])
def test_a_fault_ends_in_its_error(root: Path, fault: Fault, *, signed: bool) -> None:
    outcome = OUTCOMES[fault]
    with Hub(root, faults={NAME: fault}) as hub:
        base = hub.signed_url(REPO, NAME) if signed else f"{hub.cdn}/plain/{REPO}"
        reader = UrlReader(base, Ledger(), headers={}, patience=IMPATIENT)
        path = "" if signed else NAME
        started = time.monotonic()
        with pytest.raises(outcome.error, match=outcome.says) as caught:
            read_twice(reader, path)
        assert time.monotonic() - started < 5
        assert len(hub.log) <= 12
    check_message(caught.value)


@pytest.mark.parametrize(
    "fault", [Fault.IGNORE_RANGE, Fault.SHIFTED_RANGE, Fault.REDIRECT_LOOP, Fault.WRONG_SIZE]
)
def test_a_fault_behind_the_hub_ends_in_the_same_error(
    root: Path, connect: Connect, fault: Fault
) -> None:
    with Hub(root, faults={NAME: fault}) as hub:
        connect(hub)
        source = HubSource(REPO, None, Ledger())
        for _ in range(2):
            with pytest.raises(OUTCOMES[fault].error, match=OUTCOMES[fault].says) as caught:
                source.read(NAME, WANTED)
            check_message(caught.value)


def test_a_server_that_ignores_range_is_refused_before_its_body(tmp_path: Path) -> None:
    size = 400_000_000
    path = write_repo(tmp_path, {NAME: b""}) / REPO / NAME
    with path.open("wb") as file:
        file.truncate(size)
    with Hub(tmp_path, faults={NAME: Fault.IGNORE_RANGE}) as hub:
        source = HttpSource(f"{hub.cdn}/plain/{REPO}", Ledger())
        with pytest.raises(RangeNotHonored, match="refused"):
            source.read(NAME, Span(0, 8))
        wait_for(lambda: bool(hub.log))
        assert hub.log[0].status == 200
        assert hub.log[0].body_bytes < size / 10


def test_a_flaky_server_is_asked_again(root: Path, connect: Connect) -> None:
    with Hub(root, faults={NAME: Fault.FLAKY}) as hub:
        connect(hub)
        quick = Access(patience=Patience(first_pause=0.01))
        source = HubSource(REPO, None, Ledger(), access=quick)
        for _ in range(3):
            assert source.read(NAME, WANTED) == BYTES[100:200]
        assert {one.status for one in hub.log} >= {503, 206}


def test_a_file_that_grows_after_its_size_was_asked_is_noticed(root: Path) -> None:
    """The size of a HEAD was not compared with the size of the reads that followed."""
    with Hub(root) as hub:
        source = HttpSource(f"{hub.cdn}/plain/{REPO}", Ledger())
        assert source.size(NAME) == len(BYTES)
        (root / REPO / NAME).write_bytes(BYTES * 2)
        with pytest.raises(SourceChanged, match=r"4,096 bytes, .* 8,192 bytes"):
            source.read(NAME, WANTED)


def test_a_signed_url_is_one_file_without_neighbours(root: Path) -> None:
    """`config.json` beside a signed URL was read from the shard itself."""
    with Hub(root) as hub:
        source = HttpSource(hub.signed_url(REPO, NAME), Ledger(), only=NAME)
        assert source.files() == {NAME: len(BYTES)}
        assert source.read(NAME, WANTED) == BYTES[100:200]
        assert [one.method for one in hub.log] == ["GET", "GET"]
        with pytest.raises(SourceError, match=r"names no config\.json"):
            source.read("config.json", Span(0, 8))
        assert source.location == f"{hub.cdn}/cdn/{REPO}/{NAME}"


def test_an_expired_signed_url_is_denied_without_its_signature(root: Path) -> None:
    with Hub(root) as hub:
        source = HttpSource(hub.signed_url(REPO, NAME), Ledger(), only=NAME)
        hub.advance(4000)
        with pytest.raises(AccessDenied, match=r"a\.safetensors: not allowed \(403\)") as caught:
            source.read(NAME, WANTED)
    check_message(caught.value)


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("http://127.0.0.1:9/x?Signature=s3cr3t", "connection refused"),
        ("http://absent.invalid/x?Signature=s3cr3t", "cannot be resolved"),
    ],
    ids=["refused", "unknown host"],
)
def test_a_host_that_is_not_there_is_one_line(base: str, says: str) -> None:
    reader = UrlReader(base, Ledger(), headers={}, patience=IMPATIENT)
    with pytest.raises(SourceError, match=says) as caught:
        reader.read("", WANTED)
    check_message(caught.value)
    assert "s3cr3t" not in str(caught.value)


def read_twice(reader: UrlReader, path: str) -> None:
    for _ in range(2):
        assert reader.read(path, WANTED, listed_size=len(BYTES)) == BYTES[100:200]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
