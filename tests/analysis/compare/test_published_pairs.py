"""Pairs of published models on PyPI: a base and its fine-tune, two trained apart, one and its int8.

Needs the internet, to download three packages (32 MB); off by default.
"""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.running import invoke

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.network

_CHGNET = {
    "0.2.0": "0.2.0/chgnet_0.2.0_e30f77s348m32",
    "0.3.0": "0.3.0/chgnet_0.3.0_e29f68s314m37",
    "r2scan": "r2scan/chgnet_r2scan_transfer_learning_e15f36s161m23",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints as safetensors; CHGNet's are converted from PyTorch's format."""
    from safetensors.torch import save_file

    home = tmp_path_factory.mktemp("pypi")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(home)]
    subprocess.run([*pip, "chgnet==0.4.2", "fracast==0.1.0"], check=True)  # noqa: S603
    with zipfile.ZipFile(next(home.glob("chgnet-*.whl"))) as wheel:
        for name, path in _CHGNET.items():
            content = wheel.read(f"chgnet/pretrained/{path}.pth.tar")
            state = _tensors(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
            save_file(state, home / f"chgnet-{name}.safetensors")
    with zipfile.ZipFile(next(home.glob("fracast-*.whl"))) as wheel:
        for name in ("model", "model.int8"):
            content = wheel.read(f"fracast/weights/{name}.safetensors")
            (home / f"fracast-{name}.safetensors").write_bytes(content)
    return home


def _tensors(saved: dict[str, Any]) -> dict[str, Any]:
    state = saved["model"]["state_dict"]
    return {name: value.contiguous() for name, value in state.items() if torch.is_tensor(value)}


def rows(folder: Path, model: str, ref: str) -> list[dict[str, Any]]:
    paths = [str(folder / f"{name}.safetensors") for name in (model, ref)]
    result = invoke("compare", "-m", paths[0], "-r", paths[1], "--full", "--json")
    found: list[dict[str, Any]] = json.loads(result.stdout)["weights"]
    return found


def median(found: list[dict[str, Any]], figure: str) -> float:
    return float(np.median([row[figure] for row in found if row[figure] is not None]))


def test_a_fine_tune_is_near_its_base(folder: Path) -> None:
    found = rows(folder, "chgnet-r2scan", "chgnet-0.3.0")
    assert len(found) == 136
    assert median(found, "cosine") > 0.99
    assert median(found, "relative_change") < 0.15


def test_models_trained_apart_are_not_although_names_and_shapes_agree(folder: Path) -> None:
    found = rows(folder, "chgnet-0.3.0", "chgnet-0.2.0")
    assert len(found) == 83
    assert abs(median(found, "cosine")) < 0.05
    assert median(found, "relative_change") > 1


def test_a_model_and_its_int8_version_differ_by_rounding_alone(folder: Path) -> None:
    found = rows(folder, "fracast-model.int8", "fracast-model")
    assert {row["equal"] for row in found} == {"bytes", "quantization"}
    assert sum(row["equal"] == "quantization" for row in found) >= 15
