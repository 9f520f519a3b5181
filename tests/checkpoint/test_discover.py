import os
from pathlib import Path

import pytest

from inspector.checkpoint import Checkpoint, open_checkpoint
from inspector.errors import FormatError, ObjectNotFound
from inspector.format.index import INDEX_NAME
from tests.checkpoint.shards import series, shard_of, weight_map, write_checkpoint
from tests.hub import COMMIT, Hub
from tests.source.serving import REPO, Connect, asked

FIRST, SECOND = series(2)


def names(checkpoint: Checkpoint) -> list[str]:
    catalog = checkpoint.catalog
    return sorted(row.name for row in catalog.rows(catalog.all_rows))


def rules(checkpoint: Checkpoint) -> list[str]:
    assert len(checkpoint.catalog)
    return sorted(problem.rule for problem in checkpoint.problems)


@pytest.mark.parametrize("indexed", [True, False], ids=["index", "no index"])
def test_a_directory_with_or_without_an_index(tmp_path: Path, *, indexed: bool) -> None:
    shards = series(3)
    write_checkpoint(tmp_path, shards, index=weight_map(shards) if indexed else None)
    with open_checkpoint(str(tmp_path)) as checkpoint:
        assert names(checkpoint) == sorted(weight_map(shards))
        assert rules(checkpoint) == []
        assert (checkpoint.model.kind, checkpoint.model.commit) == ("directory", None)
        assert checkpoint.model.files == 3


def test_one_file_is_a_checkpoint_without_its_neighbours(tmp_path: Path) -> None:
    shards = series(2)
    write_checkpoint(tmp_path, shards, index=weight_map(shards))
    with open_checkpoint(str(tmp_path / SECOND)) as checkpoint:
        assert names(checkpoint) == ["t2.a", "t2.b"]
        assert rules(checkpoint) == []
        assert (checkpoint.model.kind, checkpoint.model.files) == ("file", 1)


def test_an_index_file_names_its_shards(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, series(2), index={"t1.a": FIRST, "t1.b": FIRST})
    with open_checkpoint(str(tmp_path / INDEX_NAME)) as checkpoint:
        assert names(checkpoint) == ["t1.a", "t1.b"]


def test_another_index_than_the_usual_one_can_be_named(tmp_path: Path) -> None:
    shards = {**series(2), **series(2, stem="variant")}
    write_checkpoint(tmp_path, shards, index=weight_map(series(2)))
    other = tmp_path / "model.fp8.safetensors.index.json"
    other.write_text('{"weight_map":{"t1.a":"variant-00001-of-00002.safetensors"}}')
    with open_checkpoint(str(other)) as checkpoint:
        assert checkpoint.catalog.shards == ("variant-00001-of-00002.safetensors",)


def test_a_snapshot_of_the_cache_has_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "models--org--repo" / "snapshots" / COMMIT
    blobs = tmp_path / "models--org--repo" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, (name, tensors) in enumerate(series(2).items()):
        (blobs / f"{number:064x}").write_bytes(shard_of(tensors))
        (snapshot / name).symlink_to(os.path.relpath(blobs / f"{number:064x}", snapshot))
    monkeypatch.chdir(snapshot)
    for location, count in ((str(snapshot), 4), (".", 4), (FIRST, 2)):
        with open_checkpoint(location) as checkpoint:
            assert len(names(checkpoint)) == count
            assert checkpoint.model.commit == COMMIT


def test_a_directory_with_a_config_alone_has_no_weights_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen3_moe"}')
    with open_checkpoint(str(tmp_path)) as checkpoint:
        with pytest.raises(ObjectNotFound, match=r"no \.safetensors file") as caught:
            _ = checkpoint.catalog
        assert "config.json" in caught.value.hint
        assert checkpoint.config is not None


def test_an_empty_directory_has_no_weights(tmp_path: Path) -> None:
    with (
        open_checkpoint(str(tmp_path)) as checkpoint,
        pytest.raises(ObjectNotFound, match=r"no \.safetensors file") as caught,
    ):
        _ = checkpoint.catalog
    assert caught.value.hint == "it is empty"


def test_a_shard_that_the_index_names_and_nobody_has_is_reported(tmp_path: Path) -> None:
    shards = series(2)
    write_checkpoint(tmp_path, shards, index=weight_map(shards))
    (tmp_path / SECOND).unlink()
    with open_checkpoint(str(tmp_path)) as checkpoint:
        assert names(checkpoint) == ["t1.a", "t1.b"]
        assert rules(checkpoint) == ["missing_shard"]


def test_an_index_whose_shards_are_all_missing_is_an_error(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {}, index={"t": "absent.safetensors"})
    with (
        open_checkpoint(str(tmp_path)) as checkpoint,
        pytest.raises(ObjectNotFound, match="none of the shards"),
    ):
        _ = checkpoint.catalog


def test_a_shard_in_a_subdirectory_is_found_by_the_index(tmp_path: Path) -> None:
    """A nested shard of a local directory was reported as missing."""
    shards = {"model.safetensors": ["a"], "sub/more.safetensors": ["b", "c"]}
    write_checkpoint(tmp_path, shards, index=weight_map(shards))
    with open_checkpoint(str(tmp_path)) as checkpoint:
        assert names(checkpoint) == ["a", "b", "c"]
        assert rules(checkpoint) == []


def test_weights_beside_an_index_are_reported_and_left_alone(tmp_path: Path) -> None:
    shards = series(2)
    extra = {"consolidated.safetensors": ["t1.a", "other"]}
    write_checkpoint(tmp_path, {**shards, **extra}, index=weight_map(shards))
    with open_checkpoint(str(tmp_path)) as checkpoint:
        assert names(checkpoint) == sorted(weight_map(shards))
        assert rules(checkpoint) == ["shard_not_in_index"]


def test_an_index_that_leaves_the_checkpoint_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {FIRST: ["a"]}, index={"a": "../../etc/passwd"})
    with (
        open_checkpoint(str(tmp_path)) as checkpoint,
        pytest.raises(FormatError, match="unsafe_shard_name"),
    ):
        _ = checkpoint.catalog


def test_the_index_of_a_complete_series_is_not_fetched_from_the_hub(
    tmp_path: Path, connect: Connect
) -> None:
    shards = series(3)
    write_checkpoint(tmp_path / REPO, shards, index=weight_map(shards))
    with Hub(tmp_path) as hub:
        connect(hub)
        with open_checkpoint(REPO) as checkpoint:
            assert names(checkpoint) == sorted(weight_map(shards))
            assert checkpoint.model.kind == "hub"
            assert checkpoint.model.commit == COMMIT
        assert not any(f"resolve/{COMMIT}/{INDEX_NAME}" in one.path for one in asked(hub))


@pytest.mark.parametrize(
    "shards",
    [
        {**series(2), "consolidated.safetensors": ["t1.a"]},
        {"a.safetensors": ["x"], "b.safetensors": ["y"]},
        {"model.safetensors": ["x"], "sub/more.safetensors": ["z"]},
    ],
    ids=["a series and more", "no series", "nested"],
)
def test_another_index_is_fetched_from_the_hub_and_names_the_shards(
    tmp_path: Path, connect: Connect, shards: dict[str, list[str]]
) -> None:
    named = {name: tensors for name, tensors in shards.items() if "consolidated" not in name}
    write_checkpoint(tmp_path / REPO, shards, index=weight_map(named))
    with Hub(tmp_path) as hub:
        connect(hub)
        with open_checkpoint(REPO) as checkpoint:
            assert names(checkpoint) == sorted(weight_map(named))
        assert any(INDEX_NAME in one.path for one in asked(hub))


@pytest.mark.parametrize("named", ["directory", "index", "shard", "signed shard"])
def test_a_plain_web_server(tmp_path: Path, named: str) -> None:
    shards = series(2)
    write_checkpoint(tmp_path / REPO, shards, index=weight_map(shards))
    with Hub(tmp_path) as hub:
        base = f"{hub.cdn}/plain/{REPO}"
        location = {
            "directory": f"{base}/",
            "index": f"{base}/{INDEX_NAME}",
            "shard": f"{base}/{SECOND}",
            "signed shard": hub.signed_url(REPO, SECOND),
        }[named]
        with open_checkpoint(location) as checkpoint:
            one = ["t2.a", "t2.b"]
            assert names(checkpoint) == (one if "shard" in named else sorted(weight_map(shards)))
            assert rules(checkpoint) == []
            assert checkpoint.config is None
            assert "Signature" not in checkpoint.model.location


def test_a_plain_web_server_without_an_index_has_one_file(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / REPO, {"model.safetensors": ["a"]})
    with Hub(tmp_path) as hub, open_checkpoint(f"{hub.cdn}/plain/{REPO}") as checkpoint:
        assert names(checkpoint) == ["a"]


def test_a_plain_web_server_with_neither_says_what_it_looked_for(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / REPO, {"other.safetensors": ["a"]})
    with (
        Hub(tmp_path) as hub,
        open_checkpoint(f"{hub.cdn}/plain/{REPO}") as checkpoint,
        pytest.raises(ObjectNotFound, match=r"neither model\.safetensors\.index\.json nor"),
    ):
        _ = checkpoint.catalog


def test_a_shard_missing_on_a_web_server_is_reported(tmp_path: Path) -> None:
    """One missing shard made a checkpoint on a web server unreadable."""
    shards = series(2)
    write_checkpoint(tmp_path / REPO, shards, index=weight_map(shards))
    (tmp_path / REPO / SECOND).unlink()
    with Hub(tmp_path) as hub, open_checkpoint(f"{hub.cdn}/plain/{REPO}") as checkpoint:
        assert names(checkpoint) == ["t1.a", "t1.b"]
        assert rules(checkpoint) == ["missing_shard"]
