"""All headers in one request give the catalog that ranges give, or ranges are read."""

import json
from collections import Counter
from pathlib import Path

import pytest

from inspector.catalog import TensorRow
from inspector.checkpoint import open_checkpoint
from inspector.format.index import INDEX_NAME
from tests.checkpoint.shards import series, weight_map, write_checkpoint
from tests.hostile.build import shard, tensor
from tests.hub import COMMIT, ApiFault, Hub
from tests.source.serving import REPO, Connect, asked

SHARDS = series(4)
FIRST = next(iter(SHARDS))
ENDPOINT = f"/api/models/{REPO}/safetensors-metadata/{INDEX_NAME}"


def header_of(names: list[str]) -> bytes:
    """A header as safetensors writes it, but for its padding."""
    tensors = {name: tensor(4 * i, 4 * i + 4, shape=[4]) for i, name in enumerate(names)}
    return json.dumps(tensors, separators=(",", ":")).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint whose headers are padded to eight bytes, as safetensors pads them."""
    folder = write_checkpoint(tmp_path / REPO, SHARDS, index=weight_map(SHARDS))
    for name, tensors in SHARDS.items():
        text = header_of(tensors)
        (folder / name).write_bytes(shard(text + b" " * (-len(text) % 8), bytes(8)))
    return folder


def rows(location: str) -> list[TensorRow]:
    with open_checkpoint(location) as checkpoint:
        return list(checkpoint.catalog.rows(checkpoint.catalog.all_rows))


def ranged(hub: Hub) -> list[str]:
    """The shards of which a range was asked for."""
    paths = (one.path.partition("?")[0] for one in asked(hub) if one.status == 206)
    return sorted(path.rpartition("/")[2] for path in paths)


def test_one_request_gives_the_catalog_of_ranges_and_of_the_directory(
    tmp_path: Path, folder: Path, connect: Connect
) -> None:
    found = {}
    for offers in (True, False):
        with Hub(tmp_path, metadata_endpoint=offers) as hub:
            connect(hub)
            found[offers] = rows(REPO)
            assert ranged(hub) == ([] if offers else sorted(SHARDS))
    assert found[True] == found[False] == rows(str(folder))
    assert len(found[True]) == 8


def test_a_commit_is_read_by_range_without_trying(
    tmp_path: Path, folder: Path, connect: Connect
) -> None:
    """The call answers for `main` alone."""
    with Hub(tmp_path, metadata_endpoint=True) as hub:
        connect(hub)
        assert rows(f"{REPO}@{COMMIT}") == rows(str(folder))
        assert len(ranged(hub)) == 4
        assert not any(one.path.startswith(ENDPOINT) for one in asked(hub))


SPOILED = {
    "padded by more than the format asks": lambda text: text + b" " * (8 + -len(text) % 8),
    "written with spaces": lambda text: text.replace(b":", b" : "),
    "with an escape that is not needed": lambda text: text.replace(b"t1", b"\\u0074\\u0031"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_header_whose_length_cannot_be_told_is_read_by_range(
    tmp_path: Path, folder: Path, connect: Connect, name: str
) -> None:
    (folder / FIRST).write_bytes(shard(SPOILED[name](header_of(SHARDS[FIRST])), bytes(8)))
    with Hub(tmp_path, metadata_endpoint=True) as hub:
        connect(hub)
        assert rows(REPO) == rows(str(folder))
        assert ranged(hub) == [FIRST]


def test_a_header_without_padding_is_taken_as_it_is(
    tmp_path: Path, folder: Path, connect: Connect
) -> None:
    for name, tensors in SHARDS.items():
        (folder / name).write_bytes(shard(header_of(tensors), bytes(8)))
    with Hub(tmp_path, metadata_endpoint=True) as hub:
        connect(hub)
        assert rows(REPO) == rows(str(folder))
        assert ranged(hub) == []


@pytest.mark.parametrize("fault", [fault for fault in ApiFault if fault != ApiFault.OTHER_HEADER])
def test_an_answer_that_cannot_be_right_is_not_believed(
    tmp_path: Path, folder: Path, connect: Connect, fault: ApiFault
) -> None:
    """Names of equal length may be exchanged unseen: a hub is trusted as it is for the bytes."""
    with Hub(tmp_path, metadata_endpoint=True, faults={f"{ENDPOINT}*": fault}) as hub:
        connect(hub)
        assert rows(REPO) == rows(str(folder))


@pytest.mark.parametrize("status", ["busy", "limited", "reset"])
def test_a_call_that_fails_is_tried_once_and_ranges_answer(
    tmp_path: Path, folder: Path, connect: Connect, status: str
) -> None:
    with Hub(tmp_path, metadata_endpoint=True, faults={ENDPOINT: status}) as hub:
        connect(hub)
        assert rows(REPO) == rows(str(folder))
        assert Counter(one.path for one in asked(hub))[ENDPOINT] == 1


def test_a_file_that_no_index_names_does_not_stop_the_one_request(
    tmp_path: Path, folder: Path, connect: Connect
) -> None:
    write_checkpoint(folder, {"extra.safetensors": ["more"]})
    with Hub(tmp_path, metadata_endpoint=True) as hub:
        connect(hub)
        assert rows(REPO) == rows(str(folder))
        assert ranged(hub) == [INDEX_NAME]
