"""Stage 0 and `--layer-map` from the command line, on the samples."""

import json
from typing import Any

import pytest

from tests.cli.running import FUSED, QWEN3, S1, answer, invoke

MATCH = ("expert-similarity", "-m", S1, "--ref", QWEN3)


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer(*arguments, "--json", "--no-cache"))
    return found


def test_the_document_says_what_was_tested_of_the_basis() -> None:
    found = document(*MATCH, "--experts", "0..1")
    basis = found["basis"]
    assert basis["basis"] == "shared"
    assert basis["log10_p"] < -6
    assert {one["kind"] for one in basis["evidence"]} == {"norms", "embedding", "routers"}
    assert 0 < basis["bytes"] < found["cost"]["bytes"]
    assert [one["layout"]["map"] for one in basis["layouts"]] == ["e mod 8"] * 2
    assert found["layer_map"] == {
        "map": "l",
        "origin": "same_numbers",
        "pairs": [
            {"layer": n, "ref_layer": n, "effect": None, "runner_up": None, "log10_p": None}
            for n in range(2)
        ],
    }
    assert found["rotation"] is None


def test_a_model_shares_its_basis_with_itself_and_reads_nothing_for_that() -> None:
    found = document("expert-similarity", "-m", S1, "--ref", S1, "--experts", "0", "--layers", "0")
    assert (found["basis"]["basis"], found["basis"]["bytes"]) == ("shared", 0)


def test_another_layer_of_a_model_is_compared_in_full() -> None:
    """An expert of the same number is itself in its own layer only."""
    found = document(
        "expert-similarity", "-m", QWEN3, "--ref", QWEN3, "--layer-map", "0:1", "--experts", "0"
    )
    assert [one["layer"] for one in found["experts"]] == [0]
    assert found["layer_map"]["pairs"][0]["ref_layer"] == 1
    assert "layers compared as l+1" in found["summary"]


@pytest.mark.parametrize(
    ("typed", "says"),
    [("q", "'q' is no rule and no pair"), ("0:1", "--ref has no experts in layer 1")],
)
def test_a_map_that_means_nothing_is_a_usage_error(typed: str, says: str) -> None:
    for more in ([], ["--plan"]):
        found = invoke("expert-similarity", "-m", S1, "-r", FUSED, "--layer-map", typed, *more)
        line, hint = found.stderr.splitlines()
        assert (found.exit_code, found.stdout) == (2, "")
        assert says in line
        assert hint.startswith("hint")
