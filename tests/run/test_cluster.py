"""The same tasks done by the workers of a real Dask cluster, some of which die."""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from inspector.analysis.quant.audit import audit_facts
from inspector.analysis.quant.evidence import Evidence
from inspector.checkpoint import Checkpoint, open_checkpoint
from inspector.errors import SourceError
from inspector.run import audit_tasks
from inspector.run.audit_tasks import look_tasks
from inspector.run.cluster import crew_at
from inspector.run.folder import RunFolder, open_run
from inspector.run.identity import Identity
from inspector.run.packing import unpacked
from inspector.run.recipe import recipe_of
from inspector.run.tasks import Task, crew_here, results_of
from inspector.source.base import Ledger
from tests.cli.running import FUSED, QWEN3, S1, invoke
from tests.run.counting import Deadly, Slow

distributed = pytest.importorskip("distributed", reason="the extra s1inspect[dask] is absent")

pytestmark = pytest.mark.filterwarnings("default")  # those of dask are not ours


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two workers, processes of their own."""
    home = tmp_path_factory.mktemp("home")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=":0",
        env={"HF_HOME": str(home)},
        local_directory=str(home),
    ) as found:
        yield found


def files(folder: Path) -> dict[str, bytes]:
    """All results; not who asked, when and into which folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json"
    }


@pytest.mark.parametrize(
    "command",
    [
        ("compare", "-m", S1, "--ref", f"{S1}-e8m0", "--full", "--fail-on", "never"),
        ("dequant", "layers.0.mlp.experts.{0..3}", "-m", S1, "--dtype", "bfloat16"),
        ("expert-similarity", "-m", S1, "--ref", QWEN3, "--layers", "0..1", "--experts", "0..7"),
        (
            "expert-similarity",
            "-m",
            S1,
            "-r",
            QWEN3,
            "-r",
            FUSED,
            "--layers",
            "0",
            "--experts",
            "0..7",
            "--max-bytes",
            "2MB",
        ),
    ],
    ids=lambda command: command[0],
)
def test_workers_give_what_a_local_run_gives(
    command: Sequence[str], cluster: Any, tmp_path: Path
) -> None:
    for folder, more in (("here", ()), ("there", ("--scheduler", cluster.scheduler_address))):
        result = invoke(*command, "--out", str(tmp_path / folder), "-q", *more)
        assert result.exit_code == 0, result.output
    assert files(tmp_path / "there") == files(tmp_path / "here")
    assert len(files(tmp_path / "here")) > 1


def folder_at(path: Path) -> RunFolder:
    return open_run(path, Identity(command="c", inputs={}, parameters={}), [])


def looks(checkpoint: Checkpoint) -> list[Task]:
    """A full audit of the sample in many small tasks."""
    facts = audit_facts(checkpoint.weights, checkpoint.claim)
    recipe = recipe_of(S1, None, checkpoint.source, 2, offline=False, no_cache=True)
    return list(look_tasks(facts.looks(None), recipe, checkpoint.source))


def evidence(content: bytes) -> list[Evidence] | None:
    return unpacked(content, list[Evidence])


def test_a_worker_that_is_killed_in_mid_run_loses_nothing(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_tasks, "TASK_ITEMS", 20)
    with open_checkpoint(S1) as checkpoint:
        tasks = looks(checkpoint)
        assert len(tasks) > 8
        here = {tasks[0].inputs[0].recipe: checkpoint.source}
        with crew_here(here, Ledger(), jobs=2) as crew:
            results_of(tasks, crew, folder_at(tmp_path / "here"), evidence)
    ledger, killed = Ledger(), list[int]()

    def kill_one(done: int) -> None:
        """As soon as there are results: each worker is in the middle of a task then."""
        if done and not killed:
            killed.append(next(iter(cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    with crew_at(cluster.scheduler_address, ledger, print) as crew:
        slow = [Slow(task, 0.2) for task in tasks]
        results_of(slow, crew, folder_at(tmp_path / "there"), evidence, kill_one)
    assert killed
    assert files(tmp_path / "there") == files(tmp_path / "here")
    assert ledger.bytes > 0


def test_a_task_that_workers_die_of_is_given_up(cluster: Any) -> None:
    cluster.scheduler.allowed_failures = 0
    with (
        pytest.raises(SourceError, match="call_at_worker") as refusal,
        crew_at(cluster.scheduler_address, Ledger(), print) as crew,
    ):
        results_of([Deadly()], crew, None, evidence)
    assert "more memory" in refusal.value.hint
