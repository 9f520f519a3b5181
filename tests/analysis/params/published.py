"""Published models: the numbers of their configs that decide counts, and counts by others.

`built` is the number of parameters of the model that transformers 5.24 builds from the whole
config on the meta device (`AutoModelForCausalLM.from_config`; Llama 4 as its multimodal class,
Kimi-K2 as `deepseek_v3`, which its own code is a copy of). `stated` and `stated_activated` are what
the publisher says, in billions, with the place in `source`; a figure of one digit is met `within`
more than a hundredth.
"""

from dataclasses import dataclass
from typing import Any, Final

from tests import intern_s1_pro, qwen3_vl


@dataclass(frozen=True, slots=True)
class Published:
    """One model."""

    name: str
    config: dict[str, Any]
    built: int | None
    stated: float
    stated_activated: float | None
    source: str
    within: float = 0.01


_QWEN3: Final = {
    "model_type": "qwen3_moe", "hidden_size": 4096, "num_hidden_layers": 94, "vocab_size": 151936,
    "num_attention_heads": 64, "num_key_value_heads": 4, "head_dim": 128,
    "intermediate_size": 12288, "moe_intermediate_size": 1536, "num_experts": 128,
    "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": [],
    "max_position_embeddings": 40960, "rope_scaling": None, "sliding_window": None,
    "use_sliding_window": False, "tie_word_embeddings": False,
}  # fmt: skip
_DEEPSEEK: Final = {
    "model_type": "deepseek_v32", "hidden_size": 7168, "num_hidden_layers": 61,
    "vocab_size": 129280, "num_attention_heads": 128, "num_key_value_heads": 128,
    "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
    "v_head_dim": 128, "index_n_heads": 64, "index_head_dim": 128, "index_topk": 2048,
    "first_k_dense_replace": 3, "moe_layer_freq": 1, "intermediate_size": 18432,
    "moe_intermediate_size": 2048, "n_routed_experts": 256, "n_shared_experts": 1,
    "num_experts_per_tok": 8, "num_nextn_predict_layers": 1, "max_position_embeddings": 163840,
}  # fmt: skip

PUBLISHED: Final = (
    Published(
        "Intern-S1-Pro", intern_s1_pro.config(intern_s1_pro.Architecture()), None, 920, 22,
        "muyaostudio/intern-s1-pro-vs-qwen3-235b-a22b@4591d649, README.md",
    ),
    Published(
        "Qwen3-VL-235B-A22B", qwen3_vl.config(), 235_670_022_896, 235.67, 22,
        "report of the checkpoint's headers: 235,670,022,896",
    ),
    Published(
        "Qwen3-235B-A22B", _QWEN3, 235_093_634_560, 235, 22, "model card of Qwen/Qwen3-235B-A22B",
    ),
    Published(
        "Qwen3-30B-A3B",
        {
            **_QWEN3, "hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32,
            "intermediate_size": 6144, "moe_intermediate_size": 768,
        },
        30_532_122_624, 30.5, 3.3, "model card of Qwen/Qwen3-30B-A3B",
    ),
    Published(
        "MiniMax-M2.5",
        {
            "model_type": "minimax_m2", "hidden_size": 3072, "num_hidden_layers": 62,
            "vocab_size": 200064, "num_attention_heads": 48, "num_key_value_heads": 8,
            "head_dim": 128, "intermediate_size": 1536, "num_local_experts": 256,
            "num_experts_per_tok": 8, "use_qk_norm": True, "qk_norm_type": "per_layer",
            "shared_intermediate_size": 0, "num_mtp_modules": 3, "mtp_transformer_layers": 1,
            "use_mtp": True, "max_position_embeddings": 196608,
        },
        228_689_748_992, 230, 10, "model card of MiniMaxAI/MiniMax-M2",
    ),
    Published(
        "DeepSeek-V3.2", _DEEPSEEK, 671_877_929_216, 671, 37,
        "model card of deepseek-ai/DeepSeek-V3, whose layers it has",
    ),
    Published(
        "DeepSeek-V4-Flash",
        {
            "model_type": "deepseek_v4", "hidden_size": 4096, "num_hidden_layers": 43,
            "vocab_size": 129280, "num_attention_heads": 64, "num_key_value_heads": 1,
            "head_dim": 512, "q_lora_rank": 1024, "qk_rope_head_dim": 64, "o_groups": 8,
            "o_lora_rank": 1024, "hc_mult": 4, "index_head_dim": 128, "index_n_heads": 64,
            "moe_intermediate_size": 2048, "n_routed_experts": 256, "n_shared_experts": 1,
            "num_experts_per_tok": 6, "num_nextn_predict_layers": 1, "sliding_window": 128,
            "compress_ratios": [0, 0, *([4, 128] * 20), 4, 0], "expert_dtype": "fp4",
            "max_position_embeddings": 1048576,
        },
        284_332_230_231, 284, 13, "model card of deepseek-ai/DeepSeek-V4-Flash",
    ),
    Published(
        "Llama-4-Scout",
        {
            "model_type": "llama4",
            "text_config": {
                "model_type": "llama4_text", "hidden_size": 5120, "num_hidden_layers": 48,
                "vocab_size": 202048, "num_attention_heads": 40, "num_key_value_heads": 8,
                "head_dim": 128, "intermediate_size": 8192, "intermediate_size_mlp": 16384,
                "interleave_moe_layer_step": 1, "num_local_experts": 16, "num_experts_per_tok": 1,
                "use_qk_norm": True, "attention_chunk_size": 8192,
                "max_position_embeddings": 10485760,
            },
            "vision_config": {
                "model_type": "llama4_vision_model", "hidden_size": 1408, "num_hidden_layers": 34,
                "num_attention_heads": 16, "intermediate_size": 5632, "image_size": 336,
                "patch_size": 14, "num_channels": 3, "projector_input_dim": 4096,
                "projector_output_dim": 4096, "vision_output_dim": 4096,
            },
        },
        108_641_793_536, 109, 17, "model card of meta-llama/Llama-4-Scout-17B-16E-Instruct",
    ),
    Published(
        "Mixtral-8x7B",
        {
            "model_type": "mixtral", "hidden_size": 4096, "num_hidden_layers": 32,
            "vocab_size": 32000, "num_attention_heads": 32, "num_key_value_heads": 8,
            "intermediate_size": 14336, "num_local_experts": 8, "num_experts_per_tok": 2,
            "sliding_window": None, "max_position_embeddings": 32768,
        },
        46_702_792_704, 46.7, 12.9, "mistral.ai/news/mixtral-of-experts",
    ),
    Published(
        "Kimi-K2",
        {
            **{key: value for key, value in _DEEPSEEK.items() if not key.startswith("index")},
            "model_type": "kimi_k2", "vocab_size": 163840, "num_attention_heads": 64,
            "first_k_dense_replace": 1, "n_routed_experts": 384, "num_nextn_predict_layers": 0,
        },
        1_026_408_209_408, 1000, 32, "model card of moonshotai/Kimi-K2-Instruct: 1T, in one digit",
        within=0.03,
    ),
    Published(
        "gpt-oss-20b",
        {
            "model_type": "gpt_oss", "hidden_size": 2880, "num_hidden_layers": 24,
            "vocab_size": 201088, "num_attention_heads": 64, "num_key_value_heads": 8,
            "head_dim": 64, "intermediate_size": 2880, "num_local_experts": 32,
            "num_experts_per_tok": 4, "attention_bias": True, "sliding_window": 128,
            "layer_types": ["sliding_attention", "full_attention"] * 12,
            "max_position_embeddings": 131072,
        },
        20_914_757_184, 20.91, 3.61, "arXiv 2508.10925, table 1",
    ),
    Published(
        "GLM-5",
        {
            **_DEEPSEEK, "model_type": "glm_moe_dsa", "hidden_size": 6144,
            "num_hidden_layers": 78, "vocab_size": 154880, "num_attention_heads": 64,
            "q_lora_rank": 2048, "qk_nope_head_dim": 192, "v_head_dim": 256,
            "index_n_heads": 32, "intermediate_size": 12288,
        },
        743_911_199_232, 744, 40, "GLM-5 technical report, table of the architecture",
    ),
)  # fmt: skip
