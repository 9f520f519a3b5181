"""What `params` and `compare` ask of a hub: as few requests as they say."""

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import FUSED, QWEN3, S1, invoke
from tests.hub import Hub
from tests.source.serving import Connect, asked

MODEL, REF = "internlm/Intern-S1-Pro", "Qwen/Qwen3-VL-235B-A22B-Instruct"


@pytest.fixture
def hub(tmp_path: Path, connect: Connect) -> Iterator[Hub]:
    for repository, sample in ((MODEL, S1), (REF, FUSED)):
        shutil.copytree(sample, tmp_path / repository)
    with Hub(tmp_path) as hub:
        connect(hub)
        yield hub


def test_a_formula_takes_one_small_file_of_a_repository(hub: Hub) -> None:
    """Beside it, the commit and the listing, as for every command."""
    result = invoke("params", "--config-only", "--json", "--no-cache")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["formula"]["total"] == 12_898_128
    answered = [one for one in asked(hub) if one.status in (200, 206)]
    assert len(answered) == 3
    assert "/config.json" in answered[-1].path


def test_the_default_model_and_an_alias_are_compared(hub: Hub) -> None:
    result = invoke("compare", "--ref", "qwen3-vl", "--json", "--no-cache")
    assert result.exit_code == 1, result.output
    found = json.loads(result.stdout)
    assert (found["model"]["location"], found["ref"]["location"]) == (MODEL, REF)
    assert {row["equal"] for row in found["weights"] if row["component"] == "attention"} == {
        "quantization"
    }
    assert not any("model-0000" in one.path and one.status == 404 for one in asked(hub))


def test_a_sample_reads_what_the_plan_says(hub: Hub) -> None:
    arguments = ("compare", "--ref", "qwen3-vl", "--json", "--no-cache")
    plan = json.loads(invoke(*arguments, "--plan").stdout)
    before = plan["cost"]["bytes"]
    found = json.loads(invoke(*arguments).stdout)
    assert found["cost"]["bytes"] - before == plan["totals"]["bytes"]


def test_a_match_is_given_again_by_a_command_that_names_both_commits(hub: Hub) -> None:
    found = json.loads(invoke("expert-similarity", "-r", "qwen3-vl", "--json").stdout)
    program, command, *words = shlex.split(found["reproduce"])
    assert (program, command) == ("s1inspect", "expert-similarity")
    commits = [found[side]["commit"] for side in ("model", "ref")]
    assert words == [
        "--model", f"{MODEL}@{commits[0]}", "--ref", f"{REF}@{commits[1]}", "--seed", "0",
    ]  # fmt: skip
    again = json.loads(invoke(command, *words, "--json", "--no-cache").stdout)
    assert {**again, "cost": None} == {**found, "cost": None}


def test_a_match_reads_as_many_at_a_time_as_jobs_says(tmp_path: Path, connect: Connect) -> None:
    """Of both sides together, with what is read ahead: each request takes its latency at least."""
    for repository, sample in ((MODEL, S1), ("Qwen/Qwen3-235B-A22B", QWEN3)):
        shutil.copytree(sample, tmp_path / repository)
    latency, jobs = 0.02, 3
    with Hub(tmp_path, latency=latency) as hub:
        connect(hub)
        words = ("expert-similarity", "-r", "qwen3", "--json", "--no-cache")
        assert invoke(*words, "--jobs", str(jobs)).exit_code == 0
        begun = [one.arrived for one in hub.log]
    at_once = [sum(0 <= moment - one < latency for one in begun) for moment in begun]
    assert 1 < max(at_once) <= jobs
