"""`compare` as a person runs it."""

import json
import shutil
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from inspector.decode.packed import code_table
from inspector.format.codings import NF4
from tests.cli.running import FUSED, QWEN3, S1, invoke
from tests.decode.quantized import pack
from tests.quantized import bitsandbytes_state
from tests.strategies_arrays import Array, shard_of

PARTS = {
    "schema", "tool_version", "model", "cost", "findings", "ref", "config", "parameters", "files",
    "tensors", "lineage", "weight_groups", "left_out", "weights",
}  # fmt: skip


def test_a_checkpoint_does_not_differ_from_itself() -> None:
    result = invoke("compare", "-m", S1, "-r", S1, "--full", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["findings"] == []
    assert {row["equal"] for row in found["weights"]} == {"bytes"}
    assert len(found["weights"]) == 248
    assert {row["status"] for row in found["config"]} == {"same"}


def test_the_document_has_the_parts_that_are_promised() -> None:
    found = json.loads(invoke("compare", "-m", S1, "-r", FUSED, "--json").stdout)
    assert set(found) == PARTS
    assert {"path", "model", "ref", "status"} <= set(found["config"][0])
    assert {"only_model", "only_ref", "changed"} <= set(found["tensors"])
    assert {"name", "cosine", "relative_change", "equal"} <= set(found["weights"][0])


@pytest.mark.parametrize(
    ("fail_on", "code"), [("error", 0), ("warning", 1), ("info", 1), ("never", 0)]
)
def test_differences_decide_the_exit_code(fail_on: str, code: int) -> None:
    result = invoke("compare", "-m", S1, "-r", QWEN3, "--config-only", "--fail-on", fail_on)
    assert result.exit_code == code


def test_fp8_experts_are_their_ancestors_up_to_rounding() -> None:
    """The attention of the FP8 sample is that of the BF16 one, quantized."""
    arguments = ("compare", "-m", S1, "-r", FUSED, "--full", "--json")
    rows = json.loads(invoke(*arguments).stdout)["weights"]
    attention = [row for row in rows if row["component"] == "attention"]
    assert len(attention) == 4
    assert {row["equal"] for row in attention} == {"quantization"}
    assert all(0.025 < row["relative_change"] < 0.028 for row in attention)


def test_configs_alone_are_compared_where_there_is_nothing_else(tmp_path: Path) -> None:
    for name, model in (("a", S1), ("b", FUSED)):
        (tmp_path / name).mkdir()
        shutil.copy(Path(model) / "config.json", tmp_path / name)
    result = invoke("compare", "-m", str(tmp_path / "a"), "-r", str(tmp_path / "b"), "--json")
    found = json.loads(result.stdout)
    assert (found["tensors"], found["weights"]) == (None, [])
    assert found["parameters"]["model"]["formula"]["total"] == 12_898_128
    assert found["cost"]["requests"] == 2


def test_small_files_beside_the_weights_are_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(Path(S1) / "config.json", tmp_path / name)
        settings = {"top_k": 50 if name == "a" else 20}
        (tmp_path / name / "generation_config.json").write_text(json.dumps(settings))
    (tmp_path / "a" / "tokenizer_PROT.model").write_bytes(b"x")
    result = invoke("compare", "-m", str(tmp_path / "a"), "-r", str(tmp_path / "b"), "--json")
    found = json.loads(result.stdout)
    assert [one["rule"] for one in found["findings"]] == ["file_in_one", "setting_changed"]
    assert result.exit_code == 0


def test_every_format_says_the_same_difference() -> None:
    arguments = ("compare", "-m", S1, "-r", FUSED, "--config-only", "--fail-on", "never")
    assert "config\ttext.num_experts\t32\t8\tchanged" in invoke(*arguments, "-f", "tsv").stdout
    markdown = invoke(*arguments, "-f", "md").stdout
    assert "| num\\_experts | 32 | 8 | differs |" in markdown
    assert "**quantities that the configs imply**" in markdown
    page = invoke(*arguments, "-f", "html").stdout
    assert "<td>num_experts</td>" in page
    lines = invoke(*arguments, "-f", "jsonl").stdout.splitlines()
    assert {"part", "name", "model", "ref", "status"} == set(json.loads(lines[0]))


def test_differences_leaves_out_what_is_the_same() -> None:
    arguments = ("compare", "-m", S1, "-r", FUSED, "--config-only", "-f", "table")
    assert "hidden_size" in invoke(*arguments).stdout
    assert "\nhidden_size" not in invoke(*arguments, "--differences").stdout


def test_quiet_names_what_differs() -> None:
    names = invoke("compare", "-m", S1, "-r", FUSED, "--config-only", "-q").stdout.splitlines()
    assert "text.num_experts" in names
    assert "text.hidden_size" not in names


def test_plan_says_what_a_comparison_reads() -> None:
    found = json.loads(invoke("compare", "-m", S1, "-r", FUSED, "--plan", "--json").stdout)
    assert [one["what"].split(" of ")[0] for one in found["reads"]] == ["rows", "rows"]
    assert all(one["bytes"] > 0 for one in found["reads"])


def test_a_reference_that_is_not_there_is_an_error() -> None:
    assert invoke("compare", "-m", S1, "-r", "/nowhere/at/all").exit_code == 3


def test_a_budget_that_is_too_small_is_said_before_weights_are_read() -> None:
    result = invoke("compare", "-m", S1, "-r", FUSED, "--full", "--max-bytes", "200kB")
    assert result.exit_code == 5
    assert "these weights take" in result.stderr
    assert "--no-weights" in result.stderr


def test_plan_of_a_comparison_without_weights_is_empty() -> None:
    arguments = ("compare", "-m", S1, "-r", FUSED, "--config-only", "--plan", "--json")
    assert json.loads(invoke(*arguments).stdout)["reads"] == []


def saved(folder: Path, tensors: dict[str, Array]) -> str:
    """A checkpoint whose config declares packed integers of 4 bits, in groups of 32 columns."""
    weights = {"num_bits": 4, "group_size": 32}
    config = {"quantization_config": {"config_groups": {"0": {"weights": weights}}}}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(shard_of(tensors))
    return str(folder)


def packed(codes: Array, scale: Array, columns: int) -> dict[str, Array]:
    module = "model.layers.0.self_attn.q_proj"
    return {
        f"{module}.weight_packed": pack(codes, 4, 32),
        f"{module}.weight_scale": scale,
        f"{module}.weight_shape": np.array([len(codes), columns], np.int64),
    }


def test_packed_integers_are_compared_with_their_originals(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 16, (24, 64), dtype=np.uint8)
    scale = np.exp2(rng.integers(-9, -5, (24, 2))).astype(np.float32)
    values = (codes.astype(np.float32) - 8) * np.repeat(scale, 32, axis=1)
    plain = {"model.layers.0.self_attn.q_proj.weight": values.astype(ml_dtypes.bfloat16)}
    changed = packed(codes ^ 8, scale, 64)
    ours = saved(tmp_path / "packed", packed(codes, scale, 64))
    refs = {"values": plain, "bytes": packed(codes, scale, 64), "no": changed}
    for expected, tensors in refs.items():
        ref = saved(tmp_path / expected, tensors)
        found = json.loads(invoke("compare", "--ref", ref, "-m", ours, "--json").stdout)
        (row,) = found["weights"]
        assert row["name"] == "layers.0.self_attn.q_proj.weight"
        assert (row["equal"], row["rows_of"]) == (expected, 24)


def test_packed_integers_whose_true_shapes_differ_are_left_out(tmp_path: Path) -> None:
    """Both fill their words up to 64 columns; what `weight_shape` says is read with the weights."""
    codes, scale = np.full((24, 64), 9, np.uint8), np.ones((24, 2), np.float32)
    ours, ref = (
        saved(tmp_path / str(columns), packed(codes, scale, columns)) for columns in (64, 60)
    )
    found = json.loads(invoke("compare", "--ref", ref, "-m", ours, "--json").stdout)
    assert found["weights"] == []
    assert found["left_out"] == ["layers.0.self_attn.q_proj.weight"]


@pytest.mark.parametrize("nested", [False, True])
def test_bitsandbytes_is_compared_with_its_original_though_no_header_has_its_shape(
    tmp_path: Path, *, nested: bool
) -> None:
    """Each weight by its own state: the offset of nested scales is another in each."""
    rng = np.random.default_rng(2)
    original: dict[str, Array] = {}
    stored: dict[str, Array] = {}
    for layer in range(2):
        name = f"model.layers.{layer}.mlp.experts.0.up_proj.weight"
        values = rng.normal(0, 1 + 8 * layer, (32, 96)).astype(np.float32)
        original[name] = values.astype(ml_dtypes.bfloat16)
        stored |= {f"{name}{end}": one for end, one in nf4_of(values, nested=nested).items()}
    for folder, tensors in (("model", stored), ("ref", original)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.safetensors").write_bytes(shard_of(tensors))
        (tmp_path / folder / "config.json").write_text('{"hidden_size": 96}')
    arguments = ("-m", str(tmp_path / "model"), "-r", str(tmp_path / "ref"), "--json", "--full")
    found = json.loads(invoke("compare", *arguments).stdout)
    assert len(found["weights"]) == 2
    for weight in found["weights"]:
        assert 0.99 < weight["cosine"] < 1
        assert weight["relative_change"] < 0.12
    for name in stored:
        if name.endswith("nf4"):
            stored[name] = np.zeros(4, np.uint8)
    (tmp_path / "model" / "model.safetensors").write_bytes(shard_of(stored))
    assert json.loads(invoke("compare", *arguments).stdout)["weights"] == []


def nf4_of(values: Array, *, nested: bool) -> dict[str, Array]:
    """What bitsandbytes makes of a matrix; nested scales are 256 steps of one range."""
    table = code_table(NF4)
    blocks = values.reshape(-1, 32)
    scales = np.abs(blocks).max(axis=1)
    state: dict[str, float] = {}
    beside: dict[str, Array] = {".absmax": scales}
    if nested:
        offset, reach = float(np.float32(scales.mean())), np.float32(np.ptp(scales))
        steps = np.linspace(-1, 1, 256, dtype=np.float32)
        coded = np.abs((scales[:, None] - offset) / reach - steps).argmin(axis=1).astype(np.uint8)
        scales = steps[coded] * reach + np.float32(offset)
        state = {"nested_blocksize": 256, "nested_offset": offset}
        beside = {".absmax": coded, ".nested_absmax": np.array([reach]), ".nested_quant_map": steps}
    codes = np.abs(blocks[:, :, None] / scales[:, None, None] - table).argmin(axis=2).reshape(-1)
    said = bitsandbytes_state((values.shape[0], values.shape[1]), 32, **state)
    return {
        "": ((codes[0::2] << 4) | codes[1::2]).astype(np.uint8)[:, None],
        ".quant_map": table, ".quant_state.bitsandbytes__nf4": said, **beside,
    }  # fmt: skip
