"""Counts from headers: logical numbers, scales and buffers apart, differences explained."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests import qwen3_vl
from tests.analysis.params.counting import counted, parameters
from tests.analysis.params.published import PUBLISHED
from tests.intern_s1_pro import Architecture, config, tensor_specs

Tensor = tuple[str, str, Sequence[int]]
DENSE: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1, "vocab_size": 16,
    "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 12,
}  # fmt: skip
ATTENTION: list[Tensor] = [
    ("model.layers.0.self_attn.q_proj.weight", "BF16", [8, 8]),
    ("model.layers.0.self_attn.k_proj.weight", "BF16", [4, 8]),
    ("model.layers.0.self_attn.v_proj.weight", "BF16", [4, 8]),
    ("model.layers.0.self_attn.o_proj.weight", "BF16", [8, 8]),
]
REST: list[Tensor] = [
    ("model.embed_tokens.weight", "BF16", [16, 8]),
    ("lm_head.weight", "BF16", [16, 8]),
    ("model.norm.weight", "BF16", [8]),
    ("model.layers.0.input_layernorm.weight", "BF16", [8]),
    ("model.layers.0.post_attention_layernorm.weight", "BF16", [8]),
]
MLP: list[Tensor] = [
    ("model.layers.0.mlp.gate_proj.weight", "BF16", [12, 8]),
    ("model.layers.0.mlp.up_proj.weight", "BF16", [12, 8]),
    ("model.layers.0.mlp.down_proj.weight", "BF16", [8, 12]),
]


def test_the_headers_of_the_published_model_hold_what_the_formula_says() -> None:
    """FoPE's tables are buffers, and 144,760 scales no parameters."""
    architecture = Architecture()
    tensors = [(t.name, t.dtype, t.shape) for t in tensor_specs(architecture)]
    found = counted(config(architecture), tensors)
    assert len(tensors) == 290_292
    assert found.stored is not None
    assert found.formula is not None
    assert found.stored.total == found.formula.total == 916_895_644_160
    assert found.stored.activated == found.formula.activated == 22_363_778_560
    assert found.differences == []
    apart = {one.kind: (one.tensors, one.elements) for one in found.apart}
    assert apart == {"scales": (144_760, 55_852_544), "buffers": (2, 16_200)}


def test_the_headers_of_qwen3_vl_hold_what_the_formula_says() -> None:
    tensors = [(t.name, t.dtype, t.shape) for t in qwen3_vl.tensor_specs()]
    found = counted(qwen3_vl.config(), tensors)
    assert len(tensors) == qwen3_vl.TENSORS
    assert found.stored is not None
    assert found.stored.total == qwen3_vl.PARAMETERS
    assert found.differences == []


def test_dense_headers_agree() -> None:
    found = counted(DENSE, [*REST, *ATTENTION, *MLP])
    assert found.differences == []
    assert found.stored is not None
    assert found.activated_share == 1.0


def test_a_missing_matrix_is_named() -> None:
    (only,) = counted(DENSE, [*REST, *ATTENTION, *MLP[:2]]).differences
    assert only.component == "dense_mlp"
    assert (only.formula - only.stored, only.explanation) == (96, "not stored: mlp.down_proj 96")


def test_a_matrix_that_the_formula_lacks_is_named() -> None:
    extra: Tensor = ("model.layers.0.self_attn.q_norm.weight", "BF16", [4])
    (only,) = counted(DENSE, [*REST, *ATTENTION, *MLP, extra]).differences
    assert only.explanation == "stored besides: model.layers.#.self_attn.q_norm.weight 4"


def test_fused_projections_are_those_of_the_formula() -> None:
    fused: list[Tensor] = [
        ("model.layers.0.mlp.gate_up_proj.weight", "BF16", [24, 8]),
        ("model.layers.0.mlp.down_proj.weight", "BF16", [8, 12]),
        ("model.layers.0.self_attn.qkv_proj.weight", "BF16", [16, 8]),
        ATTENTION[3],
    ]
    assert counted(DENSE, [*REST, *fused]).differences == []


def test_a_larger_vocabulary_than_declared_gives_both_numbers() -> None:
    padded: list[Tensor] = [("model.embed_tokens.weight", "BF16", [20, 8]), *REST[1:]]
    (only,) = counted(DENSE, [*padded, *ATTENTION, *MLP]).differences
    assert only.explanation == "embed_tokens: 160 stored, 128 by formula"


@pytest.mark.parametrize(
    ("tensors", "fields"),
    [
        ([("{}.weight", "F8_E4M3", [12, 8]), ("{}.weight_scale_inv", "F32", [1, 1])], {}),
        (
            [
                ("{}.weight_packed", "I32", [12, 1]), ("{}.weight_scale", "BF16", [12, 1]),
                ("{}.weight_shape", "I32", [2]),
            ],
            {"quantization_config": {"config_groups": {"g": {"weights": {"num_bits": 4}}}}},
        ),
        (
            [
                ("{}.weight", "U8", [12, 4]), ("{}.weight_scale", "F8_E4M3", [12, 1]),
                ("{}.weight_scale_2", "F32", []), ("{}.input_scale", "F32", []),
            ],
            {},
        ),
        (
            [
                ("{}.qweight", "I32", [2, 12]), ("{}.qzeros", "I32", [1, 3]),
                ("{}.scales", "F16", [1, 12]), ("{}.g_idx", "I32", [8]),
            ],
            {"quantization_config": {"bits": 8}},
        ),
        (
            [
                ("{}.weight", "U8", [48, 1]), ("{}.weight.absmax", "U8", [2]),
                ("{}.weight.quant_map", "F32", [16]),
                ("{}.weight.quant_state.bitsandbytes__nf4", "U8", [90]),
            ],
            {},
        ),
        ([("{}.weight", "F4", [12, 8]), ("{}.weight_scale", "F8_E8M0", [12, 1])], {}),
        (
            [
                ("{}.compressed", "BF16", [12, 4]), ("{}.bitmask", "U8", [12, 1]),
                ("{}.shape", "I64", [2, 1]),
            ],
            {},
        ),
        (
            [
                ("{}.compressed", "BF16", [41]), ("{}.bitmask", "U8", [12, 1]),
                ("{}.row_offsets", "I64", [12]), ("{}.shape", "I64", [2]),
            ],
            {},
        ),
        (
            [
                ("{}._weight_qdata", "I8", [12, 8]), ("{}._weight_scale", "F32", [12, 1]),
                ("{}._weight_zero_point", "I8", [12, 1]),
            ],
            {},
        ),
    ],
    ids=["fp8 blocks", "int4 packed", "nvfp4", "gptq 8 bits", "bitsandbytes", "F4",
         "2:4", "sparse", "torchao"],
)  # fmt: skip
def test_quantized_weights_count_their_numbers(
    tensors: list[Tensor], fields: dict[str, Any]
) -> None:
    """Each is a matrix of 12 x 8; what stands beside it is no parameter."""
    module = "model.layers.0.mlp.gate_proj"
    quantized = [(name.format(module), dtype, shape) for name, dtype, shape in tensors]
    found = counted({**DENSE, **fields}, [*REST, *ATTENTION, *quantized, *MLP[1:]])
    assert found.differences == []
    (scales,) = found.apart
    assert (scales.kind, scales.tensors) == ("scales", len(tensors) - 1)


def test_sparse_vectors_count_their_numbers_however_many_are_stored() -> None:
    """Of the first as many are stored as there are: its shape is that of its values."""
    norms = [
        (f"model.layers.{layer}.{name}.{end}", dtype, shape)
        for layer, stored in enumerate((8, 5))
        for name in ("input_layernorm", "post_attention_layernorm")
        for end, dtype, shape in (
            ("compressed", "BF16", [stored]), ("bitmask", "U8", [1]),
            ("row_offsets", "I64", []), ("shape", "I64", [1]),
        )
    ]  # fmt: skip
    found = counted({**DENSE, "num_hidden_layers": 2}, norms)
    assert found.stored is not None
    (stored,) = (row for row in found.stored.breakdown if row.component == "norms")
    assert stored.parameters == 4 * 8


def test_gpt_oss_blocks_hold_two_numbers_a_byte() -> None:
    gpt_oss = next(one.config for one in PUBLISHED if one.name == "gpt-oss-20b")
    layer = "model.layers.0.mlp.experts."
    one_layer = {**gpt_oss, "num_hidden_layers": 1, "layer_types": ["full_attention"]}
    found = counted(
        one_layer,
        [
            (layer + "gate_up_proj_blocks", "U8", [32, 5760, 90, 16]),
            (layer + "gate_up_proj_scales", "U8", [32, 5760, 90]),
            (layer + "gate_up_proj_bias", "BF16", [32, 5760]),
            (layer + "down_proj_blocks", "U8", [32, 2880, 90, 16]),
            (layer + "down_proj_scales", "U8", [32, 2880, 90]),
            (layer + "down_proj_bias", "BF16", [32, 2880]),
        ],
    )
    assert parameters(found.stored, "experts") == parameters(found.formula, "experts")
    row = found.stored.of("experts") if found.stored else None
    assert row is not None
    assert row.activated * 8 == row.parameters


def test_deepseek_v4s_experts_hold_two_numbers_a_byte() -> None:
    v4 = next(one.config for one in PUBLISHED if one.name == "DeepSeek-V4-Flash")
    tensors: list[Tensor] = [
        (f"layers.0.ffn.experts.{e}.{name}.{what}", dtype, shape)
        for e in range(2)
        for name, rows, columns in (("w1", 8, 64), ("w3", 8, 64), ("w2", 64, 32))
        for what, dtype, shape in (
            ("weight", "I8", [rows, columns // 2]),
            ("scale", "F8_E8M0", [rows, columns // 32]),
        )
    ]
    found = counted(v4, tensors)
    assert parameters(found.stored, "experts") == 2 * (8 * 64 * 2 + 64 * 32)


def test_a_layer_past_the_last_is_the_module_for_further_tokens() -> None:
    """DeepSeek-V3 stores it as layer 61, with an embedding and a head of its own."""
    fields = {**DENSE, "num_nextn_predict_layers": 1}
    past: list[Tensor] = [
        (name.replace("layers.0.", "layers.1."), dtype, shape)
        for name, dtype, shape in (*ATTENTION, *MLP, *REST[3:])
    ]
    past += [
        ("model.layers.1.eh_proj.weight", "BF16", [8, 16]),
        ("model.layers.1.enorm.weight", "BF16", [8]),
        ("model.layers.1.hnorm.weight", "BF16", [8]),
        ("model.layers.1.shared_head.norm.weight", "BF16", [8]),
    ]
    doubled: list[Tensor] = [("model.layers.1.embed_tokens.weight", "BF16", [16, 8])]
    plain = [*REST, *ATTENTION, *MLP]
    exact = counted(fields, [*plain, *past])
    assert exact.differences == []
    assert exact.stored is not None
    (row,) = [one for one in exact.stored.breakdown if one.component == "mtp"]
    assert exact.stored.total == sum(
        one.parameters for one in exact.stored.breakdown if one.component == "text"
    )
    assert f"mtp, {row.parameters:,} parameters" in exact.notes[0]
    (only,) = counted(fields, [*plain, *past, *doubled]).differences
    assert only.explanation == "stored besides: model.layers.#.embed_tokens.weight 128"


def test_a_module_that_is_declared_and_not_stored_is_said() -> None:
    """MiniMax-M2's config declares three, and its checkpoint has none."""
    found = counted({**DENSE, "num_mtp_modules": 3}, [*REST, *ATTENTION, *MLP])
    assert any("mtp: the config declares" in note and "none are" in note for note in found.notes)


def test_headers_without_a_config_are_counted_as_they_are() -> None:
    found = counted(None, [*REST, *ATTENTION, *MLP])
    assert found.formula is None
    assert found.stored is not None
    assert found.stored.total == 128 + 128 + 24 + 192 + 288


def test_an_unknown_tensor_is_counted_as_other() -> None:
    found = counted(DENSE, [*REST, *ATTENTION, *MLP, ("strange.thing", "F32", [7])])
    assert parameters(found.stored, "other") == 7
    (only,) = found.differences
    assert (only.component, only.explanation) == ("other", "no formula")
