"""`params` as a person runs it."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.running import FUSED, QWEN3, S1, answer, invoke


def test_one_small_read_answers_from_a_directory_that_has_only_a_config(tmp_path: Path) -> None:
    shutil.copy(Path(S1) / "config.json", tmp_path)
    found = json.loads(answer("params", "-m", str(tmp_path), "--json"))
    assert found["stored"] is None
    assert found["formula"]["total"] == 12_898_128
    assert (found["cost"]["requests"], found["model"]["files"]) == (1, 0)


def test_config_only_reads_nothing_else() -> None:
    found = json.loads(answer("params", "-m", S1, "--config-only", "--json"))
    assert found["stored"] is None
    assert found["cost"]["requests"] == 1


@pytest.mark.parametrize("model", [S1, QWEN3, FUSED])
def test_formula_and_headers_of_the_samples_agree(model: str) -> None:
    found = json.loads(answer("params", "-m", model, "--json"))
    assert found["differences"] == []
    assert found["stored"]["total"] == found["formula"]["total"] > 0
    assert found["stored"]["activated"] == found["formula"]["activated"] > 0


def test_several_models_are_one_document_and_one_table() -> None:
    found = json.loads(answer("params", FUSED, QWEN3, "-m", S1, "--json"))
    assert [one["model"]["location"] for one in found["others"]] == [FUSED, QWEN3]
    table = answer("params", FUSED, "-m", S1, "--format", "table")
    assert "component  s1-pro-mini  qwen3-vl-mini" in table
    rows = answer("params", FUSED, "-m", S1, "--format", "tsv").splitlines()
    assert rows[0].split("\t") == [
        "model", "source", "component", "parameters", "activated", "bytes",
    ]  # fmt: skip
    assert {row.split("\t")[0] for row in rows[1:]} == {S1, FUSED}


def test_conventions_are_switched_by_name_and_said() -> None:
    options = ("--total-without", "vision,shared-experts", "--activated-without", "none")
    found = json.loads(answer("params", "-m", S1, "--json", *options))
    assert found["conventions"]["total"]["vision"] is False
    assert found["conventions"]["total"]["mtp"] is True
    assert all(found["conventions"]["activated"].values())
    text = next(row for row in found["formula"]["breakdown"] if row["component"] == "text")
    assert found["formula"]["total"] == text["parameters"]


def test_an_unknown_part_is_a_usage_error_that_lists_the_parts() -> None:
    result = invoke("params", "-m", S1, "--total-without", "experts")
    assert result.exit_code == 2
    assert "no part 'experts'" in result.stderr
    assert "shared_experts, router" in result.stderr


def test_a_directory_with_neither_is_an_error(tmp_path: Path) -> None:
    assert invoke("params", "-m", str(tmp_path)).exit_code == 3


def test_a_config_that_says_too_little_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"hidden_size": 8}')
    result = invoke("params", "-m", str(tmp_path))
    assert result.exit_code == 5
    assert result.stderr.startswith("s1inspect: config.json states no num_hidden_layers\nhint: ")


def test_plan_reads_nothing_but_says_what_it_would() -> None:
    found = json.loads(answer("params", "-m", S1, "--plan", "--json"))
    assert found["schema"] == "s1inspect/plan/1"
    assert "planned" in found or "reads" in found
