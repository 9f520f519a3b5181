"""Intern-S1-Pro against Qwen3-VL: every row that the public comparison has, from the files."""

from typing import Any

import pytest

from inspector.analysis.compare.report import differences_of
from inspector.analysis.compare.tensor_diff import folded
from inspector.analysis.name_lists import Names
from tests.analysis.compare.both import both

ROWS = {
    "text.model_type": ("interns1_pro_text", "qwen3_vl_moe_text"),
    "text.hidden_size": (4096, 4096), "text.num_hidden_layers": (94, 94),
    "text.intermediate_size": (12288, 12288), "text.num_attention_heads": (64, 64),
    "text.num_key_value_heads": (4, 4), "text.head_dim": (128, 128),
    "text.attention_bias": (False, False), "text.num_experts": (512, 128),
    "text.num_experts_per_tok": (8, 8), "text.moe_intermediate_size": (1536, 1536),
    "text.router_n_groups": (8, None), "text.norm_topk_prob": (True, True),
    "text.decoder_sparse_step": (1, 1), "text.vocab_size": (155_008, 151_936),
    "text.rope_theta": (5_000_000, 5_000_000), "text.rope_type": ("default", "default"),
    "text.rope.fope_init_factor": (0.5, None), "text.rope.fope_sep_head": (True, None),
    "text.rope.mrope_interleaved": (None, True), "text.rope.mrope_section": (None, [24, 20, 20]),
    "text.max_position_embeddings": (262_144, 262_144), "text.rms_norm_eps": (1e-6, 1e-6),
    "text.hidden_act": ("silu", "silu"), "text.mlp_only_layers": ([], []),
    "text.dtype": ("bfloat16", "bfloat16"),
    "vision.model_type": ("interns1_pro_vision", "qwen3_vl_moe"), "vision.depth": (24, 27),
    "vision.hidden_size": (1024, 1152), "vision.intermediate_size": (4096, 4304),
    "vision.num_heads": (16, 16), "vision.patch_size": (16, 16),
    "vision.temporal_patch_size": (2, 2), "vision.spatial_merge_size": (2, 2),
    "vision.in_channels": (3, 3), "vision.deepstack_visual_indexes": (None, [8, 16, 24]),
    "vision.out_hidden_size": (4096, 4096), "vision.num_position_embeddings": (2304, 2304),
    "quantization.quant_method": ("fp8", None), "quantization.fmt": ("e4m3", None),
    "quantization.scale_fmt": ("ue8m0", None),
    "quantization.weight_block_size": ([128, 128], None),
    "quantization.activation_scheme": ("dynamic", None),
    "tokens.image_token_id": (151655, 151655), "tokens.video_token_id": (151656, 151656),
    "tokens.vision_start_token_id": (151652, 151652),
    "tokens.vision_end_token_id": (151653, 151653),
}  # fmt: skip


@pytest.mark.parametrize("path", ROWS)
def test_a_row_of_the_configs_comes_out(path: str) -> None:
    row = next(row for row in both().config if row.path == path)
    assert (row.model, row.ref) == ROWS[path]
    expected: dict[Any, str] = {True: "same", False: "changed"}
    model, ref = ROWS[path]
    alone = "only_model" if ref is None else "only_ref" if model is None else None
    assert row.status == (alone or expected[model == ref])


def test_the_skip_list_has_623_entries_not_the_number_of_a_line() -> None:
    row = next(r for r in both().config if r.path == "quantization.modules_to_not_convert")
    assert isinstance(row.model, Names)
    assert (row.model.entries, row.model.unique, len(row.model.patterns)) == (623, 623, 20)


QUANTITIES = {
    "parameters": (916_895_644_160, 235_670_022_896),
    "text_parameters": (916_555_836_928, 235_093_634_560),
    "parameters_activated": (22_363_778_560, 22_190_763_520),
    "query_heads_a_key_head": (16, 16),
    "experts_used_share": (8 / 512, 8 / 128),
    "expert_parameters": (18_874_368, 18_874_368),
    "experts_parameters_a_layer": (9_663_676_416, 2_415_919_104),
    "router_parameters_a_layer": (2_097_152, 524_288),
    "attention_parameters_a_layer": (71_303_168, 71_303_168),
    "embedding_parameters": (634_912_768, 622_329_856),
    "cache_bytes_a_token_bf16": (192_512, 192_512),
    "vision_head_dim": (64, 72),
}


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_derived_quantity_comes_out(quantity: str) -> None:
    row = next(row for row in both().parameters.derived if row.quantity == quantity)
    assert (row.model, row.ref) == QUANTITIES[quantity]


def test_experts_over_all_layers_are_908_and_227_billion_and_differ_by_681() -> None:
    row = next(r for r in both().parameters.derived if r.quantity == "experts_parameters")
    assert isinstance(row.model, int)
    assert isinstance(row.ref, int)
    billions = [round(value / 1e9) for value in (row.model, row.ref, row.model - row.ref)]
    assert billions == [908, 227, 681]


def test_290_292_names_against_1_388_are_few_lines() -> None:
    tensors = both().tensors
    assert tensors is not None
    lines = [
        line
        for rows in (tensors.changed, tensors.only_model, tensors.only_ref)
        for line in folded(rows)
    ]
    assert len(lines) <= 20
    changed = {line.place: line for line in folded(tensors.changed)}
    experts = changed["layers.{0..93}.mlp.experts.{0..127}."]
    assert experts.tensors == 94 * 128 * 3
    assert experts.differs == ["dtype", "scale", "layout"]
    (more,) = [line for line in folded(tensors.only_model) if "experts" in line.place]
    assert (more.place, more.tensors) == (
        "layers.{0..93}.mlp.experts.{128..511}.", 94 * 384 * 3,
    )  # fmt: skip


def test_every_stored_tensor_is_in_one_row() -> None:
    """290,292 are 144,760 scales and 145,532 others; 1,388 with 188 fused ones are 37,296."""
    tensors = both().tensors
    assert tensors is not None
    shared = sum(row.tensors for row in (*tensors.same, *tensors.changed))
    assert shared + sum(row.tensors for row in tensors.only_model) == 290_292 - 144_760
    assert shared + sum(row.tensors for row in tensors.only_ref) == 1388 - 188 + 94 * 128 * 3


def test_differences_are_findings() -> None:
    found = differences_of(both())
    where = {one.where.tensor or one.message.partition(":")[0]: one.rule for one in found}
    assert where["text.num_experts"] == "config_changed"
    assert where["text.router_n_groups"] == "config_in_one"
    assert where["rest.model_type"] == "config_beside"
    assert where["layers.{0..93}.mlp.gate.weight"] == "tensor_shape"
    assert where["layers.{0..93}.self_attn.q_proj.weight"] == "tensor_storage"
    assert "text.hidden_size" not in where
