"""What published config.json files say of their quantization, as patterns of names.

Facts about public files (2026-11): ranges stand for the numbers of layers. A test compares them
with the files themselves where those are at hand.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType
from typing import Any, Final

_RANGE: Final = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True, slots=True)
class Published:
    """One model: its family's numbers, and its claim; `skip` None is no list.

    `file` is the name under which the collection of configs has it.
    """

    file: str
    model_type: str
    layers: int
    claim: dict[str, Any] | None = None
    skip_key: str = "modules_to_not_convert"
    skip: tuple[str, ...] | None = None
    numbers: dict[str, int] = field(default_factory=dict)

    def entries(self) -> list[str] | None:
        """The list, its ranges spelt out."""
        return None if self.skip is None else [one for entry in self.skip for one in spelt(entry)]

    def config(self) -> dict[str, Any]:
        """A config.json with what decides names and the claim."""
        stated = {"model_type": self.model_type, "num_hidden_layers": self.layers, **self.numbers}
        if self.claim is None:
            return stated
        entries = self.entries()
        listed = {} if entries is None else {self.skip_key: entries}
        return {**stated, "quantization_config": {**self.claim, **listed}}


def spelt(pattern: str) -> Iterator[str]:
    """The names of a pattern with ranges."""
    parts = _RANGE.split(pattern)
    ranges = [range(int(a), int(b) + 1) for a, b in zip(parts[1::3], parts[2::3], strict=True)]
    for numbers in product(*ranges):
        yield "".join(
            text + ("" if number is None else str(number))
            for text, number in zip(parts[::3], [*numbers, None], strict=True)
        )


_FP8: Final = {
    "quant_method": "fp8",
    "fmt": "e4m3",
    "activation_scheme": "dynamic",
    "weight_block_size": [128, 128],
}
_UE8M0: Final = {**_FP8, "scale_fmt": "ue8m0"}
_BY_CHANNEL: Final = {
    "quant_method": "compressed-tensors",
    "format": "float-quantized",
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": True},
        }
    },
}

_INTERN: Final = "model.language_model.layers.{0..93}."
_BLOCKS: Final = "model.visual.blocks.{0..23}."
_LLAMA: Final = "language_model.model.layers.{0..47}."
_LLAMA_VISION: Final = "vision_model.model.layers.{0..33}."
_GLM: Final = "model.layers.{0..78}."


def _qwen_fp8(layers: int) -> tuple[str, ...]:
    prefix = f"model.layers.{{0..{layers - 1}}}."
    parts = ("input_layernorm", "mlp.gate", "post_attention_layernorm")
    return ("lm_head", *(prefix + part for part in parts))


PUBLISHED: Final = MappingProxyType(
    {
        one.file: one
        for one in (
            Published(
                "Intern-S1-Pro", "interns1_pro", 94, _UE8M0,
                skip=(
                    "lm_head",
                    *(f"model.language_model.{part}" for part in
                      ("embed_tokens", "norm", "rotary_emb")),
                    *(_INTERN + part for part in
                      ("input_layernorm", "mlp.gate", "post_attention_layernorm",
                       "self_attn.k_norm", "self_attn.q_norm")),
                    *(_BLOCKS + part for part in
                      ("attn.proj", "attn.qkv", "mlp.linear_fc1", "mlp.linear_fc2",
                       "norm1", "norm2")),
                    *(f"model.visual.{part}" for part in
                      ("merger.linear_fc1", "merger.linear_fc2", "merger.norm",
                       "patch_embed.proj", "pos_embed")),
                ),
            ),
            Published(
                "MiniMaxAI--MiniMax-M2.5", "minimax_m2", 62, {**_FP8, "fmt": "float8_e4m3fn"},
                skip=("gate", "e_score_correction_bias", "lm_head"),
            ),
            Published(
                "Qwen--Qwen3-235B-A22B-FP8", "qwen3_moe", 94, _FP8, skip=_qwen_fp8(94)
            ),
            Published("Qwen--Qwen3-30B-A3B-FP8", "qwen3_moe", 48, _FP8, skip=_qwen_fp8(48)),
            Published("Qwen--Qwen3-235B-A22B", "qwen3_moe", 94),
            Published("Qwen3-VL-235B-A22B-Instruct", "qwen3_vl_moe", 94),
            Published("mixtral-8x7b-v0.1", "mixtral", 32),
            Published("nvidia--Qwen3-235B-A22B-NVFP4", "qwen3_moe", 94),
            Published(
                "deepseek-ai--DeepSeek-V3.2", "deepseek_v32", 61, _UE8M0,
                numbers={"first_k_dense_replace": 3, "num_nextn_predict_layers": 1},
            ),
            Published("deepseek-ai--DeepSeek-V4-Flash", "deepseek_v4", 43, _UE8M0),
            Published(
                "moonshotai--Kimi-K2-Instruct", "kimi_k2", 61, _FP8,
                numbers={"first_k_dense_replace": 1, "num_nextn_predict_layers": 0},
            ),
            Published(
                "llama-4-scout-17b-16e-instruct-fp8-dynamic", "llama4", 48, _BY_CHANNEL, "ignore",
                (
                    "vision_model.patch_embedding.linear",
                    *(_LLAMA_VISION + part for part in
                      ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                       "self_attn.o_proj", "mlp.fc1", "mlp.fc2")),
                    "vision_model.vision_adapter.mlp.fc1", "vision_model.vision_adapter.mlp.fc2",
                    "multi_modal_projector.linear_1",
                    *(_LLAMA + part for part in
                      ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                       "self_attn.o_proj", "feed_forward.router")),
                    "language_model.lm_head",
                ),
            ),
            Published(
                "openai--gpt-oss-20b", "gpt_oss", 24, {"quant_method": "mxfp4"},
                skip=("model.layers.*.self_attn", "model.layers.*.mlp.router",
                      "model.embed_tokens", "lm_head"),
            ),
            Published(
                "zai-org--GLM-5-FP8", "glm_moe_dsa", 78, _FP8,
                numbers={"first_k_dense_replace": 3, "num_nextn_predict_layers": 1},
                skip=(
                    "lm_head", "model.embed_tokens", "model.norm",
                    *(_GLM + part for part in
                      ("input_layernorm", "post_attention_layernorm", "self_attn.indexer.k_norm",
                       "self_attn.indexer.k_norm.bias", "self_attn.indexers_proj",
                       "self_attn.kv_a_layernorm", "self_attn.q_a_layernorm")),
                    "model.layers.{3..78}.mlp.gate",
                    "model.layers.{3..78}.mlp.gate.e_score_correction_bias",
                    *(f"model.layers.78.{part}" for part in
                      ("eh_proj", "enorm", "hnorm", "shared_head.norm")),
                ),
            ),
        )
    }
)  # fmt: skip
"""File -> what it says."""
