"""All headers of `main` in one request: used where they can be checked, else ranges."""

import json
from collections import Counter
from pathlib import Path

import pytest

from inspector.checkpoint import open_checkpoint
from inspector.format.index import INDEX_NAME
from tests.checkpoint.shards import series, weight_map, write_checkpoint
from tests.hostile.build import shard, tensor
from tests.hub import COMMIT, ApiFault, Fault, Hub
from tests.source.serving import REPO, Connect, asked

SHARDS = series(5)
ENDPOINT = f"/api/models/{REPO}/safetensors-metadata/{INDEX_NAME}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Headers without spaces: the length of others cannot be told from the JSON."""
    write_checkpoint(tmp_path / REPO, SHARDS, index=weight_map(SHARDS))
    for name, tensors in SHARDS.items():
        header = {one: tensor(4 * at, 4 * at + 4) for at, one in enumerate(tensors)}
        text = json.dumps(header, separators=(",", ":")).encode()
        (tmp_path / REPO / name).write_bytes(shard(text, bytes(4 * len(tensors))))
    return tmp_path


def listed(
    hub: Hub, connect: Connect, revision: str | None = None
) -> tuple[list[str], Counter[str]]:
    """Every row of the catalog, and the requests by what they were for."""
    connect(hub)
    with open_checkpoint(REPO, revision=revision) as checkpoint:
        rows = [repr(row) for row in checkpoint.catalog.rows(checkpoint.catalog.all_rows)]
    kinds = ("/revision/", "/tree/", "/safetensors-metadata/", "/resolve/", "/cdn/")
    return rows, Counter(kind for one in asked(hub) for kind in kinds if kind in one.path)


BEFORE = {"/revision/": 1, "/tree/": 1}
BY_RANGES = {"/resolve/": 5, "/cdn/": 5}


def test_main_takes_three_requests_and_gives_what_ranges_give(root: Path, connect: Connect) -> None:
    with Hub(root) as hub:
        by_ranges, requests = listed(hub, connect)
        assert requests == BEFORE | BY_RANGES | {"/safetensors-metadata/": 1}
    with Hub(root, metadata_endpoint=True) as hub:
        found, requests = listed(hub, connect)
    assert requests == BEFORE | {"/safetensors-metadata/": 1}
    assert found == by_ranges
    assert len(found) == 10


def test_a_pinned_commit_is_read_by_ranges(root: Path, connect: Connect) -> None:
    with Hub(root, metadata_endpoint=True) as hub:
        found, requests = listed(hub, connect, COMMIT)
    assert requests == {"/tree/": 1} | BY_RANGES
    assert len(found) == 10


@pytest.mark.parametrize(
    ("fault", "more"),
    [
        (ApiFault.OTHER_COMMIT, BY_RANGES),
        (ApiFault.NO_COMMIT, {"/revision/": 2}),
        (ApiFault.BROKEN, BY_RANGES),
        (ApiFault.SHARD_LEFT_OUT, {"/resolve/": 1, "/cdn/": 1}),
        (ApiFault.TENSOR_LEFT_OUT, {"/resolve/": 1, "/cdn/": 1}),
        (Fault.SHORT_BODY, BY_RANGES),
        (Fault.LIMITED, BY_RANGES),
        (Fault.RESET, BY_RANGES),
    ],
)
def test_an_answer_that_cannot_be_used_leaves_ranges(
    root: Path, connect: Connect, fault: ApiFault | Fault, more: dict[str, int]
) -> None:
    """An answer for another commit, for none, none at all, or without a shard or tensor."""
    with Hub(root) as hub:
        by_ranges, _ = listed(hub, connect)
    with Hub(root, metadata_endpoint=True, faults={ENDPOINT: fault}) as hub:
        found, requests = listed(hub, connect)
    assert found == by_ranges
    assert requests == BEFORE | {"/safetensors-metadata/": 1} | more
