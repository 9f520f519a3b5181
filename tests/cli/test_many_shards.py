"""Checkpoints with more shards than a process may have files open."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from inspector.config import CONFIG_NAME
from inspector.format.index import INDEX_NAME
from tests.cli.running import PROGRAM, ROOT, environment
from tests.quantized import E4M3
from tests.strategies_arrays import shard_of

SHARDS: Final = 300
MOST_FILES: Final = 64
_LIMITED: Final = ("sh", "-c", f'ulimit -n {MOST_FILES} && exec "$@"', "sh")

CONFIG: Final = {
    "model_type": "qwen3",
    "quantization_config": {
        "quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128],
    },
}  # fmt: skip


def write(folder: Path, seed: int) -> str:
    """A layer a shard: one FP8 matrix and its scale."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    weight_map: dict[str, str] = {}
    for layer in range(SHARDS):
        name = f"model.layers.{layer}.mlp.up_proj.weight"
        values = rng.standard_normal((16, 16)).astype(np.float32)
        scale = np.abs(values).max() / np.float32(448)
        tensors = {
            name: (values / scale).astype(E4M3),
            f"{name}_scale_inv": np.full((1, 1), scale, np.float32),
        }
        shard = f"model-{layer + 1:05}-of-{SHARDS:05}.safetensors"
        (folder / shard).write_bytes(shard_of(tensors))
        weight_map |= dict.fromkeys(tensors, shard)
    (folder / INDEX_NAME).write_text(json.dumps({"weight_map": weight_map}))
    (folder / CONFIG_NAME).write_text(json.dumps(CONFIG))
    return str(folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return write(folder / "one", 1), write(folder / "other", 2)


@pytest.mark.skipif(sys.platform == "win32", reason="ulimit is of Unix")
@pytest.mark.parametrize(
    ("command", "rows", "count"),
    [
        (("list-tensors",), "tensors", 2 * SHARDS),
        (("dequant", "layers.*.mlp.up_proj"), "tensors", SHARDS),
        (("audit", "--sample", str(SHARDS), "--fail-on", "never"), "modules", SHARDS),
        (("compare", "--fail-on", "never"), "weights", 4),
        (("compare", "--full", "--fail-on", "never"), "weights", SHARDS),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else None,
)
def test_few_files_are_open_at_a_time(
    command: tuple[str, ...], rows: str, count: int, models: tuple[str, str], tmp_path: Path
) -> None:
    model, ref = models
    reference = ("--ref", ref) if command[0] == "compare" else ()
    asked = [*_LIMITED, *PROGRAM, *command, "-m", model, *reference, "--json", "--no-cache"]
    done = subprocess.run(  # noqa: S603  our own program
        asked, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)[rows]) == count
