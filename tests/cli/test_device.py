"""`compare --full --device`: the same answer, kept apart from that of another device."""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inspector.analysis.compare.aligned import aligned
from inspector.analysis.compare.pairs import pairs_of
from inspector.analysis.compare.samples import sample_of
from inspector.checkpoint import open_checkpoint
from inspector.decode.device import STAND_IN, open_device
from inspector.errors import DeviceNotThere
from inspector.run.compare_tasks import PairTask, pair_tasks
from inspector.run.recipe import recipe_of
from inspector.run.tasks import call_at_worker
from tests.cli.running import S1, answer, invoke
from tests.torch_devices import DEVICES, HAS_CUDA, needs_torch

FULL = ("compare", "-m", S1, "-r", f"{S1}-e8m0", "--full", "--fail-on", "never")
FIGURES = {"cosine", "relative_change", "noise", "cosine_interval", "relative_change_interval"}


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    open_device.cache_clear()


def weights(*more: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(answer(*FULL, "--json", *more))["weights"]
    return found


def numbers(row: dict[str, Any]) -> list[float]:
    """The figures made of sums, those of intervals too; NaN for what is not there."""
    found: list[float] = []
    for name in sorted(FIGURES):
        figure = row[name]
        found += figure.values() if isinstance(figure, dict) else [figure]
    return [np.nan if one is None else one for one in found]


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_gives_the_same_answer(device: str) -> None:
    here, there = weights(), weights("--device", device)
    assert len(here) == len(there) > 50
    for mine, its in zip(here, there, strict=True):
        assert {name: mine[name] for name in mine if name not in FIGURES} == {
            name: its[name] for name in its if name not in FIGURES
        }
        np.testing.assert_allclose(numbers(its), numbers(mine), rtol=1e-12, atol=1e-12)


def test_the_processor_needs_no_torch(no_torch: None) -> None:
    assert weights("--device", "cpu") == weights()


def test_without_torch_one_line_says_what_to_install(no_torch: None) -> None:
    result = invoke(*FULL, "--device", "cuda")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "s1inspect: --device cuda needs torch, which is not installed\nhint: pip install torch\n"
    )


@needs_torch
@pytest.mark.skipif(HAS_CUDA, reason="torch sees CUDA")
def test_without_a_gpu_one_line_says_so() -> None:
    result = invoke(*FULL, "--device", "cuda:1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--device cuda:1: torch" in result.stderr
    assert "sees no CUDA" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--full", "--device", "gpu"), "--device 'gpu': no such device"),
        (("--device", "cuda"), "--device is for --full"),
        (("--full", "--no-weights", "--device", "cuda"), "--device are for weights"),
    ],
    ids=["name", "a sample", "no weights"],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(
    words: tuple[str, ...], said: str
) -> None:
    result = invoke("compare", "-m", "nowhere", "-r", "nowhere", *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_plan_needs_no_device(no_torch: None) -> None:
    assert answer(*FULL, "--plan", "--device", "cuda") == answer(*FULL, "--plan")


@needs_torch
def test_results_of_another_device_are_another_run(tmp_path: Path) -> None:
    folder = ("--out", str(tmp_path / "run"))
    device = ("--device", STAND_IN)
    assert invoke(*FULL, *folder, *device).exit_code == 0
    facts = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert facts["identity"]["parameters"]["device"].startswith("cpu, torch ")
    assert facts["arguments"][-4:-2] == list(device)
    assert " 0 made" in invoke(*FULL, *folder, *device).stderr
    result = invoke(*FULL, *folder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "device 'cpu, torch " in result.stderr
    assert "there, 'cpu' now" in result.stderr


def tasks(device: str) -> list[PairTask]:
    """Some pairs of the samples, as they travel."""
    with open_checkpoint(S1) as model, open_checkpoint(f"{S1}-e8m0") as ref:
        books = [(one.weights, aligned(one.weights)) for one in (model, ref)]
        pairs = pairs_of(books[0], books[1], most=1).pairs
        samples = [sample_of(pair, np.random.default_rng(0), rows=None) for pair in pairs]
        sides = [
            (recipe_of(one.source.location, None, one.source, 2, offline=False, no_cache=True),
             one.source)
            for one in (model, ref)
        ]  # fmt: skip
        found = pair_tasks(samples, (sides[0], sides[1]), device)
    sent: list[PairTask] = pickle.loads(pickle.dumps(found))  # noqa: S301  our own
    return sent


@needs_torch
def test_a_worker_uses_the_device_that_a_task_names(monkeypatch: pytest.MonkeyPatch) -> None:
    (task,) = tasks(STAND_IN)
    assert len(json.loads(call_at_worker(task).content)) == len(task.samples) > 3
    monkeypatch.setitem(sys.modules, "torch", None)
    open_device.cache_clear()
    for one in (task, *tasks("cuda")):
        with pytest.raises(DeviceNotThere, match=r"at a worker: .* is not installed") as refusal:
            call_at_worker(one)
        again = pickle.loads(pickle.dumps(refusal.value))  # noqa: S301  our own
        assert (str(again), again.hint) == (str(refusal.value), "pip install torch")
