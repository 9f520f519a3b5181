"""What the components of a tensor's name mean: tower, layer, expert, role. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inspector.catalog.names import Template
from inspector.layout.endings import SCALE_ENDINGS, holder_form

_LAYER_WORDS: Final = frozenset({"layers", "blocks", "h"})
_EXPERT_WORDS: Final = frozenset({"experts"})
_VISION_WORDS: Final = frozenset({"visual", "vision_tower", "vision_model"})
_LANGUAGE_WORDS: Final = frozenset(
    {"layers", "embed_tokens", "lm_head", "norm", "rotary_emb", "embed", "head"}
)


class Tower(StrEnum):
    """The part of a multimodal model that a tensor belongs to."""

    LANGUAGE = "language"
    VISION = "vision"
    TIME_SERIES = "time_series"
    UNKNOWN = "unknown"


class Role(StrEnum):
    """What a tensor is to its module; `SCALE` is anything that stands beside codes."""

    WEIGHT = "weight"
    SCALE = "scale"
    BIAS = "bias"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ModulePath:
    """A template read as a path. `layer_hole` and `expert_hole` say which number is which."""

    tower: Tower
    role: Role
    layer_hole: int | None
    expert_hole: int | None


def module_path(template: Template) -> ModulePath:
    """The path of a template; unknown parts are said to be unknown.

    >>> from inspector.catalog.names import split_name
    >>> path = module_path(split_name("model.visual.blocks.3.norm1.bias")[0])
    >>> str(path.tower), str(path.role), path.layer_hole, path.expert_hole
    ('vision', 'bias', 0, None)
    """
    components = template.components()
    layer_hole = expert_hole = None
    hole = 0
    for position, component in enumerate(components):
        if component is not None:
            continue
        before = components[position - 1] if position else None
        if layer_hole is None and before in _LAYER_WORDS:
            layer_hole = hole
        elif expert_hole is None and before in _EXPERT_WORDS:
            expert_hole = hole
        hole += 1
    words = {component for component in components if component is not None}
    return ModulePath(_tower(words), role_of(template.pieces[-1]), layer_hole, expert_hole)


def role_of(name: str) -> Role:
    """The role of a tensor, from the end of its name."""
    if name.endswith(SCALE_ENDINGS):
        return Role.SCALE
    last = holder_form(name)[0].rpartition(".")[2]
    if last == "bias" or last.endswith("_bias"):
        return Role.BIAS
    return Role.WEIGHT if last == "weight" or last.endswith("_proj") else Role.OTHER


def _tower(words: set[str]) -> Tower:
    if words & _VISION_WORDS:
        return Tower.VISION
    if "time_series" in words:
        return Tower.TIME_SERIES
    return Tower.LANGUAGE if words & _LANGUAGE_WORDS else Tower.UNKNOWN
