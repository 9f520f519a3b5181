"""The memory of an export does not grow with what is exported."""

import gc
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from inspector.checkpoint import cutting, reader
from tests.cli.running import answer
from tests.strategies_arrays import fp8_config, shard_of

COLUMNS, CHUNK = 512, 1 << 16


def peak(folder: Path, rows: int, suffix: str, scale_shape: tuple[int, ...]) -> int:
    """The most memory that is in use while weights of so many rows are exported."""
    folder.mkdir()
    codes = np.full((rows, COLUMNS), 0x38, np.uint8).view("float8_e4m3fn")
    tensors = {}
    for name in "abc" if suffix != ".npy" else "a":
        tensors[f"{name}.weight"] = codes
        tensors[f"{name}.weight_scale"] = np.ones(scale_shape, np.float32)
    (folder / "model.safetensors").write_bytes(shard_of(tensors))
    (folder / "config.json").write_text(json.dumps(fp8_config((128, 128))))
    target = ("dequant", *(f"{name[0]}.weight" for name in tensors if name.endswith("weight")))
    file = folder / f"x{suffix}"
    gc.collect()  # what other tests left is collected at a moment of its own
    tracemalloc.start()
    answer(*target, "-m", str(folder), "-o", str(file), "--dtype", "float16")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert file.stat().st_size >= rows * COLUMNS * 2
    return most


@pytest.mark.parametrize(
    ("suffix", "granularity"), [(".safetensors", "block"), (".npy", "tensor"), (".npz", "block")]
)
def test_four_times_the_rows_take_no_more_memory(
    tmp_path: Path, suffix: str, granularity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (cutting, reader):
        monkeypatch.setattr(module, "CHUNK_BYTES", CHUNK)
    shapes: dict[int, tuple[int, ...]] = {
        rows: (rows // 128, 4) if granularity == "block" else () for rows in (128, 1024, 4096)
    }
    peak(tmp_path / "warm", 128, suffix, shapes[128])
    few, many = (peak(tmp_path / str(rows), rows, suffix, shapes[rows]) for rows in (1024, 4096))
    codes_more = (4096 - 1024) * COLUMNS
    assert many < few + 8 * CHUNK < few + codes_more
    assert many < 4096 * COLUMNS * 4
