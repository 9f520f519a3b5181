import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.catalog.names import NameColumnsBuilder
from inspector.layout.endings import Form, Part
from inspector.layout.pairing import NOBODY, Pairing
from tests.strategies_arrays import float32, fp8_config, memory_checkpoint

NAMES = {
    "DeepSeek-V3": ("w.weight", {"w.weight_scale_inv": Part.SCALE}),
    "fused": ("experts.gate_up_proj", {"experts.gate_up_proj_scale_inv": Part.SCALE}),
    "DeepSeek-V4": ("w1.weight", {"w1.scale": Part.SCALE}),
    "Mistral": ("wq.weight", {"wq.qscale_weight": Part.SCALE}),
    "INT8 of Ascend": ("w.weight", {"w.weight_scale": Part.SCALE, "w.weight_offset": Part.OFFSET}),
    "modelopt NVFP4": (
        "w.weight", {"w.weight_scale": Part.SCALE, "w.weight_scale_2": Part.SECOND_SCALE},
    ),
    "compressed-tensors NVFP4": (
        "w.weight_packed",
        {"w.weight_scale": Part.SCALE, "w.weight_global_scale": Part.GLOBAL_SCALE},
    ),
    "compressed-tensors integers": (
        "w.weight_packed",
        {"w.weight_scale": Part.SCALE, "w.weight_shape": Part.SHAPE,
         "w.weight_zero_point": Part.ZERO_POINT, "w.weight_g_idx": Part.GROUP_INDEX},
    ),
    "gpt-oss": ("experts.down_proj_blocks", {"experts.down_proj_scales": Part.SCALE}),
    "GPTQ": (
        "w.qweight",
        {"w.scales": Part.SCALE, "w.qzeros": Part.ZERO_POINT, "w.g_idx": Part.GROUP_INDEX},
    ),
    "bitsandbytes": (
        "w.weight",
        {"w.weight.absmax": Part.SCALE, "w.weight.quant_map": Part.CODEBOOK,
         "w.weight.quant_state.bitsandbytes__nf4": Part.NF4_STATE,
         "w.weight.nested_absmax": Part.NESTED_SCALE,
         "w.weight.nested_quant_map": Part.NESTED_CODEBOOK},
    ),
    "bitsandbytes FP4": (
        "w.weight",
        {"w.weight.absmax": Part.SCALE, "w.weight.quant_state.bitsandbytes__fp4": Part.FP4_STATE},
    ),
    "LLM.int8": ("w.weight", {"w.SCB": Part.ROW_MAXIMUM, "w.weight_format": Part.ORDERING}),
    "torchao": ("w._weight_qdata", {"w._weight_scale": Part.SCALE}),
}  # fmt: skip
FORMS = {
    "_packed": Form.PACKED, "_blocks": Form.BLOCKS, "_qdata": Form.QDATA, ".qweight": Form.QWEIGHT,
}  # fmt: skip


def pairing_of(names: list[str]) -> Pairing:
    builder = NameColumnsBuilder()
    builder.add(names)
    return Pairing(builder.build())


@pytest.mark.parametrize("producer", NAMES)
def test_what_stands_beside_a_weight_is_found_by_every_convention(producer: str) -> None:
    weight, beside = NAMES[producer]
    names = [f"layers.{layer}.{name}" for layer in (2, 10) for name in (weight, *beside)]
    pairing = pairing_of(names)
    for layer in (2, 10):
        row = names.index(f"layers.{layer}.{weight}")
        found = {names[at]: part for part, at in pairing.parts_of(row).items()}
        assert found == {f"layers.{layer}.{name}": part for name, part in beside.items()}
        expected = next((form for text, form in FORMS.items() if weight.endswith(text)), Form.PLAIN)
        assert pairing.form(row) is expected
    assert [names[row] for row in np.flatnonzero(pairing.is_weight())] == [
        f"layers.2.{weight}",
        f"layers.10.{weight}",
    ]
    assert not len(pairing.orphans())


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), unique=True, max_size=8),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), unique=True, max_size=8),
)
def test_pairs_are_those_whose_numbers_are_equal(
    weights: list[tuple[int, int]], scales: list[tuple[int, int]]
) -> None:
    names = [f"layers.{a}.experts.{b}.up_proj.weight" for a, b in weights]
    names += [f"layers.{a}.experts.{b}.up_proj.weight_scale_inv" for a, b in scales]
    pairing = pairing_of(names)
    for row, name in enumerate(names[: len(weights)]):
        scale = f"{name}_scale_inv"
        expected = names.index(scale) if scale in names else NOBODY
        assert pairing.parts[Part.SCALE][row] == expected
    orphans = {name for name in names if name.endswith("_inv") and name[:-10] not in names}
    assert {names[row] for row in pairing.orphans()} == orphans


def test_the_first_convention_wins_and_the_other_scale_is_no_weight() -> None:
    names = ["w.weight", "w.weight_scale", "w.weight_scale_inv"]
    pairing = pairing_of(names)
    assert pairing.parts_of(0) == {Part.SCALE: 2}
    assert pairing.is_weight().tolist() == [True, False, False]


@pytest.mark.parametrize(
    "name",
    ["w.input_scale", "w.input_global_scale", "attn.k_scale", "w.qscale_act", "attn.v_scale"],
)
def test_scales_of_activations_go_with_no_weight_and_are_no_orphans(name: str) -> None:
    pairing = pairing_of(["w.weight", name])
    assert pairing.parts_of(0) == {}
    assert pairing.is_weight().tolist() == [True, False]
    assert not len(pairing.orphans())


@pytest.mark.parametrize("name", ["gate.tid2eid", "pos.offset", "norm.shape", "a.scaled"])
def test_other_names_are_weights(name: str) -> None:
    assert pairing_of(["w.weight", name]).is_weight().all()


def test_weights_that_are_stored_alike_are_one_kind() -> None:
    fp8 = np.dtype("float8_e4m3fn")
    tensors = {}
    for layer in range(3):
        tensors[f"layers.{layer}.a.weight"] = np.zeros((4, 4), fp8)
        if layer != 1:
            tensors[f"layers.{layer}.a.weight_scale_inv"] = float32(np.ones((2, 2)))
        tensors[f"layers.{layer}.norm.weight"] = float32(np.ones(4))
    checkpoint, _ = memory_checkpoint(tensors, config=fp8_config((2, 2)))
    kinds = list(checkpoint.weights.in_store.kinds())
    names = checkpoint.catalog.names
    found = {tuple(names.texts(kind.rows)): kind for kind in kinds}
    assert set(found) == {
        ("layers.0.a.weight", "layers.2.a.weight"),
        ("layers.1.a.weight",),
        tuple(f"layers.{layer}.norm.weight" for layer in range(3)),
    }
    assert "without a scale" in str(found[("layers.1.a.weight",)].problem)
    good = found[("layers.0.a.weight", "layers.2.a.weight")].stored
    assert good is not None
    assert good.coded is not None
