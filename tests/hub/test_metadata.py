import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RemoteEntryNotFoundError

from tests.hub import COMMIT, OTHER_COMMIT, ApiFault, Fault, Hub
from tests.hub.metadata import HeaderDocuments
from tests.hub.plain import joined_chunks, plain_answer
from tests.replica import INDEX_NAME, write_replica

REPOSITORY = "internlm/Intern-S1-Pro"
ENDPOINT = f"/api/models/{REPOSITORY}/safetensors-metadata/{INDEX_NAME}"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small replica of three shards, open and gated."""
    top = tmp_path_factory.mktemp("hub")
    write_replica(top / REPOSITORY, layers=1, experts=4, shard_bytes=10**9)
    (top / "gated").mkdir()
    (top / "gated" / "Intern-S1-Pro").symlink_to(top / REPOSITORY)
    return top


@pytest.fixture(autouse=True)
def _clean_client() -> Iterator[None]:
    yield
    huggingface_hub.close_session()


def stored_headers(root: Path) -> dict[str, Any]:
    """The headers as they stand in the files, by shard."""
    shards = sorted((root / REPOSITORY).glob("*.safetensors"))
    return {shard.name: json.loads(header_text(shard)) for shard in shards}


def header_text(shard: Path) -> bytes:
    with shard.open("rb") as file:
        return file.read(int.from_bytes(file.read(8), "little"))


def shard_of_two(headers: dict[str, Any]) -> str:
    """The first shard with `__metadata__` and two tensors."""
    return next(shard for shard in sorted(headers) if len(headers[shard]) > 2)


def listed(hub: Hub) -> tuple[dict[str, str], dict[str, Any]]:
    """The headers of the answer, and the safetensors headers in it."""
    status, head, body = plain_answer(hub.endpoint + ENDPOINT)
    assert status == 200
    return head, json.loads(body)["headers"]


def test_one_request_gives_what_a_request_a_shard_gives(root: Path) -> None:
    with Hub(root, metadata_endpoint=True) as hub:
        api = HfApi(hub.endpoint, token=False)
        whole = api.get_sharded_safetensors_metadata(REPOSITORY)
        assert [request.path for request in hub.log] == [ENDPOINT]
        assert whole == api.get_safetensors_metadata(REPOSITORY)


def test_the_answer_names_the_commit_and_leaves_out_the_weight_map(root: Path) -> None:
    with Hub(root, metadata_endpoint=True) as hub:
        status, head, body = plain_answer(hub.endpoint + ENDPOINT)
    index = json.loads((root / REPOSITORY / INDEX_NAME).read_text())
    assert (status, head["x-repo-commit"]) == (200, COMMIT)
    assert json.loads(body)["index"] == {"metadata": index["metadata"]}


def test_keys_stand_in_the_order_of_the_file(root: Path) -> None:
    with Hub(root, metadata_endpoint=True) as hub:
        _, found = listed(hub)
    stored = stored_headers(root)
    assert [list(found[shard]) for shard in stored] == [list(header) for header in stored.values()]
    assert any(list(header) != sorted(header) for header in stored.values())


def test_gzip_goes_to_those_who_accept_it_in_chunks(root: Path) -> None:
    with Hub(root, metadata_endpoint=True) as hub:
        _, plain_head, plain = plain_answer(hub.endpoint + ENDPOINT)
        _, head, chunks = plain_answer(hub.endpoint + ENDPOINT, "Accept-Encoding: br, gzip\r\n")
    packed = joined_chunks(chunks)
    assert "content-encoding" not in plain_head
    assert int(plain_head["content-length"]) == len(plain)
    assert (head["content-encoding"], head["transfer-encoding"]) == ("gzip", "chunked")
    assert zlib.decompress(packed, wbits=31) == plain
    assert [request.body_bytes for request in hub.log] == [len(plain), len(packed)]


def test_a_document_is_built_once_and_again_when_a_shard_has_changed(tmp_path: Path) -> None:
    write_replica(tmp_path, layers=1, experts=1)
    documents = HeaderDocuments()
    index = tmp_path / INDEX_NAME
    first = documents.of(index)
    assert documents.of(index) is first
    os.utime(next(tmp_path.glob("*.safetensors")), ns=(1, 1))
    assert documents.of(index) is not first


def test_what_building_anew_loses(tmp_path: Path) -> None:
    """Equal keys, spaces and escapes do not survive a parser; a lone surrogate does."""
    text = rb'{"a": 1, "\u00e9": 2, "\ud800": 3, "a": 4}'
    (tmp_path / "s").write_bytes(len(text).to_bytes(8, "little") + text)
    (tmp_path / "i.json").write_text('{"weight_map": {"a": "s"}}')
    document = HeaderDocuments().of(tmp_path / "i.json")
    assert document.plain == '{"index":{},"headers":{"s":{"a":4,"é":2,"\\ud800":3}}}'.encode()


def test_mirrors_do_not_have_it(root: Path) -> None:
    with Hub(root) as hub:
        assert plain_answer(hub.endpoint + ENDPOINT)[0] == 404


@pytest.mark.parametrize(
    ("repository", "index", "error"),
    [
        (REPOSITORY, "absent.json", RemoteEntryNotFoundError),
        ("gated/Intern-S1-Pro", INDEX_NAME, GatedRepoError),
    ],
    ids=["no index", "gated"],
)
def test_refusals_are_those_of_files(
    root: Path, repository: str, index: str, error: type[Exception]
) -> None:
    with Hub(root, metadata_endpoint=True) as hub, pytest.raises(error):
        HfApi(hub.endpoint, token=False).get_sharded_safetensors_metadata(
            repository, filename=index
        )


def test_an_answer_for_another_commit_or_for_none(root: Path) -> None:
    with Hub(root, metadata_endpoint=True, faults={ENDPOINT: ApiFault.OTHER_COMMIT}) as hub:
        assert listed(hub)[0]["x-repo-commit"] == OTHER_COMMIT
    with Hub(root, metadata_endpoint=True, faults={ENDPOINT: ApiFault.NO_COMMIT}) as hub:
        assert "x-repo-commit" not in listed(hub)[0]


def test_an_answer_without_the_last_shard(root: Path) -> None:
    with Hub(root, metadata_endpoint=True, faults={ENDPOINT: ApiFault.SHARD_LEFT_OUT}) as hub:
        _, found = listed(hub)
        by_client = HfApi(hub.endpoint, token=False).get_sharded_safetensors_metadata(REPOSITORY)
    stored = stored_headers(root)
    del stored[max(stored)]
    assert found == stored
    assert list(by_client.files_metadata) == list(stored)


def test_an_answer_without_a_shards_last_tensor(root: Path) -> None:
    with Hub(root, metadata_endpoint=True, faults={ENDPOINT: ApiFault.TENSOR_LEFT_OUT}) as hub:
        _, found = listed(hub)
    stored = stored_headers(root)
    stored[shard_of_two(stored)].popitem()
    assert found == stored


def test_an_answer_with_two_tensors_exchanged(root: Path) -> None:
    with Hub(root, metadata_endpoint=True, faults={ENDPOINT: ApiFault.OTHER_HEADER}) as hub:
        _, found = listed(hub)
    stored = stored_headers(root)
    header = stored[shard_of_two(stored)]
    _, first, second, *_ = header
    assert header[first] != header[second]
    header[first], header[second] = header[second], header[first]
    assert found == stored


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ApiFault.BROKEN, HfHubHTTPError),
        (Fault.STALL, httpx2.ReadTimeout),
        (Fault.SHORT_BODY, httpx2.RemoteProtocolError),
        (Fault.RESET, httpx2.ReadError),
    ],
)
def test_an_answer_that_does_not_come(
    root: Path, fault: Fault | ApiFault, error: type[Exception]
) -> None:
    with Hub(root, metadata_endpoint=True, faults={ENDPOINT: fault}) as hub, pytest.raises(error):
        HfApi(hub.endpoint, token=False).get_sharded_safetensors_metadata(REPOSITORY, timeout=0.5)


def test_faults_of_headers_leave_other_answers_alone(root: Path) -> None:
    with Hub(root, faults={"/api/*": ApiFault.SHARD_LEFT_OUT}) as hub:
        assert HfApi(hub.endpoint, token=False).model_info(REPOSITORY).sha == COMMIT
