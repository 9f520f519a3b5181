"""The shape of Qwen/Qwen3-VL-235B-A22B-Instruct: its numbers, and a `config.json` of them.

The numbers are those of the published `config.json`; a report of the checkpoint's headers has
1,388 tensors and 235,670,022,896 parameters.
"""

from collections.abc import Iterator
from typing import Final

from tests.intern_s1_pro import TensorSpec

PARAMETERS: Final = 235_670_022_896
TENSORS: Final = 1_388

_TEXT: Final = "model.language_model."
_VISION: Final = "model.visual."


def config() -> dict[str, object]:
    """A `config.json` with the field names and numbers of the published one."""
    return {
        "architectures": ["Qwen3VLMoeForConditionalGeneration"],
        "image_token_id": 151655,
        "model_type": "qwen3_vl_moe",
        "text_config": {
            "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 151643,
            "decoder_sparse_step": 1, "dtype": "bfloat16", "eos_token_id": 151645, "head_dim": 128,
            "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
            "intermediate_size": 12288, "max_position_embeddings": 262144, "mlp_only_layers": [],
            "model_type": "qwen3_vl_moe_text", "moe_intermediate_size": 1536,
            "norm_topk_prob": True, "num_attention_heads": 64, "num_experts": 128,
            "num_experts_per_tok": 8, "num_hidden_layers": 94, "num_key_value_heads": 4,
            "rms_norm_eps": 1e-06,
            "rope_scaling": {
                "mrope_interleaved": True, "mrope_section": [24, 20, 20], "rope_type": "default",
            },
            "rope_theta": 5000000, "use_cache": True, "vocab_size": 151936,
        },
        "tie_word_embeddings": False,
        "transformers_version": "4.57.0.dev0",
        "video_token_id": 151656,
        "vision_config": {
            "deepstack_visual_indexes": [8, 16, 24], "depth": 27,
            "hidden_act": "gelu_pytorch_tanh", "hidden_size": 1152, "in_channels": 3,
            "initializer_range": 0.02, "intermediate_size": 4304, "model_type": "qwen3_vl_moe",
            "num_heads": 16, "num_position_embeddings": 2304, "out_hidden_size": 4096,
            "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2,
        },
        "vision_end_token_id": 151653,
        "vision_start_token_id": 151652,
    }  # fmt: skip


def tensor_specs() -> Iterator[TensorSpec]:
    """Every tensor of the checkpoint: experts fused by layer, inputs before outputs."""
    hidden, experts, inner, vocabulary = 4096, 128, 1536, 151_936
    yield _stored("lm_head.weight", vocabulary, hidden)
    yield _stored(f"{_TEXT}embed_tokens.weight", vocabulary, hidden)
    yield _stored(f"{_TEXT}norm.weight", hidden)
    for layer in range(94):
        start = f"{_TEXT}layers.{layer}."
        yield _stored(f"{start}input_layernorm.weight", hidden)
        yield _stored(f"{start}post_attention_layernorm.weight", hidden)
        yield _stored(f"{start}mlp.gate.weight", experts, hidden)
        yield _stored(f"{start}mlp.experts.gate_up_proj", experts, hidden, 2 * inner)
        yield _stored(f"{start}mlp.experts.down_proj", experts, inner, hidden)
        for name, width in (("q_norm", 128), ("k_norm", 128)):
            yield _stored(f"{start}self_attn.{name}.weight", width)
        for name, rows, columns in (
            ("q_proj", 8192, hidden), ("k_proj", 512, hidden), ("v_proj", 512, hidden),
            ("o_proj", hidden, 8192),
        ):  # fmt: skip
            yield _stored(f"{start}self_attn.{name}.weight", rows, columns)
    yield from _image_tower(1152, 4304, hidden)


def _image_tower(hidden: int, inner: int, out: int) -> Iterator[TensorSpec]:
    merged = 4 * hidden
    yield _stored(f"{_VISION}patch_embed.proj.weight", hidden, 3, 2, 16, 16)
    yield _stored(f"{_VISION}patch_embed.proj.bias", hidden)
    yield _stored(f"{_VISION}pos_embed.weight", 2304, hidden)
    for block in range(27):
        start = f"{_VISION}blocks.{block}."
        for norm in ("norm1", "norm2"):
            yield _stored(f"{start}{norm}.weight", hidden)
            yield _stored(f"{start}{norm}.bias", hidden)
        yield from _linear(f"{start}attn.qkv", 3 * hidden, hidden)
        yield from _linear(f"{start}attn.proj", hidden, hidden)
        yield from _linear(f"{start}mlp.linear_fc1", inner, hidden)
        yield from _linear(f"{start}mlp.linear_fc2", hidden, inner)
    mergers = [("merger", hidden), *((f"deepstack_merger_list.{i}", merged) for i in range(3))]
    for name, normed in mergers:
        yield _stored(f"{_VISION}{name}.norm.weight", normed)
        yield _stored(f"{_VISION}{name}.norm.bias", normed)
        yield from _linear(f"{_VISION}{name}.linear_fc1", merged, merged)
        yield from _linear(f"{_VISION}{name}.linear_fc2", out, merged)


def _linear(module: str, rows: int, columns: int) -> Iterator[TensorSpec]:
    yield _stored(f"{module}.weight", rows, columns)
    yield _stored(f"{module}.bias", rows)


def _stored(name: str, *shape: int) -> TensorSpec:
    return TensorSpec(name, "BF16", shape)
