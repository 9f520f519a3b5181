"""`dequant -o`: the numbers are right, the names are whole, and the file is whole or not there."""

import json
import stat
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open

from tests.cli.oracle import decoded, stored
from tests.cli.running import FUSED, S1, answer, invoke, run

EXPERT = "layers.0.mlp.experts.2"
FULL = f"model.language_model.{EXPERT}."
DTYPES: dict[str, Any] = {
    "float32": np.float32,
    "bfloat16": ml_dtypes.bfloat16,
    "float16": np.float16,
}


def export(tmp_path: Path, *arguments: str, model: str = S1) -> dict[str, Any]:
    """The tensors of an export, as numpy reads them from the file."""
    file = tmp_path / "x.safetensors"
    answer("dequant", *arguments, "-m", model, "-o", str(file))
    with safe_open(file, framework="numpy") as opened:
        return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_export_holds_the_values_rounded_to_its_dtype(tmp_path: Path, dtype: str) -> None:
    found = export(tmp_path, EXPERT, "--dtype", dtype)
    assert sorted(found) == [f"{FULL}{name}_proj.weight" for name in ("down", "gate", "up")]
    for name, values in found.items():
        expected = decoded(Path(S1), name).astype(DTYPES[dtype])
        assert values.dtype == expected.dtype
        np.testing.assert_array_equal(values, expected)


def test_a_weight_without_a_scale_is_exported_as_it_is(tmp_path: Path) -> None:
    ((name, values),) = export(tmp_path, "lm_head").items()
    np.testing.assert_array_equal(values, stored(Path(S1), name))


def test_an_expert_of_a_fused_tensor_is_exported_under_its_own_name(tmp_path: Path) -> None:
    target = "layers.0.mlp.experts.7"
    found = export(tmp_path, target, model=FUSED)
    prefix = f"model.language_model.{target}."
    assert sorted(found) == [f"{prefix}{name}_proj.weight" for name in ("down", "gate", "up")]
    fused = stored(Path(FUSED), "model.language_model.layers.0.mlp.experts.gate_up_proj")[7]
    width = fused.shape[-1] // 2
    np.testing.assert_array_equal(found[f"{prefix}gate_proj.weight"], fused[:, :width].T)
    np.testing.assert_array_equal(found[f"{prefix}up_proj.weight"], fused[:, width:].T)


@pytest.mark.parametrize("rows", ["0:4", "5:", ":130", "127:129", ":", "255:256"])
def test_rows_are_those_of_the_whole_weight(tmp_path: Path, rows: str) -> None:
    ((name, values),) = export(tmp_path, f"{EXPERT}.up_proj", "--rows", rows).items()
    start, stop = (int(side) if side else None for side in rows.split(":"))
    np.testing.assert_array_equal(values, decoded(Path(S1), name)[start:stop])


def test_rows_alone_are_read() -> None:
    target = ("dequant", "layers.1.self_attn.q_proj", "-m", S1, "--json")
    few = json.loads(answer(*target, "--rows", "0:4"))
    every = json.loads(answer(*target))
    (tensor,) = few["tensors"]
    assert tensor["rows"] == [0, 4]
    assert tensor["statistics"]["count"] == 4 * tensor["shape"][1]
    assert every["cost"]["bytes"] - few["cost"]["bytes"] == 124 * tensor["shape"][1]


def test_the_report_stays_on_stdout_and_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    result = invoke("dequant", EXPERT, "-m", S1, "-o", str(file), "--json")
    document = json.loads(result.stdout)
    assert document["output"] == {
        "path": str(file), "dtype": "float32", "bytes": file.stat().st_size, "overflowed": 0
    }  # fmt: skip
    assert str(file) in result.stderr


def test_the_file_says_where_its_values_come_from(tmp_path: Path) -> None:
    export(tmp_path, EXPERT)
    with safe_open(tmp_path / "x.safetensors", framework="numpy") as opened:
        facts = opened.metadata()
    assert facts["source"] == S1
    assert facts["tool"].startswith("s1inspect ")
    assert "weight_scale_inv" in facts[f"from.{FULL}up_proj.weight"]


def test_a_failed_export_leaves_no_file_and_no_temporary(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    target = (EXPERT, "-m", S1, "-o", str(file))
    result = invoke("dequant", *target, "--max-bytes", "250kB")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "--max-bytes" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_failed_export_keeps_the_file_that_was_there(tmp_path: Path) -> None:
    file = tmp_path / "x.safetensors"
    file.write_bytes(b"before")
    assert invoke("dequant", EXPERT, "-m", S1, "-o", str(file), "--max-bytes", "250kB").exit_code
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {file.name: b"before"}


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "tsv", "md", "html"])
def test_a_report_takes_its_format_from_the_name_of_its_file(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"report.{suffix}"
    result = invoke("list-tensors", "lm_head", "-m", S1, "-o", str(file))
    assert (result.exit_code, result.stdout) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    printed = answer("list-tensors", "lm_head", "-m", S1, "-f", suffix)
    if suffix in ("csv", "tsv", "md", "jsonl"):
        assert file.read_text() == printed
    assert file.read_text()[:10] == printed[:10]


def test_a_report_in_a_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    answer("list-tensors", "-m", S1, "-o", str(tmp_path / "r.json"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


@pytest.mark.parametrize("name", ["list-tensors", "dequant"])
def test_an_output_that_is_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "x.safetensors"
    folder.mkdir()
    result = invoke(name, "lm_head", "-m", S1, "-o", str(folder))
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == [folder]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """A device was replaced by a file. The link keeps this test from harming the real one."""
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    done = run("list-tensors", "-m", S1, "-o", str(link), home=tmp_path)
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1
    assert "No space left on device" in done.stderr
    assert link.is_symlink()
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_values_beyond_float16_are_warned_of(tmp_path: Path) -> None:
    header = {"big.weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    text = json.dumps(header).encode()
    values = np.array([1.0, 1e6], dtype=np.float32).tobytes()
    model = tmp_path / "model.safetensors"
    model.write_bytes(len(text).to_bytes(8, "little") + text + values)
    file = str(tmp_path / "half.safetensors")
    arguments = ("dequant", "big", "-m", str(model), "--dtype", "float16", "-o", file)
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert "1 values of big.weight are infinite as float16" in result.stderr
