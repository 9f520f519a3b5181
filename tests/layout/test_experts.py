import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.checkpoint import Checkpoint, open_checkpoint
from inspector.errors import LayoutError
from inspector.format.dtypes import Dtype
from inspector.layout.experts import ExpertKey
from inspector.layout.families import Projection
from inspector.layout.select import select
from tests.layout.model import PREFIX, Order, decoded, draw_experts, fused, separate
from tests.strategies_arrays import SAMPLES, Float32, fp8_config, memory_checkpoint


def values_of(checkpoint: Checkpoint, key: ExpertKey) -> Float32:
    weight = checkpoint.weights.expert(key)
    return checkpoint.reader.read_values(weight, 0, weight.rows)


@settings(max_examples=25)
@given(
    st.integers(0, 99),
    st.integers(1, 3),
    st.integers(2, 9),
    st.integers(2, 9),
    st.sampled_from(Order),
)
def test_fused_experts_are_the_separate_ones_in_both_axis_orders(
    seed: int, count: int, hidden: int, size: int, order: Order
) -> None:
    experts = draw_experts(seed, count=count, hidden=hidden, size=size, dtype=Dtype.BF16)
    config = {"hidden_size": hidden}
    alone, _ = memory_checkpoint(separate(experts, 4), config=config)
    together, _ = memory_checkpoint(fused(experts, 4, order), config=config)
    assert together.weights.experts.experts(4) == alone.weights.experts.experts(4)
    for expert in range(count):
        for projection in Projection:
            key = ExpertKey(4, expert, projection)
            if 2 * size == hidden:
                with pytest.raises(LayoutError, match="fits both axis orders"):
                    together.weights.expert(ExpertKey(4, expert, Projection.GATE))
                continue
            expected = decoded(experts, projection, expert, scaled=False)
            np.testing.assert_array_equal(values_of(alone, key), expected)
            np.testing.assert_array_equal(values_of(together, key), expected)
            assert together.weights.expert(key).name == alone.weights.expert(key).name


@settings(max_examples=25)
@given(
    st.integers(0, 99),
    st.sampled_from(Order),
    st.sampled_from([(2, 4), (3, 2), (1, 5), (6, 8), (6, 128), (2, 3)]),
    st.sampled_from([6, 12]),
    st.integers(7, 11),
)
def test_fused_block_scales_are_the_separate_ones_in_both_axis_orders(
    seed: int, order: Order, block: tuple[int, int], size: int, hidden: int
) -> None:
    experts = draw_experts(seed, hidden=hidden, size=size, block=block)
    config = fp8_config(block, hidden_size=hidden)
    alone, _ = memory_checkpoint(separate(experts, 0, scaled=True), config=config)
    together, _ = memory_checkpoint(fused(experts, 0, order, scaled=True), config=config)
    for expert in range(experts.count):
        for projection in Projection:
            key = ExpertKey(0, expert, projection)
            expected = decoded(experts, projection, expert, scaled=True)
            np.testing.assert_array_equal(values_of(alone, key), expected)
            np.testing.assert_array_equal(values_of(together, key), expected)


@pytest.mark.parametrize("order", Order)
def test_rows_of_a_fused_expert_decode_as_they_do_in_the_whole(order: Order) -> None:
    experts = draw_experts(3, hidden=10, size=8, block=(4, 3))
    checkpoint, _ = memory_checkpoint(
        fused(experts, 0, order, scaled=True), config=fp8_config((4, 3), hidden_size=10)
    )
    for projection in Projection:
        weight = checkpoint.weights.expert(ExpertKey(0, 1, projection))
        whole = checkpoint.reader.read_values(weight, 0, weight.rows)
        for start in range(weight.rows):
            for stop in range(start + 1, weight.rows + 1):
                part = checkpoint.reader.read_values(weight, start, stop)
                np.testing.assert_array_equal(part, whole[start:stop])
                pieces = list(checkpoint.reader.iterate_rows(weight, start, stop))
                joined = np.concatenate([piece.values for piece in pieces])
                np.testing.assert_array_equal(joined, whole[start:stop])


@pytest.mark.parametrize("order", Order)
def test_gate_comes_before_up(order: Order) -> None:
    experts = draw_experts(0, dtype=Dtype.BF16, hidden=8, size=6)
    tensors = fused(experts, 0, order)
    checkpoint, _ = memory_checkpoint(tensors, config={"hidden_size": 8})
    stored = tensors[f"{PREFIX}.0.mlp.experts.gate_up_proj"][1].astype(np.float32)
    gate = stored[:, :6].T if order is Order.IN_OUT else stored[:6]
    up = stored[:, 6:].T if order is Order.IN_OUT else stored[6:]
    np.testing.assert_array_equal(values_of(checkpoint, ExpertKey(0, 1, Projection.GATE)), gate)
    np.testing.assert_array_equal(values_of(checkpoint, ExpertKey(0, 1, Projection.UP)), up)


@pytest.mark.parametrize("order", Order)
def test_square_fused_gate_up_is_ambiguous(order: Order) -> None:
    experts = draw_experts(0, dtype=Dtype.BF16, hidden=8, size=4)
    checkpoint, _ = memory_checkpoint(fused(experts, 0, order), config={"hidden_size": 8})
    with pytest.raises(LayoutError, match=r"\[3, 8, 8\] fits both axis orders \(hidden_size 8\)"):
        checkpoint.weights.expert(ExpertKey(0, 0, Projection.UP))
    down = values_of(checkpoint, ExpertKey(0, 2, Projection.DOWN))
    np.testing.assert_array_equal(down, decoded(experts, Projection.DOWN, 2, scaled=False))


@pytest.mark.parametrize("order", Order)
def test_a_square_down_follows_the_gate_up_of_its_own_tower(order: Order) -> None:
    """The gate_up_proj of the first tower was asked, whatever its layers."""
    experts = draw_experts(0, dtype=Dtype.BF16, hidden=6, size=6)
    tensors = {name.replace("model.", "a."): t for name, t in fused(experts, 0, order).items()}
    tensors |= fused(experts, 1, order)
    checkpoint, _ = memory_checkpoint(tensors, config={"hidden_size": 6})
    for layer in (0, 1):
        found = values_of(checkpoint, ExpertKey(layer, 2, Projection.DOWN))
        expected = decoded(experts, Projection.DOWN, 2, scaled=False)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("order", Order)
def test_two_parts_with_a_layer_of_the_same_number_keep_their_experts_apart(order: Order) -> None:
    """`mtp.layers.0` was given the matrices of the language model's layer 0."""
    main, extra = draw_experts(0, dtype=Dtype.BF16), draw_experts(1, dtype=Dtype.BF16, count=2)
    tensors = fused(main, 0, order) | fused(main, 1, order)
    tensors |= {
        n.replace("model.language_model", "mtp"): t for n, t in fused(extra, 0, order).items()
    }
    checkpoint, _ = memory_checkpoint(tensors, config={"hidden_size": 8})
    names = checkpoint.weights.fused_names()
    for prefix, experts in (("model.language_model", main), ("mtp", extra)):
        name = f"{prefix}.layers.0.mlp.experts.1.up_proj.weight"
        (weight,) = checkpoint.weights.fused_weights(select(names, name))
        assert weight.name == name
        expected = decoded(experts, Projection.UP, 1, scaled=False)
        found = checkpoint.reader.read_values(weight, 0, weight.rows)
        np.testing.assert_array_equal(found, expected)
    assert checkpoint.weights.experts.experts(0) == (0, 1, 2)


@pytest.mark.parametrize("order", Order)
def test_a_square_down_alone_is_ambiguous(order: Order) -> None:
    experts = draw_experts(0, dtype=Dtype.BF16, hidden=6, size=6)
    tensors = {name: t for name, t in fused(experts, 0, order).items() if "down" in name}
    checkpoint, _ = memory_checkpoint(tensors, config={"hidden_size": 6})
    with pytest.raises(LayoutError, match="fits both axis orders"):
        checkpoint.weights.expert(ExpertKey(0, 0, Projection.DOWN))


def test_no_axis_of_the_hidden_size_is_refused() -> None:
    experts = draw_experts(0, dtype=Dtype.BF16, hidden=8, size=6)
    checkpoint, _ = memory_checkpoint(fused(experts, 0, Order.IN_OUT), config={"hidden_size": 5})
    with pytest.raises(LayoutError, match=r"fits no axis order \(hidden_size 5\)"):
        checkpoint.weights.expert(ExpertKey(0, 0, Projection.UP))


@pytest.mark.parametrize("config", [None, {}])
def test_a_fused_tensor_needs_a_config(config: dict[str, object] | None) -> None:
    experts = draw_experts(0, dtype=Dtype.BF16)
    checkpoint, _ = memory_checkpoint(fused(experts, 0, Order.IN_OUT), config=config)
    with pytest.raises(LayoutError, match="the axis order needs hidden_size"):
        checkpoint.weights.expert(ExpertKey(0, 0, Projection.UP))


def test_an_expert_that_is_not_there_is_refused() -> None:
    experts = draw_experts(0, dtype=Dtype.BF16)
    alone, _ = memory_checkpoint(separate(experts, 0))
    together, _ = memory_checkpoint(fused(experts, 0, Order.IN_OUT), config={"hidden_size": 8})
    with pytest.raises(LayoutError, match="no up_proj of expert 3 in layer 0"):
        alone.weights.expert(ExpertKey(0, 3, Projection.UP))
    with pytest.raises(LayoutError, match="no down_proj of expert 0 in layer 1"):
        together.weights.expert(ExpertKey(1, 0, Projection.DOWN))
    with pytest.raises(LayoutError, match=r"down_proj: no expert 3 of 3"):
        together.weights.expert(ExpertKey(0, 3, Projection.DOWN))


def test_a_fused_tensor_of_two_axes_holds_no_expert() -> None:
    name = f"{PREFIX}.0.mlp.experts.down_proj"
    checkpoint, _ = memory_checkpoint(
        {name: np.zeros((4, 8), np.float32)}, config={"hidden_size": 8}
    )
    assert checkpoint.weights.experts.experts(0) == ()
    assert not len(checkpoint.weights.fused_names())
    with pytest.raises(LayoutError, match="a fused tensor has 3 axes"):
        checkpoint.weights.expert(ExpertKey(0, 0, Projection.DOWN))


def test_names_of_fused_experts_are_those_of_separate_ones() -> None:
    experts = draw_experts(0, dtype=Dtype.BF16)
    tensors = fused(experts, 0, Order.IN_OUT) | fused(experts, 11, Order.IN_OUT)
    checkpoint, _ = memory_checkpoint(tensors, config={"hidden_size": 8})
    names = checkpoint.weights.fused_names()
    found = names.texts(np.arange(len(names)))
    assert set(found) == set(separate(experts, 0)) | set(separate(experts, 11))
    weights = list(checkpoint.weights.fused_weights(np.arange(len(names))))
    assert [weight.name for weight in weights] == names.texts(names.natural_order())


@pytest.mark.parametrize(
    "name",
    ["layers.3.mlp.experts.7.up_proj.weight", "model.layers.3.mlp.experts.7.gate_proj.weight",
     "a.b.layers.3.mlp.experts.7.down_proj.weight"],
)  # fmt: skip
def test_any_prefix_may_stand_before_the_layers(name: str) -> None:
    checkpoint, _ = memory_checkpoint({name: np.zeros((2, 2), np.float32)})
    assert checkpoint.weights.experts.layers == (3,)
    assert checkpoint.weights.experts.experts(3) == (7,)


@pytest.mark.parametrize(
    "name",
    ["layers.3.mlp.experts.7.up_proj.weight_scale_inv", "layers.3.mlp.experts.up_proj.weight",
     "layers.3.mlp.shared_expert.up_proj.weight", "xlayers.3.mlp.experts.7.up_proj.weight",
     "layers.3.mlp.experts.7.w1.weight", "layers.03.mlp.experts.7.up_proj.weight",
     "layers.3.mlp.experts.gate_up_proj_scale_inv"],
)  # fmt: skip
def test_a_name_of_no_known_family_is_no_expert(name: str) -> None:
    checkpoint, _ = memory_checkpoint({name: np.zeros((2, 2), np.float32)})
    assert checkpoint.weights.experts.layers == ()


def test_the_fused_sample_is_layer_0_of_the_separate_one_bit_for_bit() -> None:
    with (
        open_checkpoint(str(SAMPLES / "qwen3-mini")) as alone,
        open_checkpoint(str(SAMPLES / "qwen3-vl-mini")) as together,
    ):
        assert together.weights.experts.layers == (0,)
        experts = together.weights.experts.experts(0)
        assert experts == alone.weights.experts.experts(0) == tuple(range(8))
        for expert in experts:
            for projection in Projection:
                key = ExpertKey(0, expert, projection)
                found, expected = values_of(together, key), values_of(alone, key)
                assert found.any()
                np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))


def test_the_sample_of_blocks_decodes_near_its_reference() -> None:
    """Copies in s1-pro-mini differ from their parents by the rounding of E4M3 only."""
    truth = json.loads((SAMPLES / "truth.json").read_text())["experts"]
    copies = [one for one in truth if one["relation"] == "copy"]
    assert copies
    with (
        open_checkpoint(str(SAMPLES / "qwen3-mini")) as reference,
        open_checkpoint(str(SAMPLES / "s1-pro-mini")) as target,
    ):
        for one in copies:
            for projection in Projection:
                key = ExpertKey(one["layer"], one["expert"], projection)
                parent = values_of(reference, key._replace(expert=one["parent"]))
                error = np.abs(values_of(target, key) - parent)
                assert np.all(error <= np.abs(parent) / 16 + np.abs(parent).max() * 2.0**-17)
