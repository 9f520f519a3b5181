"""A match that is killed, goes on and ends as one that was not; and what `runs` says of it."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

from tests.cli.running import QWEN3, ROOT, S1, answer, invoke, run, start

MATCH = ("expert-similarity", "-m", S1, "--ref", QWEN3)
KILLS = 20


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
    done = run(*MATCH, "--out", str(folder), home=folder.parent.parent)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_run_killed_at_random_moments_ends_as_one_that_was_not(
    whole: Path, tmp_path: Path
) -> None:
    """SIGKILL, twenty times in one run unless it has ended before; then once to the end."""
    folder, draws = tmp_path / "killed", random.Random(7)
    killed = 0
    while killed < KILLS:
        with start(*MATCH, "--out", str(folder), home=tmp_path, cwd=ROOT) as process:
            time.sleep(draws.uniform(0.1, 1.0))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        killed += 1
        if process.returncode == 0:
            break
    done = run(*MATCH, "--out", str(folder), home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert files(folder) == files(whole)


def test_a_run_that_is_done_reads_no_weight_again(whole: Path) -> None:
    first = json.loads(run(*MATCH, "--json", home=whole.parent).stdout)
    result = run(*MATCH, "--out", str(whole), "--json", home=whole.parent)
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
