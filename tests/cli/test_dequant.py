"""`dequant` beyond safetensors: numpy files, columns, norms, the check of codes, packed weights."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.cli.oracle import decoded
from tests.cli.running import S1, answer, invoke
from tests.decode.quantized import pack
from tests.quantized import awq, bitsandbytes, gptq
from tests.strategies_arrays import Array, shard_of

EXPERT = "layers.0.mlp.experts.2"
FULL = f"model.language_model.{EXPERT}."


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer("dequant", *arguments, "--json"))
    return found


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_numpy_file_holds_one_weight(tmp_path: Path, dtype: str) -> None:
    file = tmp_path / "x.npy"
    answer("dequant", f"{EXPERT}.up_proj", "-m", S1, "-o", str(file), "--dtype", dtype)
    found = np.load(file, allow_pickle=False)
    expected = decoded(Path(S1), f"{FULL}up_proj.weight").astype(dtype)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_an_archive_holds_several_and_is_the_same_each_time(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.npz", "b.npz")]
    for file in files:
        answer("dequant", EXPERT, "-m", S1, "--rows", "3:70", "-o", str(file))
    assert files[0].read_bytes() == files[1].read_bytes()
    with np.load(files[0], allow_pickle=False) as found:
        names = [f"{FULL}{name}_proj.weight" for name in ("down", "gate", "up")]
        assert sorted(found) == names
        for name in names:
            np.testing.assert_array_equal(found[name], decoded(Path(S1), name)[3:70])


def test_an_archive_is_whole_or_not_there(tmp_path: Path) -> None:
    file = tmp_path / "x.npz"
    assert invoke("dequant", EXPERT, "-m", S1, "-o", str(file), "--max-bytes", "250kB").exit_code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_a_scalar_and_an_empty_weight_are_exported(tmp_path: Path, suffix: str) -> None:
    model = tmp_path / "model.safetensors"
    model.write_bytes(shard_of({"one": np.array(2.5, np.float32), "none": np.empty((0, 3), "f4")}))
    for name in ("one", "none"):
        file = tmp_path / f"{name}{suffix}"
        answer("dequant", name, "-m", str(model), "-o", str(file))
        assert file.stat().st_size > 0
        shape = () if name == "one" else (0, 3)
        if suffix == ".npy":
            assert np.load(file).shape == shape
        elif suffix == ".npz":
            assert np.load(file)[name].shape == shape


def test_a_name_that_would_leave_the_archive_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    model.write_bytes(shard_of({"../up.weight": np.ones(2, np.float32)}))
    file = tmp_path / "x.npz"
    result = invoke("dequant", "../up.weight", "-m", str(model), "-o", str(file))
    assert result.exit_code == 2
    assert "cannot be the name of an entry" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("columns", ["0:4", "5:", ":130", "127:129", ":"])
def test_columns_are_those_of_the_whole_weight(tmp_path: Path, columns: str) -> None:
    file = tmp_path / "x.npy"
    target = (f"{EXPERT}.up_proj", "-m", S1, "--rows", "100:150", "--columns", columns)
    (one,) = document(*target, "-o", str(file))["tensors"]
    start, stop = (int(side) if side else None for side in columns.split(":"))
    expected = decoded(Path(S1), f"{FULL}up_proj.weight")[100:150, start:stop]
    np.testing.assert_array_equal(np.load(file), expected)
    assert one["statistics"]["count"] == expected.size
    assert one["statistics"]["absmax"] == np.abs(expected).max()
    assert one["columns"] == [start or 0, 256 if stop is None else stop]
    assert one["rows"] == [100, 150]


def test_codes_are_counted_in_the_columns_alone() -> None:
    target = (f"{EXPERT}.up_proj", "-m", S1)
    (whole,) = document(*target)["tensors"]
    parts = [document(*target, "--columns", columns)["tensors"][0] for columns in (":100", "100:")]
    for figure in ("count", "zeros", "saturated"):
        total = sum(part["statistics"][figure] for part in parts)
        assert total == whole["statistics"][figure]


def test_norms_are_one_for_each_neuron() -> None:
    (one,) = document(f"{EXPERT}.down_proj", "-m", S1, "--norms")["tensors"]
    values = decoded(Path(S1), f"{FULL}down_proj.weight").astype(np.float64)
    for axis, name in ((1, "rows"), (0, "columns")):
        expected = np.linalg.norm(values, axis=axis)
        assert one["norms"][name]["values"] == pytest.approx(expected.tolist(), rel=1e-12)
        assert one["norms"][name]["largest"] == expected.argmax()
    assert document(f"{EXPERT}.down_proj", "-m", S1)["tensors"][0]["norms"] is None


def test_the_codes_of_the_samples_come_back() -> None:
    for model, rule in ((S1, "amax / 448"), (f"{S1}-e8m0", "rounded up to a power of two")):
        for one in document("layers.0", "-m", model, "--verify")["tensors"]:
            if one["scale"] is None:
                assert one["verified"] is None
            else:
                assert one["verified"]["rule"].endswith(rule)
                assert one["verified"]["fraction"] == 1.0


def test_the_histogram_counts_every_value_once() -> None:
    for one in document(EXPERT, "-m", S1)["tensors"]:
        drawn = one["histogram"]
        total = sum(drawn["counts"]) + drawn["below"] + drawn["above"]
        assert total == one["statistics"]["count"]
        assert len(drawn["edges"]) == len(drawn["counts"]) + 1


def test_a_report_with_bars_fits_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for target in (EXPERT, f"{EXPERT}.up_proj"):
        text = answer("dequant", target, "-m", S1, "--norms", "--verify", "-f", "table")
        assert "█" in text
        assert max(map(len, text.splitlines())) <= 80


def test_bars_are_in_the_page_too() -> None:
    text = answer("dequant", f"{EXPERT}.up_proj", "-m", S1, "-f", "html")
    assert "█" * 40 in text


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A weight of 4-bit integers whose rows do not fill their words."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, (6, 27), dtype=np.uint8)
    tensors: dict[str, Array] = {
        "layers.0.q_proj.weight_packed": pack(codes, 4, 32),
        "layers.0.q_proj.weight_scale": np.full((6, 1), 0.5, np.float32),
        "layers.0.q_proj.weight_shape": np.array([6, 27], np.int32),
    }
    folder = tmp_path / "packed"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(shard_of(tensors))
    weights = {"num_bits": 4, "strategy": "channel"}
    config = {"quantization_config": {"config_groups": {"group_0": {"weights": weights}}}}
    (folder / "config.json").write_text(json.dumps(config))
    np.save(tmp_path / "expected.npy", (codes.astype(np.float32) - 8) / 2)
    return folder


@pytest.mark.parametrize("target", ["q_proj", "layers.0.q_proj.weight", "q_proj.weight_packed"])
def test_a_packed_weight_has_its_own_name_and_shape(packed: Path, target: str) -> None:
    file = packed.parent / "x.npy"
    (one,) = document(target, "-m", str(packed), "-o", str(file))["tensors"]
    expected = np.load(packed.parent / "expected.npy")
    np.testing.assert_array_equal(np.load(file), expected)
    assert (one["name"], one["dtype"]) == ("layers.0.q_proj.weight", "I32")
    assert one["shape"] == [6, 27]
    assert one["statistics"]["count"] == 6 * 27
    assert one["scale"]["granularity"] == "channel"
    plan = invoke("dequant", target, "-m", str(packed), "--plan")
    assert plan.exit_code == 0


def test_the_entries_of_an_archive_are_streamed(tmp_path: Path) -> None:
    """Each entry says how long it is; none is deflated."""
    file = tmp_path / "x.npz"
    answer("dequant", EXPERT, "-m", S1, "-o", str(file))
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.file_size == 128 + 256 * 256 * 4


@pytest.mark.parametrize("target", ["layers.0.q_proj", "layers.0.q_proj.weight", "*"])
def test_a_scheme_that_is_not_decoded_is_refused_by_name(tmp_path: Path, target: str) -> None:
    model = tmp_path / "model.safetensors"
    model.write_bytes(shard_of(gptq("layers.0.q_proj", 16, 64)))
    found = invoke("dequant", target, "-m", str(model))
    assert found.exit_code == 5
    assert found.stdout == ""
    (line,) = found.stderr.splitlines()
    says = "GPTQ stores zero points as they are or less one, and no config says which"
    assert line.endswith(f"layers.0.q_proj.weight: {says}")


def test_bitsandbytes_is_planned_read_and_exported_in_its_own_shape(tmp_path: Path) -> None:
    model = tmp_path / "model.safetensors"
    model.write_bytes(shard_of(bitsandbytes("layers.0.q_proj", 16, 96)))
    file = tmp_path / "x.npy"
    planned = json.loads(answer("dequant", "q_proj", "-m", str(model), "--plan", "--json"))
    assert planned["reads"][1]["bytes"] >= 16 * 96 // 2 + 4 * 16 * 96 // 64
    found = json.loads(answer("dequant", "q_proj", "-m", str(model), "--json", "-o", str(file)))
    (weight,) = found["tensors"]
    assert (weight["shape"], weight["scale"]["block"]) == ([16, 96], [1, 64])
    low, high = (float(np.float32(0.5250730514526367)), float(np.float32(0.6961928009986877)))
    assert np.load(file)[5, :4].tolist() == [-high, -low, -high, -low]
    cut = json.loads(answer("dequant", "q_proj", "-m", str(model), "--json", "--rows", "3:5"))
    assert cut["tensors"][0]["statistics"]["count"] == 2 * 96


def test_awq_and_gptq_are_exported_by_their_own_names(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(
        shard_of(awq("layers.0.q_proj", 16, 64) | gptq("layers.0.k_proj", 32, 64))
    )
    claim = {"quant_method": "gptq", "bits": 4, "group_size": -1}
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": claim}))
    file = tmp_path / "x.safetensors"
    answer("dequant", "*", "-m", str(tmp_path), "-o", str(file))
    found = load_file(file)
    words = [(0x12345678 >> 4 * place) & 15 for place in range(8)]
    one_row = np.array(words * 8, np.float32) - 8  # a zero point of 7, stored less one
    np.testing.assert_array_equal(found["layers.0.k_proj.weight"], np.tile(one_row, (32, 1)))
    of_outputs = [words[place] - 7 for place in (0, 4, 1, 5, 2, 6, 3, 7)]
    expected = np.tile(np.array(of_outputs * 2, np.float32)[:, None], (1, 64))
    np.testing.assert_array_equal(found["layers.0.q_proj.weight"], expected)


def test_what_is_not_verified_is_said_in_a_line_for_each_reason() -> None:
    found = invoke("dequant", "layers.0", "--verify", "--json", "-m", S1)
    assert found.exit_code == 0
    rows = {one["name"]: one["verified"] for one in json.loads(found.stdout)["tensors"]}
    left_out = [name for name, verified in rows.items() if verified is None]
    (line,) = [line for line in found.stderr.splitlines() if line.startswith("not verified")]
    assert line == (f"not verified: {left_out[0]} and {len(left_out) - 1} more: it holds no codes")
    cut = invoke(
        "dequant", "layers.0.mlp.experts.2.up_proj", "--verify", "--columns", ":9", "-m", S1
    )
    assert "--columns cuts its blocks" in cut.stderr
