"""Weights of which only what is not zero is stored, beside the same weights whole."""

import json
from pathlib import Path

import numpy as np
import pytest

from inspector.analysis.compare.report import Weighed
from inspector.checkpoint.comparison import WeightComparison, sides_of
from tests.cli.running import answer
from tests.decode.test_sparse import compressed, pruned, thinned
from tests.quantized import Array, Model, opened

LAYERS = 3


def model(form: str) -> Model:
    """Layers of a router and a projection, two of each four of whose values are zero."""
    tensors: dict[str, Array] = {
        "model.embed_tokens.weight": thinned((96, 64), 1.0, 9),
        "model.norm.weight": np.ones(64, np.float32),
    }
    for layer in range(LAYERS):
        for number, part in enumerate(("mlp.gate", "self_attn.q_proj")):
            module = f"model.layers.{layer}.{part}"
            dense = thinned((16, 64), 1.0, 10 * layer + number)
            two_of_four = pruned(dense)
            stored = {"whole": {".weight": dense}, "run": compressed(dense), "2:4": two_of_four}
            tensors |= {f"{module}{end}": one for end, one in stored[form].items()}
    return Model(tensors, {"model_type": "qwen3_moe", "hidden_size": 64, "num_experts": 16})


def weighed(form: str) -> Weighed:
    (one, _), (other, _) = opened(model(form)), opened(model("whole"))
    sides = sides_of(one, other, config_only=False)
    return WeightComparison((one, other), sides, full=True, seed=0).read()


@pytest.mark.parametrize("form", ["run", "2:4"])
def test_a_sparse_model_is_compared_by_its_values_with_the_same_one_whole(form: str) -> None:
    """Routers tell of a hidden basis: one whose rows are not known yet is settled first."""
    expected, found = weighed("whole"), weighed(form)
    assert found.left_out == []
    assert len(found.weights) == 2 * LAYERS + 2
    assert {(row.cosine, row.relative_change) for row in found.weights} == {(1.0, 0.0)}
    assert found.lineage == expected.lineage


@pytest.mark.parametrize("form", ["run", "2:4"])
def test_an_audit_says_of_how_many_it_read_the_bitmasks(form: str, tmp_path: Path) -> None:
    words = ["audit", "-m", str(model(form).write(tmp_path / "model"))]
    text = answer(*words, "--format", "table")
    assert f"looked into {2 * LAYERS} bitmasks of unquantized weights" in text
    assert "quantized weights:" not in text
    planned = json.loads(answer(*words, "--plan", "--json"))
    assert f"{2 * LAYERS} bitmasks of unquantized ones" in planned["reads"][-1]["what"]
    whole, headers = (
        json.loads(answer(*words, *sample, "--json"))["cost"]["bytes"]
        for sample in ((), ("--sample", "0"))
    )
    assert planned["totals"]["bytes"] == whole - headers


@pytest.mark.parametrize("form", ["run", "2:4"])
def test_a_plan_of_a_whole_sparse_weight_is_what_is_read(form: str, tmp_path: Path) -> None:
    """Of some rows of a run it is an estimate: how much is stored of each is unread then."""
    folder = str(model(form).write(tmp_path / "model"))
    words = ["dequant", "layers.1.self_attn.q_proj", "-m", folder, "--json"]
    planned = json.loads(answer(*words, "--plan"))
    cost = json.loads(answer(*words))["cost"]
    assert planned["totals"]["bytes"] == cost["bytes"]
    assert not any(one["is_estimate"] for one in planned["reads"])
    of_rows = json.loads(answer(*words, "--plan", "--rows", "2:5"))
    assert any(one["is_estimate"] for one in of_rows["reads"]) == (form == "run")
