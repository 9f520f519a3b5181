import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from inspector import (
    AuditReport,
    BudgetExceeded,
    CheckReport,
    CompareReport,
    DequantReport,
    NameNotFound,
    ObjectNotFound,
    OpenCheckpoint,
    ParamsReport,
    SimilarityReport,
    UsageError,
    open_checkpoint,
    read_report,
)
from inspector.checkpoint import Access, Checkpoint, ReadPolicy
from inspector.source.base import Ledger
from tests.checkpoint.test_locate import NAMES, even, header_reads, source_of
from tests.cli.running import FUSED, QWEN3, S1, answer

UP = "model.language_model.layers.1.mlp.experts.20.up_proj.weight"
HOSTILE = "<img src=x onerror=alert(1)>\u202e.weight"

AnyReport = (
    AuditReport | CheckReport | CompareReport | DequantReport | ParamsReport | SimilarityReport
)


@pytest.fixture(scope="module")
def model() -> Iterator[OpenCheckpoint]:
    with open_checkpoint(S1, cache=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def reports(model: OpenCheckpoint) -> dict[str, AnyReport]:
    """Each question asked once, small."""
    with open_checkpoint(S1, cache=False) as fresh:  # whose table has not been asked for
        dequant = fresh.dequant("layers.0.self_attn.k_proj")
    return {
        "audit": model.audit(sample=1),
        "check": model.check(),
        "compare": model.compare(FUSED, config_only=True),
        "dequant": dequant,
        "expert-similarity": model.expert_similarity(QWEN3, layers=[0], experts=range(2)),
        "params": model.params(QWEN3),
    }


COMMANDS = {
    "audit": ("audit", "--sample", "1", "--fail-on", "never"),
    "check": ("check",),
    "compare": ("compare", "-r", FUSED, "--config-only", "--fail-on", "never"),
    "dequant": ("dequant", "layers.0.self_attn.k_proj", "--norms"),
    "expert-similarity": (
        "expert-similarity", "-r", QWEN3, "--layers", "0", "--experts", "0..1",
    ),
    "params": ("params", QWEN3),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_report_is_the_document_of_the_command(
    command: str, reports: dict[str, AnyReport]
) -> None:
    ours = json.loads(reports[command].to_json())
    theirs = json.loads(answer(*COMMANDS[command], "-m", S1, "--json", "--no-cache"))
    assert ours.pop("cost").keys() == theirs.pop("cost").keys()
    assert ours == theirs


@pytest.mark.parametrize("command", COMMANDS)
def test_a_report_is_saved_and_read_back(
    command: str, reports: dict[str, AnyReport], tmp_path: Path
) -> None:
    report = reports[command]
    report.save(tmp_path / "report.json")
    back = read_report(tmp_path / "report.json")
    assert type(back) is type(report)
    assert json.loads(back.to_json()) == json.loads(report.to_json())
    assert str(back) == str(report)
    assert back.to_dict()["schema"] == f"s1inspect/{command}/1"
    assert repr(back) == f"<{type(report).__name__}: {report.answer}>"


def test_a_report_is_saved_as_a_page_or_a_document_and_as_nothing_else(
    reports: dict[str, AnyReport], tmp_path: Path
) -> None:
    reports["check"].save(tmp_path / "check.html")
    assert (tmp_path / "check.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(UsageError, match=r"expected a name in \.html or \.json, found \.pdf"):
        reports["check"].save(tmp_path / "check.pdf")
    assert [path.name for path in tmp_path.iterdir()] == ["check.html"]


def test_the_flat_table_is_a_dict_a_row(reports: dict[str, AnyReport]) -> None:
    rows = reports["expert-similarity"].to_rows()
    assert [(row["layer"], row["expert"], row["verdict"]) for row in rows] == [
        (0, 0, "exact_copy"),
        (0, 1, "descendant"),
    ]


def test_a_report_in_a_notebook_is_its_answer_and_its_tables(
    reports: dict[str, AnyReport],
) -> None:
    html = reports["audit"]._repr_html_()
    assert "declares fp8; 200 modules quantized, 30 not" in html
    assert html.count("<table>") == html.count("</table>") > 3
    assert "<script" not in html


def test_each_report_says_what_it_has_cost_itself(model: OpenCheckpoint) -> None:
    first, second = model.compare(FUSED, config_only=True), model.params()
    assert first.cost.requests > 0
    assert second.cost.requests == 0
    assert model.cost.requests >= first.cost.requests


def test_rows_are_those_of_the_whole_and_only_they_are_read() -> None:
    with open_checkpoint(S1, cache=False) as model:
        weight = model[UP]
        before = model.cost.bytes
        rows = weight.rows(8, 16)
        scale = 4 * 2  # F32 by [128, 128] of 256 columns
        assert model.cost.bytes - before == 8 * 256 + scale
        whole = weight.decode()
    assert whole.shape == weight.shape == (256, 256)
    assert np.array_equal(rows, whole[8:16])
    assert weight.stored_bytes == whole.size


def test_a_weight_is_sliced_as_an_array(model: OpenCheckpoint) -> None:
    weight = model["layers.1.mlp.experts.20.up_proj"]
    whole = np.asarray(weight)
    assert np.array_equal(weight[3], whole[3])
    assert np.array_equal(weight[-1], whole[-1])
    assert np.array_equal(weight[4:20:3, 5:9], whole[4:20:3, 5:9])
    assert weight[9:9].shape == (0, 256)
    assert np.array_equal(np.asarray(weight, dtype=np.float64), whole.astype(np.float64))
    with pytest.raises(UsageError, match=r"expected rows in \[0, 256\), found 250:257"):
        weight.rows(250, 257)
    with pytest.raises(UsageError, match="goes forward, found step -1"):
        weight[::-1]


def test_codes_are_what_is_stored_and_the_scale_goes_with_them(model: OpenCheckpoint) -> None:
    weight = model["layers.1.mlp.experts.20.up_proj"]
    assert weight.scale is not None
    stored = model[weight.name].codes(0, 8).astype(np.float32)
    assert (weight.dtype, weight.scale.dtype, weight.scale.block) == ("F8_E4M3", "F32", (128, 128))
    ratio = weight.rows(0, 8)[:, :128] / np.where(stored[:, :128] == 0, np.nan, stored[:, :128])
    assert np.nanmax(ratio) == pytest.approx(np.nanmin(ratio), rel=1e-5)


def test_statistics_are_those_of_the_decoded_values(model: OpenCheckpoint) -> None:
    weight = model["layers.1.mlp.experts.20.up_proj"]
    found = weight.statistics(0, 64)
    assert found.count == 64 * 256
    assert found.mean == pytest.approx(float(weight.rows(0, 64).mean(dtype=np.float64)))


def test_an_expert_of_a_fused_tensor_has_the_name_of_a_separate_one() -> None:
    with open_checkpoint(FUSED, cache=False) as model:
        weight = model["layers.0.mlp.experts.3.up_proj"]
        assert weight.name.endswith("layers.0.mlp.experts.3.up_proj.weight")
        assert weight.rows(0, 2).shape[0] == 2


def test_a_module_is_several_weights_and_a_missing_name_has_neighbours(
    model: OpenCheckpoint,
) -> None:
    with pytest.raises(UsageError, match="means 3 weights"):
        model["layers.0.mlp.experts.3"]
    assert len(model.weights("layers.0.mlp.experts.3")) == 3
    assert len(model.weights("layers.*.mlp.experts.*.up_proj", layers=[1], experts=range(5))) == 5
    with pytest.raises(NameNotFound) as failed:
        model["layers.0.mlp.experts.3.upproj"]
    assert "layers.0.mlp.experts.3.up_proj" in failed.value.hint


def test_a_name_looked_up_first_leaves_the_whole_table_whole() -> None:
    with open_checkpoint(S1, cache=False) as model:
        assert model[UP].name == UP
        assert len(model.tensors) == 448


def test_tensors_are_a_sequence_that_selects(model: OpenCheckpoint) -> None:
    tensors = model.tensors
    assert len(tensors) == len(list(tensors)) == tensors.totals.tensors == 448
    assert tensors[UP] == next(row for row in tensors if row.name == UP)
    assert tensors.find("lm_head") is None
    experts = tensors.select("layers.0.mlp.experts.{3..4}")
    assert len(experts) == len(experts.names) == 12
    assert len(experts.select("experts.3")) == 6
    assert experts.find(UP) is None
    with pytest.raises(NameNotFound):
        experts[UP]
    assert [row.name for row in experts[:2]] == experts.names[:2]
    assert {group.tensors for group in experts.groups()} == {2}
    assert [bucket.key for bucket in experts.by("dtype")] == ["F32", "F8_E4M3"]


def test_tensors_become_columns_of_plain_values(model: OpenCheckpoint) -> None:
    columns = model.tensors.select("lm_head").to_columns()
    assert {name: values[0] for name, values in columns.items()} == {
        "name": "lm_head.weight", "dtype": "BF16", "shape": [144, 256], "count": 36864,
        "bytes": 73728, "shard": "model-00001-of-00005.safetensors", "start": 14632, "stop": 88360,
    }  # fmt: skip
    assert type(columns["dtype"][0]) is str


def test_names_of_strangers_are_text_in_a_notebook(tmp_path: Path) -> None:
    save_file({HOSTILE: np.zeros((2, 2), np.float32)}, tmp_path / "model.safetensors")
    with open_checkpoint(str(tmp_path), cache=False) as model:
        shown = (model, model.tensors, model[HOSTILE], model.dequant(HOSTILE))
        for one in shown:
            assert "<img" not in one._repr_html_()
            assert "\u202e" not in one._repr_html_() + repr(one)


def test_a_checkpoint_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound):
        open_checkpoint(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no document of s1inspect"),
        ('{"schema": "s1inspect/cache/1"}', "found schema 's1inspect/cache/1'"),
        ('{"schema": "s1inspect/check/1"}', "not as s1inspect/check/1 describes"),
        ("\xff", "no document of s1inspect"),
    ],
    ids=["cut short", "of no checkpoint", "without its fields", "no UTF-8"],
)
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=said):
        read_report(path)
    with pytest.raises(ObjectNotFound, match="cannot be read"):
        read_report(tmp_path / "nothing.json")


def test_a_weight_over_a_network_is_found_without_the_headers_of_all_shards() -> None:
    source = source_of(even(NAMES, 60), padding=20_000)
    access = Access()
    below = Checkpoint(source, Ledger(), ReadPolicy(jobs=4), access=access)
    model = OpenCheckpoint(below, access)
    assert model["layers.3.mlp.experts.7.up_proj"].shape == (1,)
    assert len(header_reads(source)) < 10
    assert len(model.tensors) == len(NAMES)
    assert len(header_reads(source)) == 60
    source.reads.clear()
    assert model["layers.9.mlp.experts.1.up_proj"].shape == (1,)
    assert source.reads == []


def test_a_byte_budget_holds_for_everything_that_is_asked() -> None:
    with open_checkpoint(S1, cache=False, max_bytes=150_000) as model:
        assert len(model.tensors) == 448
        with pytest.raises(BudgetExceeded):
            model["lm_head"].decode()


def test_an_audit_of_chosen_modules_is_that_of_the_command(model: OpenCheckpoint) -> None:
    ours = json.loads(model.audit(sample=1, layers=[1], experts=range(3)).to_json())
    options = ("--sample", "1", "--layers", "1", "--experts", "0..2", "--fail-on", "never")
    theirs = json.loads(answer("audit", *options, "-m", S1, "--json", "--no-cache"))
    del ours["cost"], theirs["cost"]
    assert ours == theirs
    assert ours["chosen"]["experts"] == [0, 1, 2]


@pytest.mark.parametrize(("layers", "said"), [([0, 1, 7], "0..1,7"), ([77], "77"), ([], "none")])
def test_an_audit_of_no_module_says_which_were_asked_for(
    model: OpenCheckpoint, layers: list[int], said: str
) -> None:
    with pytest.raises(UsageError, match=rf"{re.escape(said)}, expert 999: there is no such"):
        model.audit(layers=layers, experts=[999])


def test_several_references_are_told_apart_as_by_the_command(
    model: OpenCheckpoint, tmp_path: Path
) -> None:
    for name, one in (("a", QWEN3), ("b", FUSED)):
        (tmp_path / name).symlink_to(one)

    def told(ref: str | list[str | OpenCheckpoint]) -> dict[str, Any]:
        report = model.expert_similarity(ref, layers=[0], experts=range(4))
        found: dict[str, Any] = json.loads(report.to_json())
        return found

    with open_checkpoint(str(tmp_path / "b"), cache=False) as other:
        ours = told([str(tmp_path / "a"), other])
    in_folder = told(str(tmp_path))
    options = ("-m", S1, "-r", str(tmp_path), "--layers", "0", "--experts", "0..3")
    theirs = json.loads(answer("expert-similarity", *options, "--json", "--no-cache"))
    for found in (ours, in_folder, theirs):
        found["cost"] = None
    assert ours == in_folder == theirs
    assert [one["ref"] for one in ours["refs"]] == ["a", "b"]
    with pytest.raises(UsageError, match="no reference is named"):
        model.expert_similarity([])


def test_layers_are_mapped_as_by_the_command(model: OpenCheckpoint) -> None:
    report = model.expert_similarity(QWEN3, layers=[0], experts=[0], layer_map="0:1").to_dict()
    (pair,) = report["layer_map"]["pairs"]
    assert (pair["layer"], pair["ref_layer"]) == (0, 1)
