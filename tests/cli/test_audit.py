"""`audit` as a command: exit codes, formats, plans and budgets."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from inspector import open_checkpoint
from inspector.analysis.quant.sample import DEFAULT_SAMPLE
from inspector.cli.commands import audit as signature
from tests.analysis.quant.faults import FAULTS
from tests.cli.running import S1, SAMPLES, answer, invoke
from tests.quantized import qwen_like

E8M0 = str(SAMPLES / "s1-pro-mini-e8m0")


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(invoke("audit", *arguments, "--json").stdout)
    return found


def test_the_default_sample_is_that_of_the_analysis() -> None:
    assert signature.DEFAULT_SAMPLE == DEFAULT_SAMPLE


def test_the_sample_declares_ue8m0_and_its_scales_are_no_powers_of_two() -> None:
    found = document("-m", S1)
    assert [finding["rule"] for finding in found["findings"]] == ["scale_not_power_of_two"]
    assert found["declared"]["scale_fmt"] == "ue8m0"
    assert found["observed"]["rounding"] == "amax/448"
    assert found["observed"]["power_of_two_fraction"] < 0.01
    assert found["observed"]["numbers"]["bfloat16_amax_fraction"] == 1.0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("s1-pro-mini", 1),
        ("s1-pro-mini --fail-on error", 0),
        ("s1-pro-mini --fail-on never", 0),
        ("s1-pro-mini-e8m0 --fail-on info --full", 0),
        ("qwen3-mini --fail-on info", 0),
        ("s1-pro-mini --sample 0", 0),
        ("s1-pro-mini --plan", 0),
        ("s1-pro-mini --layers 0 --experts 3 --fail-on error", 0),
        ("s1-pro-mini --layers 77", 2),
        ("s1-pro-mini --sample -1", 2),
        ("s1-pro-mini --fail-on sometimes", 2),
        ("nothing-here", 3),
    ],
)
def test_exit_codes(options: str, code: int) -> None:
    assert invoke("audit", "-m", *f"{SAMPLES}/{options}".split()).exit_code == code


@pytest.mark.parametrize("entries", ["lm_head", ["lm_head", None], {"lm_head": True}])
def test_a_malformed_list_is_a_finding_and_all_else_is_audited(
    tmp_path: Path, entries: object
) -> None:
    model = qwen_like(layers=2)
    FAULTS["missing_scale"](model)
    model.config["quantization_config"]["modules_to_not_convert"] = entries
    where = str(model.write(tmp_path))
    found = document("-m", where)
    rules = [one["rule"] for one in found["findings"]]
    assert rules == ["malformed_config", "missing_scale"]
    assert found["declared"]["modules_to_not_convert"] is None
    assert set(found["loaders"].values()) == {None}
    assert found["observed"]["looked_into"]["with_codes"] > 0
    with open_checkpoint(where) as opened:
        assert [one.rule for one in opened.audit().findings] == rules


def test_a_config_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    where = qwen_like(layers=1).write(tmp_path)
    (where / "config.json").write_bytes(b'{"quantization_config": ')
    result = invoke("audit", "-m", str(where), "--json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["declared"]) == (1, None)
    rules = [one["rule"] for one in found["findings"]]
    assert rules[0] == "malformed_config"
    assert set(rules[1:]) == {"scale_shape"}  # the block size is in the config
    assert found["observed"]["quantized_modules"] == 16


def test_errors_fail_where_warnings_do_not(tmp_path: Path) -> None:
    model = qwen_like()
    FAULTS["missing_scale"](model)
    where = str(model.write(tmp_path))
    assert invoke("audit", "-m", where, "--fail-on", "error").exit_code == 1


def test_the_document_has_a_row_for_every_module() -> None:
    found = document("-m", S1)
    observed = found["observed"]
    assert len(found["modules"]) == (
        observed["quantized_modules"] + observed["unquantized_modules"]
    )
    assert sum(row["quantized"] for row in found["modules"]) == observed["quantized_modules"]
    assert sum(family["modules"] for family in observed["quantized"]) == 200
    scales = [row["scales"] for row in found["modules"] if row["scales"] is not None]
    assert sum(scales) == observed["looked_into"]["scales"]


def test_what_was_chosen_is_said_and_what_was_left_out() -> None:
    everything = document("-m", S1, "--sample", "0")
    found = document("-m", S1, "--sample", "0", "--layers", "1", "--experts", "0..7")
    of_all = len(everything["modules"])
    assert everything["chosen"] is None
    assert found["chosen"] == {
        "layers": [1], "experts": list(range(8)), "modules": 24, "of_modules": of_all,
    }  # fmt: skip
    assert len(found["modules"]) == 24
    assert sum(family["modules"] for family in found["observed"]["quantized"]) == 24
    text = answer("audit", "-m", S1, "--layers", "1", "--fail-on", "error", "--format", "table")
    assert text.startswith(f"{S1}, layer 1: declares fp8")
    assert f"of {of_all}, by --layers and --experts" in text


def test_findings_say_what_to_do() -> None:
    assert "Decode by the stored dtype" in " ".join(
        invoke("audit", "-m", S1, "--format", "md").stdout.split()
    )


def test_the_flat_table_has_the_columns_of_the_documents_rows() -> None:
    rows = list(csv.DictReader(io.StringIO(answer("audit", "-m", E8M0, "--format", "csv"))))
    modules = document("-m", E8M0)["modules"]
    assert [row["name"] for row in rows] == [row["name"] for row in modules]
    assert list(rows[0]) == list(modules[0])


def test_quiet_names_the_quantized_modules() -> None:
    names = answer("audit", "-m", E8M0, "-q").splitlines()
    modules = document("-m", E8M0)["modules"]
    assert names == [row["name"] for row in modules if row["quantized"]]


def test_limit_bounds_rows() -> None:
    assert len(document("-m", E8M0, "--limit", "3")["modules"]) == 3


@pytest.mark.parametrize("form", ["table", "md", "html", "tsv", "jsonl"])
def test_every_format_is_written(form: str) -> None:
    assert "q_proj" in answer("audit", "-m", E8M0, "--format", form).replace("\\_", "_")


def test_a_plan_says_what_the_audit_reads() -> None:
    plan = json.loads(answer("audit", "-m", E8M0, "--plan", "--json"))
    before = document("-m", E8M0, "--sample", "0")["cost"]
    after = document("-m", E8M0)["cost"]
    assert plan["totals"]["requests"] == after["requests"] - before["requests"]
    assert plan["totals"]["bytes"] == after["bytes"] - before["bytes"]


def test_a_budget_is_kept_and_what_it_leaves_out_is_said() -> None:
    headers = document("-m", E8M0, "--sample", "0")["cost"]["bytes"]
    result = invoke("audit", "-m", E8M0, "--max-bytes", str(headers + 300_000), "--json")
    found = json.loads(result.stdout)
    assert found["cost"]["bytes"] <= headers + 300_000
    looked = found["observed"]["looked_into"]
    assert looked["left_out"] > 0
    assert looked["weights"] + looked["left_out"] == 16
    text = invoke(
        "audit", "-m", E8M0, "--max-bytes", str(headers + 300_000), "--format", "table"
    ).stdout
    assert f"--max-bytes left out {looked['left_out']} weights" in text


def test_more_is_read_in_full_than_of_a_sample() -> None:
    few, many = document("-m", S1, "--sample", "1"), document("-m", S1, "--full")
    assert many["observed"]["looked_into"]["with_codes"] == 200
    assert few["observed"]["looked_into"]["with_codes"] == 7


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    model = qwen_like(layers=1)
    model.tensors["a\x1b[31m.weight"] = model.tensors.pop("model.norm.weight")
    model.skip[:] = [entry for entry in model.skip if entry != "model.norm"]
    model.skip.append("dead\x1b[2Jentry")
    where = str(model.write(tmp_path))
    for form in ("table", "tsv", "csv", "md", "html", "json"):
        assert "\x1b" not in invoke("audit", "-m", where, "--format", form).stdout
