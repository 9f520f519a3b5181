from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from inspector.checkpoint.discover import find_shards
from inspector.checkpoint.headers import read_headers
from inspector.checkpoint.policy import ReadPolicy
from inspector.errors import (
    AccessDenied,
    InspectorError,
    ObjectNotFound,
    RangeNotHonored,
    SourceChanged,
    SourceError,
)
from inspector.format.index import INDEX_NAME
from inspector.format.spans import Span
from inspector.source.access import Access
from inspector.source.base import Ledger
from inspector.source.modelscope import ModelScopeSource
from inspector.source.modelscope_api import MOST_LISTED, Entry
from inspector.source.modelscope_listing import list_whole
from inspector.source.patience import Patience
from inspector.source.resolve import open_source, parse_location
from tests.checkpoint.shards import series, weight_map, write_checkpoint
from tests.cli.running import answer, invoke
from tests.hub import COMMIT, Pause, Request
from tests.modelscope import ModelScope
from tests.source.serving import BYTES, REPO, TOKEN, write_repo

FILES = {f"model-{number}.safetensors": BYTES for number in range(4)} | {"config.json": b"{}"}
SHARD = "model-0.safetensors"
IMPATIENT = Patience(attempts=2, first_pause=0.01, total_seconds=5)

Point = Callable[..., None]
Open = Callable[..., ModelScopeSource]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_repo(tmp_path, FILES)


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Point:
    """Sets MODELSCOPE_ENDPOINT, and MODELSCOPE_API_TOKEN where a token is given."""
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "absent-cache"))
    monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)

    def to(server: ModelScope, *, token: str | None = None) -> None:
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.endpoint)
        if token is not None:
            monkeypatch.setenv("MODELSCOPE_API_TOKEN", token)

    return to


@pytest.fixture
def source_of() -> Iterator[Open]:
    """Opens sources, which are closed after the test."""
    with ExitStack() as stack:

        def open_one(
            repo: str = REPO, revision: str | None = None, **more: Any
        ) -> ModelScopeSource:
            source = ModelScopeSource(repo, revision, Ledger(), **more)
            stack.callback(source.close)
            return source

        yield open_one


def listings(server: ModelScope) -> list[str]:
    return [one.path for one in server.log if "/repo/files?" in one.path]


def asked(server: ModelScope, origin: str, method: str = "GET") -> list[Request]:
    return [one for one in server.log if (one.origin, one.method) == (origin, method)]


def test_one_listing_gives_every_size_and_stamp(root: Path, point: Point, source_of: Open) -> None:
    with ModelScope(root) as server:
        point(server)
        source = source_of()
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(source.size, FILES)) == [len(one) for one in FILES.values()]
        assert source.files() == {name: len(content) for name, content in FILES.items()}
        stamps = {source.stamp(name) for name in FILES}
        assert len(server.log) == 1
    assert len(stamps) == len(FILES)
    assert None not in stamps
    assert "Revision=master" in server.log[0].path


def test_reads_are_those_of_the_file_and_every_one_names_the_revision(
    root: Path, point: Point, source_of: Open
) -> None:
    with ModelScope(root) as server:
        point(server)
        source = source_of(revision=COMMIT)
        for start in range(4):
            assert source.read(SHARD, Span(start, start + 9)) == BYTES[start : start + 9]
        assert source.read("config.json", Span(0, 2)) == b"{}"
        assert source.read("config.json", Span(1, 2)) == b"}"
        own = [one.path for one in server.log if one.origin == "hub"]
    assert source.commit == COMMIT
    assert source.stamp(SHARD) == COMMIT
    assert all(f"Revision={COMMIT}" in path for path in own)


def test_a_signed_url_is_resolved_once_for_many_ranges_and_renewed_once(
    root: Path, point: Point, source_of: Open
) -> None:
    with ModelScope(root, ttl=60) as server:
        point(server)
        source = source_of()
        spans = [Span(start, start + 8) for start in range(12)]
        source.read(SHARD, spans[0])
        assert asked(server, "hub", "HEAD") == []
        for heads in (1, 2):
            with ThreadPoolExecutor(4) as pool:
                found = list(pool.map(lambda span: source.read(SHARD, span), spans))
            assert found == [BYTES[span.start : span.stop] for span in spans]
            assert len(asked(server, "hub", "HEAD")) == heads
            server.advance(61)


def test_urls_that_are_born_expired_end_in_an_error(
    root: Path, point: Point, source_of: Open
) -> None:
    with ModelScope(root, ttl=-1) as server:
        point(server)
        source = source_of()
        for _ in range(2):
            with pytest.raises(AccessDenied) as caught:
                source.read(SHARD, Span(0, 8))
            check_one_line(caught.value)
        assert len(server.log) < 8


def test_the_token_goes_to_modelscope_and_never_to_the_cdn(
    root: Path, point: Point, source_of: Open
) -> None:
    write_repo(root, FILES, repo="private/repo")
    with ModelScope(root, token=TOKEN) as server:
        point(server, token=TOKEN)
        source = source_of("private/repo")
        for start in range(3):
            assert source.read(SHARD, Span(start, start + 9)) == BYTES[start : start + 9]
        assert source.read("config.json", Span(0, 2)) == b"{}"
        server.advance(4000)
        source.read(SHARD, Span(0, 9))
        sent = {(one.origin, one.authorization) for one in server.log}
        assert len(asked(server, "cdn")) == 5
    assert sent == {("hub", f"Bearer {TOKEN}"), ("cdn", None)}


@pytest.mark.parametrize("token", [None, "ms-other"], ids=["no token", "another's token"])
@pytest.mark.parametrize("repo", ["private/repo", "org/absent"])
def test_what_may_not_be_seen_is_not_found_and_the_hint_says_what_was_sent(
    root: Path, point: Point, source_of: Open, repo: str, token: str | None
) -> None:
    write_repo(root, FILES, repo="private/repo")
    with ModelScope(root, token=TOKEN) as server:
        point(server, token=token)
        with pytest.raises(ObjectNotFound, match=f"{repo}: nothing of this name") as caught:
            source_of(repo).files()
    check_one_line(caught.value)
    assert ("no token was sent" if token is None else "a token was sent") in caught.value.hint
    assert "ms-other" not in f"{caught.value}{caught.value.hint}"


def test_a_refusal_by_code_in_an_answer_of_200_is_one(
    root: Path, point: Point, source_of: Open
) -> None:
    write_repo(root, FILES, repo="coded/repo")
    with ModelScope(root) as server:
        point(server)
        with pytest.raises(AccessDenied, match="403"):
            source_of("coded/repo").files()


def test_a_missing_revision_and_a_missing_file_are_not_found(
    root: Path, point: Point, source_of: Open
) -> None:
    with ModelScope(root) as server:
        point(server)
        with pytest.raises(ObjectNotFound, match="at v9 on"):
            source_of(revision="v9").files()
        with pytest.raises(ObjectNotFound, match=r"no file absent\.safetensors at master"):
            source_of().size("absent.safetensors")
        assert len(server.log) == 2


def test_weights_that_are_no_large_file_are_read_whole(
    root: Path, point: Point, source_of: Open
) -> None:
    write_repo(root, {"in-git-a.safetensors": BYTES, "in-git-b.safetensors": BYTES * 300})
    with ModelScope(root) as server:
        point(server)
        source = source_of()
        for start in range(3):
            found = source.read("in-git-a.safetensors", Span(start, start + 9))
            assert found == BYTES[start : start + 9]
        with pytest.raises(SourceError, match="asked for"):
            source.read("in-git-a.safetensors", Span(4090, 4097))
        with pytest.raises(RangeNotHonored, match="in-git-b"):
            source.read("in-git-b.safetensors", Span(0, 8))


def test_a_small_file_that_changed_since_the_listing_is_noticed(
    root: Path, point: Point, source_of: Open
) -> None:
    with ModelScope(root) as server:
        point(server)
        source = source_of()
        source.files()
        (root / REPO / "config.json").write_bytes(b"{  }")
        with pytest.raises(SourceChanged, match="listed with 2 bytes, the server sends 4"):
            source.read("config.json", Span(0, 2))


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_and_not_for_ever(
    root: Path, point: Point, source_of: Open, status: int
) -> None:
    pattern = f"/api/v1/models/{REPO}/repo/files"
    busy = Pause(refusals=3, seconds=0, status=status, retry_after=False)
    with ModelScope(root, faults={pattern: busy}) as server:
        point(server)
        source = source_of(access=Access(patience=IMPATIENT))
        with pytest.raises(SourceError, match=f"answered {status}"):
            source.files()
        assert source.files().keys() == FILES.keys()
        assert [one.status for one in server.log] == [status, status, status, 200]


def many(root: Path, count: int, *, folder: str = "", name: str = "note-{:05d}.txt") -> None:
    write_repo(root, {f"{folder}{name.format(number)}": b"" for number in range(count)})


def test_a_listing_that_was_cut_off_is_made_again_by_folder(
    root: Path, point: Point, source_of: Open
) -> None:
    for folder in ("a/", "a/deep/", "b/"):
        many(root, 14, folder=folder)
    with ModelScope(root, most_listed=30) as server:
        point(server)
        assert len(source_of(most_listed=30).files()) == 3 * 14 + len(FILES)
        roots = [path.partition("Root=")[2] for path in listings(server)]
    assert sorted(roots) == ["", "", "a", "b"]


def test_a_shard_beyond_the_listing_is_found_by_the_index(
    tmp_path: Path, point: Point, source_of: Open
) -> None:
    """Of 31 shards and an index 30 are listed, neither the last shard nor the index."""
    shards = series(31)
    write_checkpoint(tmp_path / REPO, shards, index=weight_map(shards))
    said: list[str] = []
    with ModelScope(tmp_path, most_listed=30) as server:
        point(server)
        access = Access(patience=Patience(say=said.append))
        source = source_of(access=access, most_listed=30)
        found = find_shards(source, None)
        headers = list(read_headers(source, found.names, ReadPolicy()))
    assert found.names == tuple(sorted(shards))
    assert {entry.name for header in headers for entry in header.entries} == set(weight_map(shards))
    assert len(said) == 1
    assert "a listing of ModelScope ends at 30 entries; there may be more in top" in said[0]


def test_listings_are_taken_for_cut_off_at_the_length_that_modelscope_cuts_at() -> None:
    assert MOST_LISTED == 3_000


@pytest.mark.parametrize(
    ("added", "known"),
    [
        ({INDEX_NAME: b"{}", "model.safetensors": BYTES}, {INDEX_NAME}),
        ({"model.safetensors": BYTES, "config.json": b"{}"}, {"config.json", "model.safetensors"}),
    ],
    ids=["an index", "one model file"],
)
def test_a_cut_listing_gives_no_weights_but_those_that_an_index_or_a_name_vouches_for(
    tmp_path: Path, point: Point, source_of: Open, added: dict[str, bytes], known: set[str]
) -> None:
    many(tmp_path, 30, name="model-{:05d}-of-00030.safetensors")
    write_repo(tmp_path, added)
    with ModelScope(tmp_path, most_listed=30) as server:
        point(server)
        source = source_of(most_listed=30)
        assert source.files().keys() == known
        assert source.size("model-00001-of-00030.safetensors") == 0
        with pytest.raises(ObjectNotFound):
            source.size("model-00031-of-00030.safetensors")


def test_a_cut_listing_without_an_index_is_refused(
    tmp_path: Path, point: Point, source_of: Open
) -> None:
    many(tmp_path, 31, name="model-{:05d}-of-00031.safetensors")
    with ModelScope(tmp_path, most_listed=30) as server:
        point(server)
        with pytest.raises(SourceError, match="more files than ModelScope lists") as caught:
            source_of(most_listed=30).files()
    check_one_line(caught.value)


def test_listings_stop_after_so_many_and_what_is_left_counts_as_cut() -> None:
    questions: list[str] = []

    def ask(folder: str, _: bool) -> list[Entry]:  # noqa: FBT001
        questions.append(folder)
        return [Entry(path=f"{folder}/{number}", type="tree") for number in range(3)]

    listing = list_whole(ask, most_listed=3, most_listings=7)
    assert len(questions) <= 8
    assert listing.may_hold("anything")


def test_a_command_reads_a_model_as_from_disk_and_keeps_it(
    tmp_path: Path, point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    shards = {f"model-{n}-of-2.safetensors": [f"t{n}.a", f"t{n}.b"] for n in (1, 2)}
    write_checkpoint(tmp_path / REPO, shards, index=weight_map(shards))
    with ModelScope(tmp_path) as server:
        point(server)
        first = answer("list-tensors", "-m", f"ms://{REPO}", "-q")
        before = len(server.log)
        assert answer("list-tensors", "-m", f"ms://{REPO}", "-q") == first
        again = server.log[before:]
        offline = invoke("list-tensors", "-m", f"ms://{REPO}", "-q", "--offline")
        assert len(server.log) == before + len(again)
    assert first.split() == sorted(weight_map(shards))
    assert [one.path for one in again] == listings(server)[1:2]
    assert (offline.exit_code, offline.stdout) == (0, first)


def test_offline_a_model_that_was_downloaded_is_read_from_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path))
    folder = tmp_path / "models" / "org--repo" / "snapshots" / "master"
    write_checkpoint(folder, {"model.safetensors": ["t.a"]})
    source = open_source(parse_location(f"ms://{REPO}"), Ledger(), Access(offline=True))
    assert list(source.files()) == ["model.safetensors"]
    assert (source.kind, source.commit) == ("directory", None)
    elsewhere = open_source(parse_location("ms://org/other"), Ledger(), Access(offline=True))
    with closing(elsewhere), pytest.raises(SourceError, match="offline"):
        elsewhere.files()


def check_one_line(error: InspectorError) -> None:
    text = f"{error}{error.hint}"
    assert "\n" not in text
    assert "Signature" not in text
    assert len(str(error)) < 300
