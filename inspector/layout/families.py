"""Model families by how their experts are named: the one table to extend for another family.

Patterns are written over templates (`catalog/names.py`) of the weights' own names (`endings.py`):
`#` stands for a number, `*.` for any prefix. The first number of a pattern is the layer, the
second, where there is one, the expert. Sources: the checkpoints themselves (model reports of
Qwen3-VL-235B, Qwen3-30B-A3B, DeepSeek-V4-Pro, MiniMax-M2.7, gpt-oss-20b, Kimi-K2.5),
InternLM/xtuner `hf_to_fp8.py`, transformers `conversion_mapping.py`, `modeling_llama4.py` and
`modeling_mixtral.py`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final


class Projection(StrEnum):
    """One matrix of a gated expert: `down(act(gate(x)) * up(x))`."""

    GATE = "gate_proj"
    UP = "up_proj"
    DOWN = "down_proj"


_SEPARATE: Final = MappingProxyType({str(one): (one,) for one in Projection})
_NUMBERED: Final = MappingProxyType(
    {"w1": (Projection.GATE,), "w2": (Projection.DOWN,), "w3": (Projection.UP,)}
)
_FUSED: Final = MappingProxyType(
    {"gate_up_proj": (Projection.GATE, Projection.UP), "down_proj": (Projection.DOWN,)}
)
_RUNTIME: Final = MappingProxyType(
    {"w13_weight": (Projection.GATE, Projection.UP), "w2_weight": (Projection.DOWN,)}
)


@dataclass(frozen=True, slots=True)
class ExpertGrammar:
    """How one family stores experts: a tensor each, or one tensor a layer for all of them.

    `pattern` has `<>` where one of the keys of `holds` stands, which say which projections that
    tensor has, in their order. `beside` is a name that must stand in the same module, where the
    pattern alone does not tell two families apart. `interleaved`: the projections of a fused tensor
    take turns row by row, and do not follow each other. `bias`: a fused tensor is `[E, rows]`, and
    holds what is added to the outputs of each.
    """

    family: str
    pattern: str
    holds: MappingProxyType[str, tuple[Projection, ...]]
    fused: bool = False
    beside: str | None = None
    interleaved: bool = False
    bias: bool = False

    def match(self, label: str) -> tuple[str, tuple[Projection, ...]] | None:
        """The prefix before `layers` and the projections held, where the label fits."""
        found = _compiled(self.pattern, tuple(self.holds)).fullmatch(label)
        if found is None:
            return None
        return found["prefix"] or "", self.holds[found["matrix"]]

    def separate_name(self, prefix: str, layer: int, expert: int, projection: Projection) -> str:
        """The name that a matrix of a fused tensor would have as a tensor of its own."""
        module = self.pattern.removeprefix("*.").partition(".<>")[0].replace("#", str(layer), 1)
        start = f"{prefix}." if prefix else ""
        return f"{start}{module}.{expert}.{projection}.{'bias' if self.bias else 'weight'}"


EXPERT_GRAMMARS: Final = (
    # Intern-S1-Pro, Intern-S1, Qwen3-MoE, Qwen3.5-FP8, DeepSeek-V3, Kimi-K2, GLM, MiMo
    ExpertGrammar("separate", "*.layers.#.mlp.experts.#.<>.weight", _SEPARATE),
    # Mixtral, MiniMax-M2
    ExpertGrammar("mixtral", "*.layers.#.block_sparse_moe.experts.#.<>.weight", _NUMBERED),
    # DeepSeek-V4, and DeepSeek's own naming of V3
    ExpertGrammar("deepseek-v4", "*.layers.#.ffn.experts.#.<>.weight", _NUMBERED),
    # Llama-4 where its experts were taken apart to be quantized
    ExpertGrammar("llama4-separate", "*.layers.#.feed_forward.experts.#.<>.weight", _SEPARATE),
    # gpt-oss: its biases tell it from the next one
    ExpertGrammar(
        "gpt-oss", "*.layers.#.mlp.experts.<>", _FUSED, fused=True,
        beside="gate_up_proj_bias", interleaved=True,
    ),
    ExpertGrammar(
        "gpt-oss", "*.layers.#.mlp.experts.<>_bias", _FUSED, fused=True,
        beside="gate_up_proj_bias", interleaved=True, bias=True,
    ),
    # Qwen3-VL-MoE on disk [E, H, 2I]; Qwen3.5 and transformers v5 [E, 2I, H]
    ExpertGrammar("fused", "*.layers.#.mlp.experts.<>", _FUSED, fused=True),
    # Llama-4 [E, H, 2I]
    ExpertGrammar("llama4", "*.layers.#.feed_forward.experts.<>", _FUSED, fused=True),
    # Step: a 3-D tensor for each projection
    ExpertGrammar("step", "*.layers.#.moe.<>.weight", _SEPARATE, fused=True),
    # MLX: a 3-D tensor for each projection
    ExpertGrammar("mlx", "*.layers.#.mlp.switch_mlp.<>.weight", _SEPARATE, fused=True),
    # vLLM's own parameters, as some saved them
    ExpertGrammar("vllm", "*.layers.#.mlp.experts.<>", _RUNTIME, fused=True),
)  # fmt: skip
"""Tried in order; a name that fits none is no expert, never a default."""


class MoePart(StrEnum):
    """What a tensor is in a layer with experts."""

    EXPERT = "expert"
    SHARED_EXPERT = "shared_expert"
    ROUTER = "router"


_MODULES: Final = MappingProxyType(
    {
        MoePart.ROUTER: (
            "mlp.gate", "mlp.router", "block_sparse_moe.gate", "feed_forward.router", "ffn.gate",
            "moe.gate", "mlp.shared_expert_gate",
        ),
        MoePart.SHARED_EXPERT: (
            "mlp.shared_expert", "mlp.shared_experts", "block_sparse_moe.shared_experts",
            "feed_forward.shared_expert", "ffn.shared_experts", "share_expert",
        ),
        MoePart.EXPERT: (
            "mlp.experts", "block_sparse_moe.experts", "feed_forward.experts", "ffn.experts", "moe",
            "mlp.switch_mlp",
        ),
    }
)  # fmt: skip
"""Modules of a layer, by what they are; the first that a name has is it."""


def moe_part(label: str) -> MoePart | None:
    """What a tensor is in a layer with experts, from its name or its template's label.

    >>> str(moe_part("model.layers.3.mlp.shared_experts.up_proj.weight"))
    'shared_expert'
    """
    inside = re.search(r"(?:^|\.)layers\.(?:\d+|#)\.(.+)", label)
    if inside is None:
        return None
    for part, modules in _MODULES.items():
        if any(inside[1].startswith(f"{module}.") for module in modules):
            return part
    return None


@lru_cache(maxsize=len(EXPERT_GRAMMARS))
def _compiled(pattern: str, words: tuple[str, ...]) -> re.Pattern[str]:
    body = re.escape(pattern.removeprefix("*.")).replace(r"\#", "#")
    choices = "|".join(map(re.escape, words))
    return re.compile(rf"(?:(?P<prefix>.+)\.)?{body.replace('<>', f'(?P<matrix>{choices})')}")
