"""What a match draws, and the command that gives it again."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import QWEN3, S1, answer, invoke

MATCH = ("expert-similarity", "-m", S1, "--ref", QWEN3)


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer(*arguments, "--json"))
    return {**found, "cost": None}


@pytest.fixture(scope="module")
def drawn() -> str:
    return answer(*MATCH, "--heat-map", "1", "--format", "table")


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return document(*MATCH, "--heat-map", "1")


def test_the_scores_of_the_layer_asked_for_are_those_that_were_tested(
    found: dict[str, Any],
) -> None:
    scores = found["heat_map"]
    assert (scores["layer"], scores["rows"]) == (1, 8)
    assert (len(scores["experts"]), len(scores["references"])) == (32, 8)
    tested = [
        (match["expert"], parent["expert"], parent["z_star"])
        for match in found["experts"]
        if match["layer"] == 1 and match["rows"] == 8
        for parent in match["parents"]
    ]
    assert len(tested) > 20
    for expert, parent, z_star in tested:
        assert scores["z_star"][expert][parent] == pytest.approx(z_star, abs=0.051)


def test_quantiles_are_of_all_that_calibration_and_the_first_look_saw(
    found: dict[str, Any],
) -> None:
    quantiles = found["calibration"]["quantiles"]
    assert quantiles["null_tests"] == found["calibration"]["tests"] == 512
    assert quantiles["observed_tests"] == 512
    best = max(parent["z"] for match in found["experts"] for parent in match["parents"])
    assert quantiles["observed"][-1] == pytest.approx(best, abs=2e-3)


def test_the_layout_says_what_holds_over_layers(found: dict[str, Any]) -> None:
    layout = found["layout"]
    assert (layout["map"], layout["layers"], layout["of"]) == ("e mod 8", 2, 2)
    assert layout["log10_p"] < min(layer["layout"]["log10_p"] for layer in found["layers"])
    parents: dict[int, dict[int, int]] = {0: {}, 1: {}}
    for match in found["experts"]:
        if len(match["parents"]) == 1:
            parents[match["layer"]][match["expert"]] = match["parents"][0]["expert"]
    both = parents[0].keys() & parents[1].keys()
    constancy = layout["constancy"]
    assert constancy["compared"] == len(both)
    assert constancy["agreeing"] == sum(parents[0][e] == parents[1][e] for e in both)
    coverage = found["layers"][0]["coverage"]
    assert coverage["covered"] == len(set(parents[0].values()))
    assert sum(group["experts"] for group in coverage["groups"]) == len(parents[0])


def test_a_terminal_draws_all_three(drawn: str) -> None:
    assert "verdicts: a line for each layer" in drawn
    assert "E exact_copy, N near_copy, D descendant" in drawn
    assert "z* of layer 1 at 8 rows" in drawn
    assert "quantiles of z at 8 rows" in drawn


def test_nothing_is_drawn_where_it_was_not_asked_for() -> None:
    plain = answer(*MATCH, "--layers", "0", "--experts", "2", "--format", "table")
    assert "quantiles of z" not in plain
    assert "no evidence" in plain


def test_charts_alone_draw_the_first_layer() -> None:
    text = answer(*MATCH, "--experts", "0..3", "--charts", "--format", "table")
    assert "z* of layer 0 at 8 rows" in text


def test_a_layer_that_is_not_matched_has_no_heat_map() -> None:
    result = invoke(*MATCH, "--layers", "0", "--heat-map", "1")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "s1inspect: --heat-map 1: no experts of this layer are matched",
        "hint: matched are those of layers 0",
    ]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="as it is"),
        pytest.param(
            ("--layers", "0,1", "--experts", "0..2,5", "--seed", "3", "--max-bytes", "9MB",
             "--verify", "2", "--layer-map", "0:1,1:0", "--heat-map", "1"),
            id="with options",
        ),
    ],
)  # fmt: skip
def test_the_command_on_the_report_gives_the_same_document(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    """Copied from the terminal's text, by names that a shell would split."""
    names = [tmp_path / "a model's" / "x", tmp_path / "$(ref)"]
    for name, sample in zip(names, (S1, QWEN3), strict=True):
        name.parent.mkdir(exist_ok=True)
        name.symlink_to(sample)
    arguments = ("expert-similarity", "-m", str(names[0]), "-r", str(names[1]), *options)
    first = document(*arguments)
    *_, printed = answer(*arguments, "--format", "table").splitlines()
    assert printed == first["reproduce"]
    program, *words = shlex.split(printed)
    assert program == "s1inspect"
    assert document(*words) == first


def test_the_page_has_the_command_too(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    answer(*MATCH, "--layers", "0", "--experts", "0", "-o", str(path))
    text = path.read_text(encoding="utf-8")
    assert "<code>s1inspect expert-similarity --model " in text
    assert "seed 0, commits none and none" in text


def test_several_references_are_told_by_model_in_charts_layout_and_command() -> None:
    small = str(Path(S1).parent / "s1-pro-mini-e8m0")
    arguments = ("expert-similarity", "-m", small, "-r", S1, "-r", QWEN3)
    found = document(*arguments)
    scores = found["heat_map"]
    assert scores["refs"] == ["s1-pro-mini"] * 32 + ["qwen3-mini"] * 8
    assert scores["references"] == [*range(32), *range(8)]
    parents = [match["parents"][0] for match in found["experts"]]
    assert {parent["ref"] for parent in parents} == {"qwen3-mini"}
    for row, parent in zip(scores["z_star"], parents, strict=True):
        assert row[32 + parent["expert"]] == pytest.approx(parent["z_star"], abs=0.051)
    assert (found["layout"]["ref"], found["layout"]["of"]) == ("qwen3-mini", 1)
    assert found["layers"][0]["coverage"]["references"] == 8
    _, *words = shlex.split(found["reproduce"])
    assert words[1:7] == ["--model", small, "--ref", S1, "--ref", QWEN3]
    assert document(*words) == found
    text = answer(*arguments, "--charts", "--format", "table")
    assert "qwen3-mini:6" in text
    assert "of parents from qwen3-mini" in text
