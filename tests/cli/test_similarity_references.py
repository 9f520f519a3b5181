"""`--ref`, of several, of the model itself, and what a plan says of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from docs.console import ROOT
from inspector.source.resolve import checkpoints_in
from tests.cli.running import FUSED, QWEN3, S1, answer, invoke

SCHEMA = json.loads((ROOT / "docs/reference/schemas/expert-similarity.json").read_text())
ASKED = ("--layers", "0", "--experts", "0..5", "--no-cache")


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer("expert-similarity", *arguments, *ASKED, "--json"))
    Draft202012Validator(SCHEMA).validate(found)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two references side by side, and a folder that is none."""
    for name, model in (("a", QWEN3), ("b", FUSED)):
        (tmp_path / name).symlink_to(model)
    (tmp_path / "notes").mkdir()
    return tmp_path


def test_several_references_are_named_one_by_one_or_by_their_folder(folder: Path) -> None:
    one_by_one = document("-m", S1, "-r", str(folder / "a"), "-r", str(folder / "b"))
    found = document("-m", S1, "-r", str(folder))
    assert found["experts"] == one_by_one["experts"]
    assert [one["ref"] for one in found["refs"]] == ["a", "b"]
    assert found["budget"]["hypotheses"] == 6 * 16
    named = {parent["ref"] for one in found["experts"] for parent in one["parents"]}
    assert named == {"a", "b"}
    assert all(parent["expert"] < 8 for one in found["experts"] for parent in one["parents"])
    assert "one of 2 references" in found["summary"]


def test_one_reference_is_told_without_its_name() -> None:
    found = document("-m", S1, "-r", QWEN3)
    assert "refs" not in found
    assert not any("ref" in parent for one in found["experts"] for parent in one["parents"])
    assert not any("nearest" in one for one in found["experts"])


def test_a_folder_without_checkpoints_is_one_location(tmp_path: Path) -> None:
    assert checkpoints_in(str(tmp_path)) == [str(tmp_path)]
    assert checkpoints_in(QWEN3) == [QWEN3]
    assert checkpoints_in("org/name") == ["org/name"]


def test_the_model_itself_beside_others_is_refused() -> None:
    result = invoke("expert-similarity", "-m", QWEN3, "-r", QWEN3, "-r", FUSED, "--no-cache")
    assert result.exit_code == 2
    assert f"--ref names the model itself, {QWEN3}, beside others" in result.stderr


def test_a_run_of_several_references_is_kept_and_ends_as_it_would_anew(
    folder: Path, tmp_path: Path
) -> None:
    asked = ("-m", S1, "-r", str(folder), "--verify", "2")
    found = document(*asked)
    assert {one["ref"] for one in found["pairs"]} <= {"a", "b"}
    assert len(found["pairs"]) == 2
    kept = ("expert-similarity", *asked, *ASKED, "--out", str(tmp_path / "run"), "--json")
    for made in (True, False):
        result = invoke(*kept)
        again = json.loads(result.stdout)
        assert ("0 made" not in result.stderr) == made
        for one in (found, again):
            one["cost"] = None
        assert again == found
    other = invoke("expert-similarity", "-m", S1, "-r", QWEN3, *kept[-3:])
    assert other.exit_code == 2


def test_pairs_are_not_named_where_there_are_several_references(folder: Path) -> None:
    asked = ("-m", S1, "-r", str(folder), "--verify", "layers.0.experts.3=1")
    result = invoke("expert-similarity", *asked, "--no-cache")
    assert result.exit_code == 2
    assert "--verify names experts of a reference, and there are several" in result.stderr


@pytest.mark.parametrize("references", [[FUSED], [QWEN3, FUSED]], ids=["one", "several"])
def test_more_than_is_allowed_needs_the_consent_that_it_says(references: list[str]) -> None:
    asked = ("expert-similarity", "-m", S1, *(w for one in references for w in ("-r", one)))
    short = invoke(*asked, *ASKED, "--max-bytes", "700kB")
    assert short.exit_code == 5
    assert short.stdout == ""
    line, hint = short.stderr.splitlines()
    assert "allowed" in line
    consent = hint.split("--max-bytes ")[1].split()[0]
    assert invoke(*asked, *ASKED, "--max-bytes", consent, "--json").exit_code == 0
    plan = json.loads(answer(*asked, *ASKED, "--max-bytes", "700kB", "--plan", "--json"))
    (taken,) = (one for one in plan["options"] if one["is_chosen"])
    assert taken["bytes"] > plan["allowed_bytes"]


def test_a_plan_says_how_long_it_takes_at_which_pace() -> None:
    plan = json.loads(answer("expert-similarity", "-m", S1, "-r", QWEN3, "--plan", "--json"))
    time = plan["time"]
    assert time["pace"] == {
        "round_trip_seconds": 0.05, "connections": 64, "bits_a_second": 1_000_000_000,
    }  # fmt: skip
    certain = [one for one in plan["reads"] if not one["is_bound"]]
    assert certain
    for key, reads in (("seconds", certain), ("seconds_at_most", plan["reads"])):
        seconds = [max(one["requests"] * 0.05 / 64, 8e-9 * one["bytes"]) for one in reads]
        assert time[key] == pytest.approx(sum(seconds), abs=0.051)
    (taken,) = (one for one in plan["options"] if one["is_chosen"])
    assert taken["what"] == "down_proj, all 256 neurons"
    assert taken["bytes"] <= plan["allowed_bytes"]


def test_a_plan_on_a_terminal_says_the_pace_and_the_ways() -> None:
    text = answer(
        "expert-similarity", "-m", S1, "-r", FUSED, "--plan", "-f", "table", "--jobs", "16"
    )
    assert "over a network (50 ms a request, 16 connections, 1 Gbit/s): " in text
    assert "down_proj, all 256 neurons" in text
    assert "taken" in text
    assert "256 MB of experts may be read" in text
