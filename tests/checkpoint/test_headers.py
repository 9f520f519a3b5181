from collections import Counter
from pathlib import Path

import pytest

from inspector.checkpoint import ReadPolicy, open_checkpoint
from inspector.checkpoint.headers import PILOT_READ, read_headers
from inspector.errors import BudgetExceeded, FormatError
from inspector.source.base import MemorySource
from tests.checkpoint.shards import series, shard_of, write_checkpoint
from tests.hostile.build import shard, tensor
from tests.hub import Hub
from tests.replica import ReplicaSummary, write_replica
from tests.source.serving import REPO, Connect, asked


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ReplicaSummary]:
    """Some full-size shards: their headers are what the first read is made for."""
    root = tmp_path_factory.mktemp("replica")
    return root, write_replica(root / REPO, layers=4, experts=512)


def test_the_header_pass_costs_one_range_get_and_one_redirect_a_shard(
    replica: tuple[Path, ReplicaSummary], connect: Connect
) -> None:
    root, summary = replica
    with Hub(root) as hub:
        connect(hub)
        with open_checkpoint(REPO) as checkpoint:
            assert len(checkpoint.catalog) == summary.tensors
            cost = checkpoint.cost
        log = asked(hub)
    ranges = [one for one in log if one.status == 206]
    assert len(ranges) == summary.shards == len({one.path for one in ranges})
    statuses = Counter(one.status for one in log)
    assert statuses == {200: 2, 404: 1, 302: summary.shards, 206: summary.shards}
    assert [one.path for one in log if one.status == 404] == [
        f"/api/models/{REPO}/safetensors-metadata/model.safetensors.index.json"
    ]
    assert cost.requests == 3 + summary.shards
    assert cost.bytes == sum(one.body_bytes for one in log if one.status in (200, 206))
    assert cost.bytes <= 1.05 * summary.header_bytes + 2 * PILOT_READ


def test_a_hub_and_its_directory_have_the_same_catalog(tmp_path: Path, connect: Connect) -> None:
    write_checkpoint(tmp_path / REPO, series(5))
    with Hub(tmp_path) as hub:
        connect(hub)
        with open_checkpoint(REPO) as remote, open_checkpoint(str(tmp_path / REPO)) as local:
            rows = [list(one.catalog.rows(one.catalog.all_rows)) for one in (remote, local)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 10


def remote(files: dict[str, bytes]) -> MemorySource:
    source = MemorySource(files)
    source.kind = "hub"
    return source


@pytest.mark.parametrize("tensors", [1, 4_000, 12_000], ids=["short", "one read", "two reads"])
def test_a_header_of_any_length_takes_at_most_two_reads(tensors: int) -> None:
    content = shard_of([f"tensor.{number:08d}" for number in range(tensors)])
    source = remote({"a.safetensors": content})
    (header,) = read_headers(source, ["a.safetensors"], ReadPolicy())
    assert len(header.names) == tensors
    assert len(source.reads) == (1 if header.span.stop <= PILOT_READ else 2)
    assert sum(len(span) for _, span in source.reads) <= max(header.span.stop, PILOT_READ)


def test_a_header_longer_than_the_guess_costs_its_own_shard_one_more_read() -> None:
    many = [f"tensor.{number:08d}" for number in range(300)]
    files = {
        "largest.safetensors": shard({"x": tensor(0, 40_000)}, bytes(40_000)),
        "long.safetensors": shard_of(many),
        "short.safetensors": shard_of(["y"]),
    }
    source = remote(files)
    headers = list(read_headers(source, sorted(files), ReadPolicy(jobs=2)))
    assert {header.shard: len(header.names) for header in headers} == {
        "largest.safetensors": 1, "long.safetensors": 300, "short.safetensors": 1
    }  # fmt: skip
    assert Counter(name for name, _ in source.reads) == {
        "largest.safetensors": 1, "long.safetensors": 2, "short.safetensors": 1
    }  # fmt: skip


def test_a_local_header_costs_two_reads(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, series(3))
    with open_checkpoint(str(tmp_path)) as checkpoint:
        assert len(checkpoint.catalog) == 6
        assert checkpoint.cost.requests == 6


def test_a_malformed_header_names_its_shard(tmp_path: Path) -> None:
    _, second = series(2)
    write_checkpoint(tmp_path, series(2))
    (tmp_path / second).write_bytes(b"\xff" * 40)
    with open_checkpoint(str(tmp_path)) as checkpoint, pytest.raises(FormatError, match=second):
        _ = checkpoint.catalog


def test_a_budget_stops_the_header_pass(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, series(3))
    policy = ReadPolicy(max_bytes=150)
    with (
        open_checkpoint(str(tmp_path), policy=policy) as checkpoint,
        pytest.raises(BudgetExceeded, match="--max-bytes 150"),
    ):
        _ = checkpoint.catalog
    assert checkpoint.cost.bytes <= 150


def test_progress_counts_to_the_number_of_shards(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, series(3))
    told: list[tuple[str, int, int]] = []
    policy = ReadPolicy(progress=lambda *what: told.append(what))
    with open_checkpoint(str(tmp_path), policy=policy) as checkpoint:
        _ = checkpoint.catalog
    assert told == [("headers", done, 3) for done in (1, 2, 3)]
