"""Model families by how their experts are named: the one table to extend for another family.

Patterns are written over templates (`catalog/names.py`): `#` stands for a number, `*.` for any
prefix. The first number of a pattern is the layer, the second, where there is one, the expert.
Sources: `layouts` of the checkpoints themselves (model reports of Qwen3-VL-235B and Qwen3-30B-A3B),
InternLM/xtuner `hf_to_fp8.py`, transformers `conversion_mapping.py`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Projection(StrEnum):
    """One matrix of a gated expert: `down(act(gate(x)) * up(x))`."""

    GATE = "gate_proj"
    UP = "up_proj"
    DOWN = "down_proj"


@dataclass(frozen=True, slots=True)
class ExpertGrammar:
    """How one family stores experts: a tensor each, or one tensor a layer for all of them.

    `holds` says which projections a fused tensor has side by side, in their order.
    """

    family: str
    pattern: str
    holds: MappingProxyType[str, tuple[Projection, ...]]
    fused: bool = False

    def match(self, label: str) -> tuple[str, tuple[Projection, ...]] | None:
        """The prefix before `layers` and the projections held, where the label fits."""
        found = _compiled(self.pattern).fullmatch(label)
        if found is None:
            return None
        return found["prefix"] or "", self.holds[found["matrix"]]


_SEPARATE: Final = MappingProxyType({str(one): (one,) for one in Projection})
_FUSED: Final = MappingProxyType(
    {"gate_up_proj": (Projection.GATE, Projection.UP), "down_proj": (Projection.DOWN,)}
)

EXPERT_GRAMMARS: Final = (
    # Intern-S1-Pro, Intern-S1, Qwen3-MoE, DeepSeek-V3, Kimi-K2, GLM
    ExpertGrammar(
        "separate", "*.layers.#.mlp.experts.#.<gate_proj|up_proj|down_proj>.weight", _SEPARATE
    ),
    # Qwen3-VL-MoE on disk [E, H, 2I]; transformers v5 [E, 2I, H]
    ExpertGrammar("fused", "*.layers.#.mlp.experts.<gate_up_proj|down_proj>", _FUSED, fused=True),
)  # fmt: skip
"""Tried in order; a name that fits none is no expert, never a default."""

_patterns: dict[str, re.Pattern[str]] = {}


def _compiled(pattern: str) -> re.Pattern[str]:
    if pattern not in _patterns:
        body = re.escape(pattern.removeprefix("*."))
        body = body.replace(r"\#", "#")
        body = re.sub(r"<(.+?)>", lambda m: f"(?P<matrix>{m[1]})".replace(r"\|", "|"), body)
        _patterns[pattern] = re.compile(rf"(?:(?P<prefix>.+)\.)?{body}")
    return _patterns[pattern]
