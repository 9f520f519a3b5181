"""The study's models in memory are read as a checkpoint would be, and its runs count rightly."""

import numpy as np
import pytest

from benchmarks.study.generator import draw_layer, fp8_values
from benchmarks.study.outcome import Outcome
from benchmarks.study.runs import RELATIONS, mixed_run, scratch_run
from benchmarks.study.sides import HEIGHT, LayerArrays, ModelInMemory
from inspector.format.dtypes import Dtype
from inspector.layout.families import Projection

EACH_RUN = {"layers": 1, "neurons": 192, "references": 20}


@pytest.fixture(scope="module")
def arrays() -> LayerArrays:
    rng = np.random.default_rng(8)
    down, gate = draw_layer(HEIGHT, 192, rng), draw_layer(HEIGHT, HEIGHT, rng)
    return LayerArrays(down.draw(3, rng), gate.draw(3, rng), gate.draw(3, rng))


@pytest.fixture(scope="module")
def mixed() -> Outcome:
    return mixed_run(EACH_RUN | {"each": 1}, np.random.default_rng(4))


def test_codes_times_scales_are_the_quantized_weights(arrays: LayerArrays) -> None:
    model = ModelInMemory({0: arrays}, Dtype.F8_E4M3)
    rows = range(5, 9)
    scales = model.scales(0, [2, 0], Projection.DOWN, rows)
    assert scales is not None
    values = model.read(0, [2, 0], Projection.DOWN, rows) * scales.values
    np.testing.assert_array_equal(values, fp8_values(arrays.down)[[2, 0], 5:9])


def test_a_row_of_gate_is_a_neuron(arrays: LayerArrays) -> None:
    model = ModelInMemory({0: arrays}, Dtype.BF16)
    assert model.shape(0, Projection.GATE) == (192, HEIGHT)
    row = model.read(0, [1], Projection.GATE, [7])[0, 0]
    np.testing.assert_allclose(row, arrays.gate[1, :, 7], rtol=2**-8)


def test_a_model_without_scales_says_so(arrays: LayerArrays) -> None:
    model = ModelInMemory({0: arrays}, Dtype.BF16)
    assert model.scales(0, [0], Projection.DOWN, [0]) is None
    assert model.scale_cost(0, [0], Projection.DOWN, [0]) == 0


def test_every_expert_of_a_mixed_run_is_counted_once(mixed: Outcome) -> None:
    assert [mixed.counts[f"{name}: experts"] for name in RELATIONS] == [1] * len(RELATIONS)


@pytest.mark.parametrize("name", ["copy", "drift 1", "permuted, drift 0.3", "down_proj new"])
def test_clear_relations_are_named_with_their_parent(mixed: Outcome, name: str) -> None:
    assert mixed.counts[f"{name}: parents"] == 1
    assert mixed.counts[f"{name}: wrong"] == 0


def test_experts_of_zeros_and_from_scratch_are_given_no_parent(mixed: Outcome) -> None:
    assert mixed.counts["all zero: verdict"] == 1
    assert mixed.counts["from scratch: parents"] == 1


def test_nothing_descends_in_a_run_from_scratch() -> None:
    found = scratch_run(EACH_RUN | {"targets": 6}, np.random.default_rng(4))
    assert found.counts["experts"] == 6
    assert found.counts["parents"] == 0
