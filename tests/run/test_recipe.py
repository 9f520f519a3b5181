"""What travels to a worker, and what a worker makes of it."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from inspector.analysis.quant.audit import audit_facts
from inspector.checkpoint import open_checkpoint
from inspector.errors import ObjectNotFound, SourceChanged, SourceError, UsageError
from inspector.format.spans import Span
from inspector.run.audit_tasks import look_tasks
from inspector.run.recipe import (
    OpenSources,
    Recipe,
    TaskInput,
    check_sendable,
    marks_of,
    recipe_of,
)
from inspector.run.tasks import call_at_worker
from inspector.source.base import Ledger
from inspector.source.local import LocalSource
from inspector.source.resolve import Kind, Location
from tests.checkpoint.settled import date, settle
from tests.hub import COMMIT, Hub
from tests.quantized import qwen_like
from tests.run.counting import Square
from tests.source.serving import GATED, Connect, connect

__all__ = ["connect"]

SECRET = "hf_never_sent"  # noqa: S105  opens the loopback hub only
FILE = "model.safetensors"


@pytest.fixture
def shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settle(monkeypatch)
    path = tmp_path / "model" / FILE
    path.parent.mkdir()
    path.write_bytes(bytes(100))
    date(path)
    return path


def given(path: Path) -> TaskInput:
    source = LocalSource(path.parent, Ledger())
    recipe = recipe_of(str(path.parent), None, source, 2, offline=False, no_cache=True)
    return TaskInput(recipe, marks_of(source, [FILE]))


def test_a_worker_opens_a_folder_by_its_whole_path(
    shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shard.parent.parent)
    here = LocalSource(Path("model"), Ledger())
    recipe = recipe_of("model", None, here, 2, offline=False, no_cache=True)
    monkeypatch.chdir("/")
    sources = OpenSources()
    assert sources.open(TaskInput(recipe)).read(FILE, Span(0, 4)) == bytes(4)
    assert sources.ledger.take() == (1, 4)
    assert sources.ledger.take() == (0, 0)


def test_a_file_that_is_another_for_the_worker_is_never_read(shard: Path) -> None:
    planned = given(shard)
    assert OpenSources().open(planned).size(FILE) == 100
    date(shard, age=9000)
    with pytest.raises(SourceChanged, match="100 bytes"):
        OpenSources().open(planned)


def test_a_folder_that_a_worker_does_not_see_is_said_to_be_its_own_matter(tmp_path: Path) -> None:
    gone = TaskInput(Recipe(Location(Kind.LOCAL, str(tmp_path / "absent")), 1))
    with pytest.raises(ObjectNotFound, match=r"at a worker: .*absent") as refusal:
        call_at_worker(Square(1, (gone,)))
    assert "open the checkpoint themselves" in refusal.value.hint


def test_a_worker_of_another_version_does_nothing(shard: Path) -> None:
    planned = given(shard)
    with pytest.raises(UsageError, match=r"a worker has s1inspect .*, the command is 0\.0"):
        OpenSources().open(replace(planned, recipe=replace(planned.recipe, tool_version="0.0")))


def test_a_signed_url_is_not_sent() -> None:
    url = "https://bucket.example/m/model.safetensors?X-Signature=5ec2e7"
    with pytest.raises(UsageError) as refusal:
        check_sendable(Recipe(Location(Kind.HTTP, url, file=FILE), 1))
    assert "5ec2e7" not in f"{refusal.value}{refusal.value.hint}"


def test_tasks_name_the_commit_and_hold_no_token_and_workers_use_their_own(
    tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    qwen_like().write(tmp_path / GATED)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    with Hub(tmp_path, token=SECRET) as hub:
        connect(hub, token=SECRET)
        with open_checkpoint(GATED) as checkpoint:
            looks = audit_facts(checkpoint.weights, checkpoint.claim).looks(None)
            recipe = recipe_of(GATED, None, checkpoint.source, 2, offline=False, no_cache=True)
            (task, *_) = look_tasks(looks, recipe, checkpoint.source)
            here = task.run([checkpoint.source])
        sent = pickle.dumps(task)
        assert SECRET.encode() not in sent
        assert task.inputs[0].recipe.location.revision == COMMIT
        assert task.inputs[0].marks == ()
        arrived = pickle.loads(sent)  # noqa: S301  our own task
        assert arrived.run([OpenSources().open(one) for one in arrived.inputs]) == here
        monkeypatch.delenv("HF_TOKEN")
        with pytest.raises(SourceError):
            arrived.run([OpenSources().open(one) for one in arrived.inputs])
