import json
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import huggingface_hub
import obstore
import pytest
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from obstore.exceptions import GenericError, NotSupportedError
from obstore.store import HTTPStore

from tests.hub import COMMIT, Fault, Hub
from tests.hub.plain import plain_answer
from tests.replica import INDEX_NAME, write_replica

REPOSITORY = "internlm/Intern-S1-Pro"
SHARD = "model-00001-of-00003.safetensors"
TOKEN = "hf_for_tests"  # noqa: S105  opens nothing but the loopback hub
BYTES = bytes(range(256)) * 8


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small replica, open and gated, and a repository of plain files."""
    top = tmp_path_factory.mktemp("hub")
    write_replica(top / REPOSITORY, layers=1, experts=4, shard_bytes=10**9)
    (top / "gated").mkdir()
    (top / "gated" / "Intern-S1-Pro").symlink_to(top / REPOSITORY)
    (top / "org" / "plain" / "sub").mkdir(parents=True)
    (top / "org" / "plain" / "a.safetensors").write_bytes(BYTES)
    (top / "org" / "plain" / "sub" / "notes.txt").write_text("notes")
    return top


@pytest.fixture(autouse=True)
def _clean_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield
    huggingface_hub.close_session()


def store(url: str) -> HTTPStore:
    return HTTPStore.from_url(
        url,
        client_options={"allow_http": True, "timeout": "5s"},
        retry_config={"max_retries": 0},
    )


def ranged(url: str, start: int, stop: int) -> bytes:
    return bytes(obstore.get_range(store(url), "", start=start, end=stop))


def test_model_info_names_the_commit_and_every_file(root: Path) -> None:
    with Hub(root) as hub:
        found = HfApi(hub.endpoint, token=False).model_info(REPOSITORY, files_metadata=True)
    assert found.sha == COMMIT
    names = {sibling.rfilename for sibling in found.siblings or []}
    assert names == {path.name for path in (root / REPOSITORY).iterdir()}
    sizes = {sibling.rfilename: sibling.size for sibling in found.siblings or []}
    assert sizes[SHARD] == (root / REPOSITORY / SHARD).stat().st_size


@pytest.mark.parametrize("page_size", [None, 2, 6], ids=["one page", "pages of 2", "page of all"])
def test_tree_is_the_same_in_pages(root: Path, page_size: int | None) -> None:
    with Hub(root, page_size=page_size) as hub:
        tree = list(HfApi(hub.endpoint, token=False).list_repo_tree(REPOSITORY))
        pages = len(hub.log)
    assert [entry.path for entry in tree] == sorted(os.listdir(root / REPOSITORY))  # noqa: PTH208
    assert pages == (3 if page_size == 2 else 1)


def test_tree_folders_and_paths_info(root: Path) -> None:
    with Hub(root) as hub:
        api = HfApi(hub.endpoint, token=False)
        top = [entry.path for entry in api.list_repo_tree("org/plain")]
        every = [entry.path for entry in api.list_repo_tree("org/plain", recursive=True)]
        below = [entry.path for entry in api.list_repo_tree("org/plain", "sub")]
        wanted: Any = api.get_paths_info("org/plain", ["a.safetensors", "absent"])
    assert top == ["a.safetensors", "sub"]
    assert every == ["a.safetensors", "sub", "sub/notes.txt"]
    assert below == ["sub/notes.txt"]
    assert [(entry.path, entry.lfs.size) for entry in wanted] == [("a.safetensors", len(BYTES))]


def test_a_shard_redirects_to_a_signed_url_without_the_token(root: Path) -> None:
    with Hub(root, token=TOKEN) as hub:
        url = hf_hub_url(REPOSITORY, SHARD, endpoint=hub.endpoint)
        seen = get_hf_file_metadata(url, token=TOKEN)
        assert seen.location.startswith(hub.cdn)
        assert seen.size == (root / REPOSITORY / SHARD).stat().st_size
        assert seen.commit_hash == COMMIT
        assert ranged(seen.location, 0, 8) != bytes(8)
        assert [request.authorization for request in hub.log] == [f"Bearer {TOKEN}", None]
        assert [request.origin for request in hub.log] == ["hub", "cdn"]
        assert hub.log[1].range == "bytes=0-7"
        assert (hub.log[1].status, hub.log[1].body_bytes) == (206, 8)


def test_a_small_file_redirects_to_the_hub_itself(root: Path) -> None:
    with Hub(root) as hub:
        url = hf_hub_url(REPOSITORY, "config.json", endpoint=hub.endpoint)
        seen = get_hf_file_metadata(url, token=False)
        assert seen.location.startswith(f"{hub.endpoint}/api/resolve-cache/models/{REPOSITORY}/")
        assert seen.size == (root / REPOSITORY / "config.json").stat().st_size
        assert [request.status for request in hub.log] == [307, 200]


def test_safetensors_metadata_of_a_sharded_repository(root: Path) -> None:
    with Hub(root, token=TOKEN) as hub:
        found = HfApi(hub.endpoint, token=TOKEN).get_safetensors_metadata(REPOSITORY)
        index = json.loads((root / REPOSITORY / INDEX_NAME).read_text())
        assert found.weight_map == index["weight_map"]
        at_cdn = [request for request in hub.log if request.origin == "cdn"]
        assert {request.path.split("?")[0] for request in at_cdn} == {
            f"/cdn/{REPOSITORY}/{shard}" for shard in found.files_metadata
        }
        assert not any(request.authorization for request in at_cdn)


@pytest.mark.parametrize(
    ("repository", "revision", "name", "error"),
    [
        (REPOSITORY, "main", "absent.json", EntryNotFoundError),
        (REPOSITORY, "v2", "config.json", RevisionNotFoundError),
        ("org/absent", "main", "config.json", RepositoryNotFoundError),
        ("gated/Intern-S1-Pro", "main", "config.json", GatedRepoError),
    ],
    ids=["entry", "revision", "repository", "gated"],
)
@pytest.mark.parametrize("token", [False, "hf_other"], ids=["anonymous", "other token"])
def test_refusals_are_those_the_client_knows(
    root: Path,
    repository: str,
    revision: str,
    name: str,
    error: type[Exception],
    token: str | Literal[False],
) -> None:
    with Hub(root, token=TOKEN) as hub:
        url = hf_hub_url(repository, name, revision=revision, endpoint=hub.endpoint)
        with pytest.raises(error):
            get_hf_file_metadata(url, token=token)


def test_the_token_opens_a_gated_repository(root: Path) -> None:
    with Hub(root, token=TOKEN) as hub:
        url = hf_hub_url("gated/Intern-S1-Pro", SHARD, endpoint=hub.endpoint)
        assert get_hf_file_metadata(url, token=TOKEN).location.startswith(hub.cdn)


def test_an_expired_url_gives_403(root: Path) -> None:
    with Hub(root, ttl=60) as hub:
        url = hub.signed_url("org/plain", "a.safetensors")
        assert ranged(url, 0, 4) == BYTES[:4]
        hub.advance(61)
        assert plain_answer(url)[0] == 403
        assert plain_answer(hub.signed_url("org/plain", "a.safetensors"))[0] == 200


def test_a_signature_holds_for_one_file_only(root: Path) -> None:
    with Hub(root) as hub:
        url = hub.signed_url("org/plain", "sub/notes.txt").replace("sub/notes.txt", "a.safetensors")
        assert plain_answer(url)[0] == 403


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "body"),
    [
        ("bytes=4-7", 206, "bytes 4-7/2048", BYTES[4:8]),
        ("bytes=2040-", 206, "bytes 2040-2047/2048", BYTES[2040:]),
        ("bytes=-3", 206, "bytes 2045-2047/2048", BYTES[-3:]),
        ("bytes=2047-9999", 206, "bytes 2047-2047/2048", BYTES[-1:]),
        ("bytes=2048-", 416, "bytes */2048", b"Range Not Satisfiable"),
        ("bytes=0-1,4-5", 200, None, BYTES),
    ],
)
def test_ranges(
    root: Path, asked: str, status: int, content_range: str | None, body: bytes
) -> None:
    with Hub(root) as hub:
        url = f"{hub.cdn}/plain/org/plain/a.safetensors"
        found = plain_answer(url, f"Range: {asked}\r\n")
    assert (found[0], found[1].get("content-range"), found[2]) == (status, content_range, body)


def test_a_directory_is_not_found(root: Path) -> None:
    with Hub(root) as hub:
        assert plain_answer(f"{hub.cdn}/plain/org/plain/sub")[0] == 404
        assert plain_answer(f"{hub.cdn}/plain/org/plain/../../gated/a")[0] == 404


def test_latencies_pass_side_by_side(root: Path) -> None:
    with Hub(root, latency=0.2) as hub:
        url = f"{hub.cdn}/plain/org/plain/a.safetensors"
        started = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: ranged(url, i, i + 1), range(8)))
        assert 0.2 <= time.monotonic() - started < 1.0


def test_the_log_counts_what_was_sent_when_the_client_leaves(root: Path) -> None:
    size = (root / REPOSITORY / SHARD).stat().st_size
    with Hub(root) as hub:
        parts = urlsplit(hub.cdn)
        with socket.create_connection((parts.hostname or "", parts.port or 0)) as sock:
            sock.sendall(f"GET /plain/{REPOSITORY}/{SHARD} HTTP/1.1\r\n\r\n".encode())
            sock.recv(1000)
        deadline = time.monotonic() + 5
        while not hub.log and time.monotonic() < deadline:
            time.sleep(0.01)
        assert hub.log[0].status == 200
        assert hub.log[0].body_bytes < size


@pytest.mark.parametrize("fault", Fault)
def test_each_fault_by_its_path_and_by_a_rule(root: Path, fault: Fault) -> None:
    with Hub(root, faults={"*.safetensors": fault}) as hub:
        for url in (
            f"{hub.cdn}/fault/{fault}/org/plain/a.safetensors",
            hub.signed_url("org/plain", "a.safetensors"),
        ):
            if fault is Fault.STALL:
                with pytest.raises(TimeoutError):
                    plain_answer(url, timeout=0.2)
            elif fault is Fault.RESET:
                with pytest.raises(ConnectionResetError):
                    plain_answer(url)
            else:
                check_fault(fault, plain_answer(url, "Range: bytes=100-199\r\n"), url)
        assert len(hub.log) == 2


def check_fault(fault: Fault, answer: tuple[int, dict[str, str], bytes], url: str) -> None:
    status, headers, body = answer
    match fault:
        case Fault.IGNORE_RANGE:
            assert (status, body) == (200, BYTES)
        case Fault.GZIP:
            assert (status, headers["content-encoding"]) == (200, "gzip")
        case Fault.SHIFTED_RANGE:
            assert (status, headers["content-range"]) == (206, "bytes 101-200/2048")
        case Fault.WRONG_SIZE:
            assert (status, headers["content-range"]) == (206, "bytes 100-199/2049")
        case Fault.SHORT_BODY:
            assert (status, headers["content-length"], len(body)) == (206, "100", 50)
        case Fault.EMPTY_206:
            assert (status, headers["content-range"], body) == (206, "bytes 100-199/2048", b"")
        case Fault.ETAG_CHANGES:
            assert headers["etag"] == f'"{1:032x}"'
        case Fault.REDIRECT_LOOP:
            assert status == 302
            assert url.lower().endswith(headers["location"])
        case Fault.BUSY | Fault.LIMITED:
            assert (status, headers["retry-after"]) == (503 if fault is Fault.BUSY else 429, "1")
        case Fault.FLAKY:
            assert status == 503
        case _:
            pytest.fail(f"nobody looks at {fault}")


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.RESET, Fault.IGNORE_RANGE, Fault.SHORT_BODY])
def test_obstore_refuses_a_broken_reply(root: Path, fault: Fault) -> None:
    with Hub(root) as hub, pytest.raises((GenericError, NotSupportedError)):
        ranged(f"{hub.cdn}/fault/{fault}/org/plain/a.safetensors", 100, 200)


def test_a_flaky_file_answers_every_other_time(root: Path) -> None:
    with Hub(root) as hub:
        url = f"{hub.cdn}/fault/flaky/org/plain/a.safetensors"
        assert [plain_answer(url)[0] for _ in range(4)] == [503, 200, 503, 200]


def test_a_rule_can_name_a_path_of_the_hub(root: Path) -> None:
    with Hub(root, faults={"/api/models/*": "limited"}) as hub:
        assert plain_answer(f"{hub.endpoint}/api/models/org/plain")[0] == 429
        assert plain_answer(f"{hub.cdn}/plain/org/plain/a.safetensors")[0] == 200


def test_an_unknown_fault_is_refused_at_once(root: Path) -> None:
    with pytest.raises(ValueError, match="sluggish"):
        Hub(root, faults={"*": "sluggish"})
