"""A match that is killed, goes on and ends as one that was not; and what `runs` says of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from inspector.cli.runs import words_to_go_on
from inspector.errors import UsageError
from tests.cli.running import QWEN3, ROOT, S1, answer, environment, invoke

MATCH = ("expert-similarity", "-m", S1, "--ref", QWEN3)


def files(folder: Path) -> dict[str, bytes]:
    """The results, without what a killed writer left under another name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json" and path.name[0] != "."
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert invoke(*MATCH, "--out", str(folder)).exit_code == 0
    return folder


TASKS = (
    ("audit", "-m", S1, "--full", "--fail-on", "never"),
    ("compare", "-m", S1, "-r", f"{S1}-e8m0", "--full", "--fail-on", "never"),
    ("dequant", "layers.0.self_attn", "layers.0.mlp.experts.{0..3}", "-m", S1),
)
SMALL_MATCH = (*MATCH, "--layers", "0", "--experts", "0..7")
KILLS = {SMALL_MATCH: 20, **dict.fromkeys(TASKS, 5)}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each command: `whole`, which nothing disturbed, and 1, 2, ... with SIGKILLs."""
    folder = tmp_path_factory.mktemp("killed")
    lines = [json.dumps([kills, str(folder / words[0]), words]) for words, kills in KILLS.items()]
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.killing", "11"],
        input="\n".join(lines), cwd=ROOT, env=environment(folder), capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(ends) == len(KILLS)
    assert not any(map(any, ends)), done.stderr
    return folder


@pytest.mark.parametrize("command", [words[0] for words in KILLS])
def test_runs_killed_at_random_moments_end_as_one_that_was_not(killed: Path, command: str) -> None:
    undisturbed, *disturbed = sorted((killed / command).iterdir(), reverse=True)
    assert undisturbed.name == "whole"
    assert len(files(undisturbed)) > 4
    assert disturbed
    for folder in disturbed:
        assert files(folder) == files(undisturbed)


@pytest.mark.parametrize(
    ("command", "change", "said"),
    [
        (TASKS[0], ("--sample", "2"), "sample None there, 2 now"),
        (TASKS[1], ("--seed", "3"), "seed 0 there, 3 now"),
        (TASKS[2], ("--dtype", "float16"), "dtype 'float32' there, 'float16' now"),
    ],
    ids=lambda part: part[0] if isinstance(part, tuple) else None,
)
def test_another_question_is_another_run(
    command: tuple[str, ...], change: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    folder = ("--out", str(tmp_path / "run"))
    asked = [word for word in command if word != "--full"]
    assert invoke(*command, *folder).exit_code == 0
    result = invoke(*(asked if change[0] == "--sample" else command), *change, *folder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_run_that_is_done_reads_no_weight_again(whole: Path) -> None:
    first = json.loads(answer(*MATCH, "--json"))
    result = invoke(*MATCH, "--out", str(whole), "--json")
    again = json.loads(result.stdout)
    assert {**again, "cost": None} == {**first, "cost": None}
    assert again["cost"]["bytes"] < first["cost"]["bytes"] / 10
    assert " 0 made" in result.stderr
    kept = json.loads((whole / "report.json").read_text(encoding="utf-8"))
    assert {**kept, "cost": None} == {**first, "cost": None}


def test_another_seed_is_another_run(whole: Path) -> None:
    result = invoke(*MATCH, "--out", str(whole), "--seed", "1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "seed 0 there, 1 now" in result.stderr


def test_runs_lists_how_far_each_is_and_how_to_go_on(whole: Path) -> None:
    document = json.loads(answer("runs", str(whole.parent), "--json"))
    (row,) = document["runs"]
    assert row["finished"]
    assert row["results"] == len(files(whole))
    assert row["bytes"] == sum(map(len, files(whole).values()))
    assert row["command"].startswith("s1inspect expert-similarity -m")
    (whole / "report.json").rename(whole / "r.tmp")
    try:
        assert "1 to go on" in answer("runs", str(whole.parent), "-f", "table")
    finally:
        (whole / "r.tmp").rename(whole / "report.json")


def stopped(folder: Path) -> dict[str, bytes]:
    """An audit of which half of the results are gone, as if it had been killed; all it had."""
    assert invoke(*TASKS[0], "--out", str(folder)).exit_code == 0
    whole = files(folder)
    for name in ("report.json", *sorted(one for one in whole if one.startswith("tasks/"))[::2]):
        (folder / name).unlink()
    return whole


def test_runs_goes_on_with_what_was_stopped_wherever_it_was_moved(tmp_path: Path) -> None:
    whole = stopped(tmp_path / "begun")
    (tmp_path / "begun").rename(tmp_path / "moved")
    (row,) = json.loads(answer("runs", str(tmp_path), "--json"))["runs"]
    tasks = sum(name.startswith("tasks/") for name in whole)
    assert (row["finished"], row["tasks"]) == (False, tasks)
    assert 0 < row["done"] < tasks
    (row,) = json.loads(answer("runs", str(tmp_path), "--continue", "--json"))["runs"]
    assert (row["finished"], row["done"], row["tasks"]) == (True, tasks, tasks)
    assert files(tmp_path / "moved") == whole
    assert answer("runs", str(tmp_path), "--continue", "-q") == f"{tmp_path / 'moved'}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["cache", "--clear", "--out", "x"],
        ["dequant", "t", "-o", "/somewhere", "--out", "x"],
        ["audit", "--scheduler", "tcp://else:1", "--out", "x"],
        ["audit", "--out"],
        [],
    ],
    ids=["command", "file", "scheduler", "no folder", "nothing"],
)
def test_words_that_begin_no_run_are_not_run(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"run\.json"):
        words_to_go_on(tmp_path, words)


def test_without_dask_a_scheduler_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = invoke("audit", "-m", S1, "--scheduler", "tcp://127.0.0.1:9")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "pip install 's1inspect[dask]'" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("dequant", "lm_head", "-m", S1, "-o", "x.npy", "--out", "x"),
        ("dequant", "lm_head", "-m", S1, "--scheduler", "tcp://127.0.0.1:9"),
        ("compare", "-m", S1, "-r", S1, "--no-weights", "--out", "x"),
    ],
    ids=["file and folder", "workers without a folder", "no weights"],
)
def test_options_that_contradict_each_other_are_refused(words: tuple[str, ...]) -> None:
    result = invoke(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--out" in result.stderr
