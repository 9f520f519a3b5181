"""Tensors of two checkpoints, held against sets of names that are expanded by hand."""

import re
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.analysis.compare.aligned import aligned
from inspector.analysis.compare.tensor_diff import TensorRow, TensorsDiff, products, tensors_diff
from inspector.layout.weights import WeightBook
from tests.analysis.params.counting import catalog_of, config_of

Tensors = Sequence[tuple[str, str, Sequence[int]]]


def diff(ours: Tensors, theirs: Tensors, config: dict[str, Any] | None = None) -> TensorsDiff:
    parsed = config_of(config) if config else None
    sides = [aligned(WeightBook(catalog_of(side), parsed)) for side in (ours, theirs)]
    return tensors_diff(*sides)


def expanded(rows: Sequence[TensorRow]) -> list[str]:
    """Every name that rows stand for."""
    names = []
    for row in rows:
        parts = re.split(r"\{([^}]*)\}", row.name)
        choices = [_numbers(part) if i % 2 else [part] for i, part in enumerate(parts)]
        names += ["".join(choice) for choice in product(*choices)]
        assert len(list(product(*choices))) == row.tensors
    return names


def _numbers(text: str) -> list[str]:
    found = []
    for part in text.split(","):
        first, _, last = part.partition("..")
        found += [str(n) for n in range(int(first), int(last or first) + 1)]
    return found


def experts(*pairs: tuple[int, int]) -> list[tuple[str, str, Sequence[int]]]:
    return [
        (f"model.layers.{layer}.mlp.experts.{e}.up_proj.weight", "BF16", [2, 3])
        for layer, e in pairs
    ]


numbers = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), unique=True, max_size=14)


@settings(max_examples=60)
@given(numbers, numbers)
def test_rows_stand_for_exactly_the_names_of_each_side(
    ours: list[tuple[int, int]], theirs: list[tuple[int, int]]
) -> None:
    found = diff(experts(*ours), experts(*theirs))
    name = "layers.{}.mlp.experts.{}.up_proj.weight"
    left, right = ({name.format(*pair) for pair in side} for side in (ours, theirs))
    assert sorted(expanded(found.same)) == sorted(left & right)
    assert sorted(expanded(found.only_model)) == sorted(left - right)
    assert sorted(expanded(found.only_ref)) == sorted(right - left)
    assert found.changed == []


@given(numbers)
def test_blocks_are_products_and_cover_every_number_once(pairs: list[tuple[int, int]]) -> None:
    blocks = products(np.array(pairs, dtype=np.int64).reshape(-1, 2))
    rows = [tuple(row) for block in blocks for row in block.tolist()]
    assert sorted(rows) == sorted(pairs)
    for block in blocks:
        assert len(block) == np.prod([len(np.unique(column)) for column in block.T])


@pytest.mark.parametrize("prefix", ["model.", "model.language_model.", "language_model.model.", ""])
def test_prefixes_of_wrappers_are_left_out(prefix: str) -> None:
    found = diff(
        [(f"{prefix}layers.0.self_attn.q_proj.weight", "BF16", [2, 3])],
        [("model.layers.0.self_attn.q_proj.weight", "BF16", [2, 3])],
    )
    assert [row.name for row in found.same] == ["layers.0.self_attn.q_proj.weight"]


def test_a_vision_tower_is_not_taken_for_the_text_model() -> None:
    found = diff(
        [("model.visual.blocks.0.norm1.weight", "BF16", [2])],
        [("visual.blocks.0.norm1.weight", "BF16", [2]), ("model.norm.weight", "BF16", [2])],
    )
    assert [row.name for row in found.same] == ["visual.blocks.0.norm1.weight"]
    assert [row.name for row in found.only_ref] == ["norm.weight"]


@pytest.mark.parametrize(
    ("gate_up", "down"), [([4, 8, 12], [4, 6, 8]), ([4, 12, 8], [4, 8, 6])],
    ids=["inputs first", "outputs first"],
)  # fmt: skip
def test_fused_experts_are_the_separate_ones_they_hold(gate_up: list[int], down: list[int]) -> None:
    fused: Tensors = [
        ("model.layers.0.mlp.experts.gate_up_proj", "BF16", gate_up),
        ("model.layers.0.mlp.experts.down_proj", "BF16", down),
    ]
    separate: Tensors = [
        (f"model.layers.0.mlp.experts.{e}.{name}.weight", "BF16", shape)
        for e in range(4)
        for name, shape in (("gate_proj", [6, 8]), ("up_proj", [6, 8]), ("down_proj", [8, 6]))
    ]
    found = diff(separate, fused, {"hidden_size": 8})
    assert [(row.tensors, row.differs) for row in found.changed] == [(4, ["layout"])] * 3
    assert (found.only_model, found.only_ref, found.same) == ([], [], [])


def test_scales_belong_to_their_weights() -> None:
    name = "model.layers.0.self_attn.q_proj.weight"
    found = diff(
        [(name, "F8_E4M3", [2, 3]), (f"{name}_scale_inv", "F32", [1, 1])], [(name, "BF16", [2, 3])]
    )
    (row,) = found.changed
    assert row.differs == ["dtype", "scale"]
    assert row.model is not None
    assert row.model.scale == "F32"
    assert found.only_model == []


@pytest.mark.parametrize(
    ("packed", "dtype", "scale"),
    [
        ([("{}.weight", "I8", [64, 32]), ("{}.scale", "F8_E8M0", [64, 2])], "I8", "F8_E8M0"),
        (
            [
                ("{}.weight_packed", "U8", [64, 32]), ("{}.weight_scale", "F8_E4M3", [64, 4]),
                ("{}.weight_global_scale", "F32", [1]),
            ],
            "U8", "F8_E4M3",
        ),
        (
            [
                ("{}.weight_packed", "I32", [64, 8]), ("{}.weight_scale", "BF16", [64, 2]),
                ("{}.weight_shape", "I64", [2]),
            ],
            "I32", "BF16",
        ),
        (
            [
                ("{}.qweight", "I32", [8, 64]), ("{}.qzeros", "I32", [1, 8]),
                ("{}.scales", "F16", [1, 64]), ("{}.g_idx", "I32", [64]),
            ],
            "I32", "F16",
        ),
    ],
    ids=["FP4", "NVFP4", "integers", "GPTQ"],
)  # fmt: skip
@pytest.mark.parametrize("module", ["layers.0.self_attn.q_proj", "layers.0.mlp.experts.3.up_proj"])
def test_packed_weights_have_the_shape_of_their_originals(
    module: str, packed: Tensors, dtype: str, scale: str
) -> None:
    weights = {"num_bits": 4, "group_size": 32}
    config = {"quantization_config": {"config_groups": {"0": {"weights": weights}}}}
    ours = [(name.format(f"model.{module}"), kind, shape) for name, kind, shape in packed]
    found = diff(ours, [(f"model.{module}.weight", "BF16", [64, 64])], config)
    (row,) = found.changed
    assert (row.name, row.differs) == (f"{module}.weight", ["dtype", "scale"])
    assert row.model is not None
    assert (row.model.shape, row.model.dtype, row.model.scale) == ((64, 64), dtype, scale)
    assert (found.only_model, found.only_ref, found.same) == ([], [], [])


def test_gpt_oss_blocks_are_the_matrices_and_biases_that_they_hold() -> None:
    """Its originals as fused BF16 tensors: biases are labels of their own."""
    layer = "model.layers.0.mlp.experts."
    biases: Tensors = [
        (f"{layer}gate_up_proj_bias", "BF16", [4, 64]), (f"{layer}down_proj_bias", "BF16", [4, 96]),
    ]  # fmt: skip
    blocks: Tensors = [
        (f"{layer}gate_up_proj_blocks", "U8", [4, 64, 3, 16]),
        (f"{layer}gate_up_proj_scales", "U8", [4, 64, 3]),
        (f"{layer}down_proj_blocks", "U8", [4, 96, 1, 16]),
        (f"{layer}down_proj_scales", "U8", [4, 96, 1]),
    ]
    plain: Tensors = [
        (f"{layer}gate_up_proj", "BF16", [4, 64, 96]), (f"{layer}down_proj", "BF16", [4, 96, 32]),
    ]  # fmt: skip
    found = diff([*blocks, *biases], [*plain, *biases], {"hidden_size": 96})
    names = {f"layers.0.mlp.experts.{{0..3}}.{name}_proj" for name in ("gate", "up", "down")}
    assert {row.name for row in found.changed} == {f"{name}.weight" for name in names}
    assert {tuple(row.differs) for row in found.changed} == {("dtype", "scale")}
    assert {row.name for row in found.same} == {f"{name}.bias" for name in names}
    shapes = {row.name.split(".")[-2]: row.model.shape for row in found.same if row.model}
    assert shapes == {"gate_proj": (32,), "up_proj": (32,), "down_proj": (96,)}
    assert (found.only_model, found.only_ref) == ([], [])


def test_codes_below_a_weights_name_are_that_weight() -> None:
    """fracast 0.1.0 stores `fc.weight` as `fc.weight.qweight` and `fc.weight.scale`."""
    found = diff(
        [("fc.weight.qweight", "I8", [2, 3]), ("fc.weight.scale", "F32", [2, 1])],
        [("fc.weight", "F32", [2, 3])],
    )
    assert [row.name for row in found.changed] == ["fc.weight"]
    assert found.only_model == []
