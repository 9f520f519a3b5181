"""A shard name that leaves the checkpoint is never opened and never asked for."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.checkpoint import open_checkpoint
from inspector.errors import FormatError
from inspector.format.index import INDEX_NAME
from tests.checkpoint.shards import shard_of
from tests.hub import Hub
from tests.source.scripted import Scripted, said
from tests.source.serving import REPO, Connect

Where = Callable[[Hub, Path], str]
PLACES: dict[str, Where] = {
    "disk": lambda hub, root: str(root / REPO),
    "web": lambda hub, root: f"{hub.cdn}/plain/{REPO}",
    "hub": lambda hub, root: REPO,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["../secret.safetensors", "../../etc/passwd", "/etc/passwd"])
@pytest.mark.parametrize("naming", [(), ("t.0",)], ids=["all", "by name"])
def test_a_path_out_of_the_checkpoint(
    tmp_path: Path, connect: Connect, place: str, name: str, naming: tuple[str, ...]
) -> None:
    repo = tmp_path / REPO
    repo.mkdir(parents=True)
    (repo / "a.safetensors").write_bytes(shard_of(["t.1.a"]))
    (repo.parent / "secret.safetensors").write_bytes(shard_of(["t.0.a"]))
    index = {"weight_map": {"t.0.a": name, "t.1.a": "a.safetensors"}}
    (repo / INDEX_NAME).write_text(json.dumps(index))
    with Hub(tmp_path) as hub:
        connect(hub)
        with open_checkpoint(PLACES[place](hub, tmp_path)) as checkpoint:
            checkpoint.only_naming(naming)
            with pytest.raises(FormatError, match="outside the checkpoint"):
                _ = checkpoint.catalog
        asked = [one.path for one in hub.log]
    assert not [path for path in asked if "passwd" in path or "secret" in path]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("naming", [(), ("t.0",)], ids=["all", "by name"])
def test_a_url_of_another_host(
    tmp_path: Path, connect: Connect, place: str, naming: tuple[str, ...]
) -> None:
    repo = tmp_path / REPO
    repo.mkdir(parents=True)
    (repo / "a.safetensors").write_bytes(shard_of(["t.1.a"]))
    with Scripted(lambda asked: said(404)) as elsewhere, Hub(tmp_path) as hub:
        index = {"weight_map": {"t.0.a": f"{elsewhere.origin}/x.safetensors"}}
        (repo / INDEX_NAME).write_text(json.dumps(index))
        connect(hub)
        with open_checkpoint(PLACES[place](hub, tmp_path)) as checkpoint:
            checkpoint.only_naming(naming)
            with pytest.raises(FormatError, match="outside the checkpoint"):
                _ = checkpoint.catalog
        assert elsewhere.log == []
        assert not [one.path for one in hub.log if "x.safetensors" in one.path]
