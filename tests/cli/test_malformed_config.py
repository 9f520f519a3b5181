"""A config that is malformed ends no listing; a weight that needs it is refused by name."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inspector.decode.numeric import NUMPY_DTYPES
from inspector.format.dtypes import Dtype
from tests.cli.running import answer, invoke
from tests.strategies_arrays import Array, shard_of

E4M3 = NUMPY_DTYPES[Dtype.F8_E4M3]
WORDS: dict[str, Array] = {
    "packed.weight_packed": np.zeros((4, 8), np.int32),
    "packed.weight_scale": np.ones((4, 2), np.float32),
    "packed.weight_shape": np.array([4, 64]),
}
TENSORS: dict[str, Array] = WORDS | {
    "block.weight": np.ones((4, 8), E4M3),
    "block.weight_scale_inv": np.ones((2, 2), np.float32),
    "channel.weight": np.ones((4, 8), E4M3),
    "channel.weight_scale_inv": np.ones((4, 1), np.float32),
}
NO_JSON = b'{"quantization_config": '


def groups(**weights: Any) -> dict[str, Any]:
    return {"quantization_config": {"config_groups": {"group_0": {"weights": weights}}}}


MALFORMED: dict[str, tuple[bytes | dict[str, Any], str]] = {
    "no JSON": (NO_JSON, "not a JSON object"),
    "a list": (b"[]", "not a JSON object"),
    "hidden size": ({"hidden_size": "big"}, "hidden_size"),
    "claim": ({"text_config": 1}, "text_config"),
    "block size": ({"quantization_config": {"weight_block_size": [2]}}, "weight_block_size"),
    "bits": (groups(num_bits="4", group_size=32), "num_bits"),
    "list": ({"quantization_config": {"modules_to_not_convert": 1}}, "modules_to_not_convert"),
}


def write(folder: Path, config: bytes | dict[str, Any]) -> str:
    (folder / "model.safetensors").write_bytes(shard_of(TENSORS))
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    (folder / "config.json").write_bytes(text)
    return str(folder)


@pytest.mark.parametrize("why", MALFORMED)
def test_a_listing_answers_and_reports_it(tmp_path: Path, why: str) -> None:
    config, word = MALFORMED[why]
    found = json.loads(answer("list-tensors", "-m", write(tmp_path, config), "--json"))
    assert found["totals"]["tensors"] == len(TENSORS)
    (finding,) = found["findings"]
    assert (finding["rule"], finding["severity"]) == ("malformed_config", "warning")
    assert finding["where"]["shard"] == "config.json"
    assert word in finding["message"] + finding["found"]


@pytest.mark.parametrize("why", MALFORMED)
def test_a_weight_that_needs_no_config_is_decoded(tmp_path: Path, why: str) -> None:
    where = write(tmp_path, MALFORMED[why][0])
    found = json.loads(answer("dequant", "channel.weight", "-m", where, "--json"))
    assert found["tensors"][0]["statistics"]["count"] == 32
    assert [one["rule"] for one in found["findings"]] == ["malformed_config"]


@pytest.mark.parametrize(
    ("why", "target"), [("no JSON", "block"), ("block size", "block"), ("bits", "packed")]
)
def test_a_weight_that_needs_what_is_malformed_is_refused_by_that(
    tmp_path: Path, why: str, target: str
) -> None:
    config, word = MALFORMED[why]
    found = invoke("dequant", f"{target}.weight", "-m", write(tmp_path, config))
    assert found.exit_code == 5
    line, hint = found.stderr.splitlines()
    assert "declared; " in line
    assert word in line
    assert hint


def test_a_malformed_file_beside_the_config_is_a_finding_too(tmp_path: Path) -> None:
    where = write(tmp_path, {"model_type": "m"})
    (tmp_path / "hf_quant_config.json").write_bytes(b'{"quantization": 3}')
    found = json.loads(answer("list-tensors", "-m", where, "--json"))
    (finding,) = found["findings"]
    assert finding["where"]["shard"] == "hf_quant_config.json"
    assert answer("dequant", "channel.weight", "-m", where)
