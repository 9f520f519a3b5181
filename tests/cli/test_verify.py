"""`--verify`: pairs read whole, within the budget, planned before, kept in the folder of a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import QWEN3, S1, SAMPLES, answer, invoke

MATCH = ("expert-similarity", "-m", S1, "--ref", QWEN3, "--layers", "0", "--experts", "3..7")
NAMED = "layers.0.experts.4=4,layers.0.mlp.experts.7=7,layers.0.experts.3=1"


def truth() -> dict[int, dict[str, Any]]:
    """How experts of layer 0 were made."""
    experts = json.loads((SAMPLES / "truth.json").read_text())["experts"]
    return {one["expert"]: one for one in experts if one["layer"] == 0}


def test_named_pairs_are_found_as_they_were_made(tmp_path: Path) -> None:
    """A copy, half re-initialised in the same neurons of three matrices, and no parent at all."""
    out = str(tmp_path / "run")
    document = json.loads(answer(*MATCH, "--verify", NAMED, "--out", out, "--json"))
    stranger, copy, partial = document["pairs"]
    made = truth()
    assert [made[e]["parent"] for e in (4, 7)] == [4, 7]
    assert [made[e]["relation"] for e in (4, 7)] == ["copy", "reinitialised"]
    assert copy["retained"]["estimate"] == copy["in_place"] == 1
    assert [one["equal_codes"] for one in copy["matrices"]] == [1, 1, 1]
    assert partial["retained"]["estimate"] == 1 - made[7]["reinitialised_fraction"]
    for one in partial["agreement"]:
        assert one["observed"] == one["most"] == len(partial["places"]) // 2
    assert stranger["retained"]["estimate"] < 0.02
    assert copy["controls"] == [1]
    again = json.loads(answer(*MATCH, "--verify", NAMED, "--out", out, "--json"))
    assert again["pairs"] == document["pairs"]
    assert len(list((tmp_path / "run/pairs").iterdir())) == 3
    assert again["cost"]["bytes"] < document["cost"]["bytes"] / 10


def test_nothing_is_read_whole_unasked() -> None:
    assert json.loads(answer(*MATCH, "--json"))["pairs"] == []


def test_a_plan_and_the_budget_count_the_pairs() -> None:
    (*_, planned) = json.loads(answer(*MATCH, "--verify", "2", "--plan", "--json"))["reads"]
    assert planned["what"].startswith("pairs")
    short = invoke(*MATCH, "--verify", "2", "--max-bytes", str(planned["bytes"] - 1))
    assert short.exit_code == 5
    assert f"--verify would read up to {planned['bytes']:,} bytes" in short.stderr


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ("-1", "not an expert and a reference"),
        ("layers.0.experts.3", "not an expert and a reference"),
        ("experts.3=1", "not an expert and a reference"),
        ("1001", "at most 1,000 pairs"),
        ("layers.0.experts.3=8", "the reference has no expert 8 in layer 0"),
    ],
)
def test_what_names_no_pair_is_refused(pairs: str, problem: str) -> None:
    found = invoke(*MATCH, f"--verify={pairs}")
    assert found.exit_code == 2
    assert problem in found.stderr


def test_named_pairs_are_of_the_layers_that_are_compared() -> None:
    crossed = ("-m", S1, "--ref", QWEN3, "--layers", "0", "--experts", "4", "--layer-map", "0:1")
    verified = answer("expert-similarity", *crossed, "--verify", "layers.0.experts.4=4", "--json")
    (pair,) = json.loads(verified)["pairs"]
    assert (pair["layer"], pair["reference_layer"]) == (0, 1)
    assert pair["retained"]["estimate"] < 0.02


def test_a_named_pair_says_nothing_where_norms_tell_the_layers() -> None:
    refused = invoke(*MATCH, "--layer-map", "auto", "--verify", "layers.0.experts.4=4")
    assert refused.exit_code == 2
    assert "only norms tell which layers" in refused.stderr
