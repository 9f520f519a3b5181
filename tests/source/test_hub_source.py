import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import constants

from inspector.errors import (
    AccessDenied,
    InspectorError,
    ObjectNotFound,
    SourceChanged,
    SourceError,
    UsageError,
)
from inspector.format.spans import Span
from inspector.source import redirected
from inspector.source.access import Access
from inspector.source.base import Ledger
from inspector.source.hub import HubSource
from inspector.source.patience import Patience
from tests.hub import COMMIT, Hub
from tests.source.serving import BYTES, GATED, REPO, TOKEN, Connect, asked, write_repo

FILES = {f"model-{number}.safetensors": BYTES for number in range(4)} | {"config.json": b"{}"}
SHARD = "model-0.safetensors"
IMPATIENT = Patience(attempts=2, first_pause=0.01, total_seconds=5)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_repo(tmp_path, FILES, repo=GATED)
    return write_repo(tmp_path, FILES)


def paths(hub: Hub, origin: str, method: str = "GET") -> list[str]:
    return [one.path for one in asked(hub) if (one.origin, one.method) == (origin, method)]


def test_a_revision_becomes_a_commit_once_and_every_read_names_it(
    root: Path, connect: Connect
) -> None:
    with Hub(root) as hub:
        connect(hub)
        source = HubSource(REPO, "main", Ledger())
        for name in FILES:
            for start in range(3):
                if name != "config.json":
                    source.read(name, Span(start, start + 1))
        info, *others = [one.path for one in asked(hub) if one.origin == "hub"]
    assert source.commit == COMMIT
    assert info == f"/api/models/{REPO}/revision/main"
    assert len(others) > len(FILES)
    assert all(f"/{COMMIT}" in path for path in others)


def test_a_full_commit_is_not_asked_for(root: Path, connect: Connect) -> None:
    with Hub(root) as hub:
        connect(hub)
        HubSource(REPO, COMMIT, Ledger()).files()
        assert len(asked(hub)) == 1


@pytest.mark.parametrize(("page_size", "pages"), [(None, 1), (2, 3)], ids=["one page", "pages"])
def test_one_listing_gives_every_size(
    root: Path, connect: Connect, page_size: int | None, pages: int
) -> None:
    with Hub(root, page_size=page_size) as hub:
        connect(hub)
        source = HubSource(REPO, None, Ledger())
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(source.size, FILES)) == [len(one) for one in FILES.values()]
        assert source.files() == {name: len(content) for name, content in FILES.items()}
        assert len([path for path in paths(hub, "hub") if "/tree/" in path]) == pages


def test_the_token_goes_to_the_hub_and_never_to_the_cdn(root: Path, connect: Connect) -> None:
    with Hub(root, token=TOKEN) as hub:
        connect(hub, token=TOKEN)
        source = HubSource(GATED, None, Ledger())
        for start in range(3):
            assert source.read(SHARD, Span(start, start + 9)) == BYTES[start : start + 9]
        assert source.read("config.json", Span(0, 2)) == b"{}"
        hub.advance(4000)
        source.read(SHARD, Span(0, 9))
        sent = {(one.origin, one.authorization) for one in asked(hub)}
        assert len(paths(hub, "cdn")) == 5
    assert sent == {("hub", f"Bearer {TOKEN}"), ("cdn", None)}


def test_a_first_read_follows_the_redirect_in_one_request(root: Path, connect: Connect) -> None:
    with Hub(root) as hub:
        connect(hub)
        ledger = Ledger()
        source = HubSource(REPO, None, ledger)
        for name in FILES:
            source.read(name, Span(0, 2))
        assert paths(hub, "hub", "HEAD") == []
        assert len(paths(hub, "cdn")) == 4
    assert ledger.requests == 2 + len(FILES)


def test_a_signed_url_is_resolved_once_for_many_ranges(root: Path, connect: Connect) -> None:
    with Hub(root) as hub:
        connect(hub)
        source = HubSource(REPO, None, Ledger())
        source.read(SHARD, Span(0, 8))
        with ThreadPoolExecutor(8) as pool:
            spans = [Span(start, start + 8) for start in range(40)]
            found = list(pool.map(lambda span: source.read(SHARD, span), spans))
        assert found == [BYTES[span.start : span.stop] for span in spans]
        assert paths(hub, "hub", "HEAD") == [f"/{REPO}/resolve/{COMMIT}/{SHARD}"]
        assert len(paths(hub, "cdn")) == 41


def test_connections_are_kept_of_the_files_read_last_and_urls_of_all(
    tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file's connections stay open: those of 279 shards took a gigabyte in a match."""
    monkeypatch.setattr(redirected, "OPEN_FILES", 2)
    names = [f"model-{number}.safetensors" for number in range(4)]
    (tmp_path / REPO).mkdir(parents=True)
    for name in names:
        (tmp_path / REPO / name).write_bytes(name.encode())
    with Hub(tmp_path) as hub:
        connect(hub)
        source = HubSource(REPO, None, Ledger())
        for _ in range(4):
            for name in names:
                assert source.read(name, Span(0, 7)) == name.encode()[:7]
        assert len(paths(hub, "hub", "HEAD")) == len(names)
        assert len(paths(hub, "cdn")) == 4 * len(names)
        assert list(source._redirected._open) == names[-2:]


def test_a_signed_url_is_renewed_once_after_it_expired(root: Path, connect: Connect) -> None:
    with Hub(root, ttl=60) as hub:
        connect(hub)
        source = HubSource(REPO, None, Ledger())
        for start in range(3):
            source.read(SHARD, Span(start, start + 8))
        hub.advance(61)
        before = len(asked(hub))
        with ThreadPoolExecutor(4) as pool:
            spans = [Span(start, start + 8) for start in range(12)]
            found = list(pool.map(lambda span: source.read(SHARD, span), spans))
        after = asked(hub)[before:]
    assert found == [BYTES[span.start : span.stop] for span in spans]
    assert [one.method for one in after].count("HEAD") == 1
    assert [one.status for one in after].count(206) == 12
    assert 1 <= [one.status for one in after].count(403) <= 4


def test_urls_that_are_born_expired_end_in_an_error(root: Path, connect: Connect) -> None:
    with Hub(root, ttl=-1) as hub:
        connect(hub)
        source = HubSource(REPO, None, Ledger())
        for _ in range(2):
            with pytest.raises(AccessDenied) as caught:
                source.read(SHARD, Span(0, 8))
            check_one_line(caught.value)
        assert len(asked(hub)) < 12


@pytest.mark.parametrize("token", [None, "hf_other"], ids=["no token", "another's token"])
def test_a_gated_repository_says_where_its_licence_is_and_what_was_sent(
    root: Path, connect: Connect, token: str | None
) -> None:
    with Hub(root, token=TOKEN) as hub:
        connect(hub, token=token)
        source = HubSource(GATED, None, Ledger())
        with pytest.raises(AccessDenied, match="gated/repo: a gated repository") as caught:
            source.read(SHARD, Span(0, 8))
        assert f"{hub.endpoint}/{GATED}" in caught.value.hint
    check_one_line(caught.value)
    assert ("no token was sent" if token is None else "a token was sent") in caught.value.hint
    assert "hf_other" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize("token", [None, TOKEN], ids=["no token", "token"])
def test_a_missing_repository_is_not_found(root: Path, connect: Connect, token: str | None) -> None:
    with Hub(root, token=TOKEN) as hub:
        connect(hub, token=token)
        with pytest.raises(ObjectNotFound, match=r"org/absent: no such model on http://") as caught:
            HubSource("org/absent", None, Ledger())
    check_one_line(caught.value)
    assert "HF_TOKEN" in caught.value.hint


def test_a_missing_revision_is_not_found(root: Path, connect: Connect) -> None:
    with Hub(root) as hub:
        connect(hub)
        with pytest.raises(ObjectNotFound, match="no such revision") as caught:
            HubSource(REPO, "v9", Ledger())
    check_one_line(caught.value)


def test_a_missing_file_is_known_from_the_listing(root: Path, connect: Connect) -> None:
    with Hub(root) as hub:
        connect(hub)
        source = HubSource(REPO, None, Ledger())
        with pytest.raises(ObjectNotFound, match=r"no file absent\.json at commit 01234567"):
            source.read("absent.json", Span(0, 8))
        assert len(asked(hub)) == 2


def test_offline_mode_asks_nobody(
    root: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Hub(root) as hub:
        connect(hub)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(SourceError, match="HF_HUB_OFFLINE is set") as caught:
            HubSource(REPO, None, Ledger())
        assert hub.log == []
    assert "sample_shards" in caught.value.hint


def test_a_hub_that_is_down_names_the_endpoint_and_the_samples(connect: Connect) -> None:
    connect("http://127.0.0.1:9")
    with pytest.raises(SourceError, match=r"cannot reach http://127\.0\.0\.1:9") as caught:
        HubSource(REPO, None, Ledger(), access=Access(patience=IMPATIENT))
    check_one_line(caught.value)
    assert "sample_shards" in caught.value.hint


@pytest.mark.parametrize("name", ["org/a--b", "org/a..b", f"org/{'a' * 100}"])
def test_a_name_that_no_repository_can_have_is_a_usage_error(
    name: str, root: Path, connect: Connect
) -> None:
    with Hub(root) as hub:
        connect(hub)
        with pytest.raises(UsageError) as caught:
            HubSource(name, None, Ledger())
        assert asked(hub) == []
    check_one_line(caught.value)


def test_a_size_other_than_the_listed_one_is_refused(root: Path, connect: Connect) -> None:
    """A mirror that serves another file under the name gave its bytes without a word."""
    with Hub(root) as hub:
        connect(hub)
        source = HubSource(REPO, None, Ledger())
        source.files()
        (root / REPO / SHARD).write_bytes(BYTES + b"more")
        for _ in range(2):
            with pytest.raises(SourceChanged, match=r"listed with 4,096 .* says 4,100"):
                source.read(SHARD, Span(0, 8))


@pytest.mark.parametrize("status", ["busy", "limited"])
def test_an_api_that_is_busy_is_one_line(root: Path, connect: Connect, status: str) -> None:
    with Hub(root, faults={"/api/models/*": status}) as hub:
        connect(hub)
        with pytest.raises(SourceError, match=r"answered (503|429)") as caught:
            HubSource(REPO, None, Ledger(), access=Access(patience=IMPATIENT))
    check_one_line(caught.value)


def check_one_line(error: InspectorError) -> None:
    assert "\n" not in str(error)
    assert "\n" not in error.hint
    assert not re.search("Signature|Expires|Debug", f"{error}{error.hint}")
