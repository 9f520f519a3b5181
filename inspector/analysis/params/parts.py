"""Which component a stored tensor belongs to, and whether it holds parameters at all. Pure.

Names are read as templates (`catalog/names.py`): once for all tensors alike but for their numbers.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inspector.analysis.params.terms import Component
from inspector.catalog.names import Template
from inspector.layout.names import Role, Tower, module_path

NUMBER: Final = "#"
"""What a label has where a name has a number."""


class Apart(StrEnum):
    """What is stored and is no parameter."""

    SCALES = "scales"
    BUFFERS = "buffers"


_BESIDE_WEIGHTS: Final = frozenset(
    {
        "weight_shape", "weight_zero_point", "weight_g_idx", "weight_global_scale",
        "weight_scale_2", "weight_offset", "input_scale", "input_scale_ub", "input_global_scale",
        "activation_scale", "qscale_act", "k_scale", "v_scale", "output_scale", "scales", "qzeros",
        "g_idx", "absmax", "quant_map", "nested_absmax", "nested_quant_map", "biases", "SCB",
        "weight_format", "bitmask", "row_offsets", "shape", "meta",
    }
)  # fmt: skip
"""Last components that quantizers put beside a weight: compressed-tensors, modelopt, GPTQ, AWQ,
bitsandbytes, MLX, ModelSlim."""

_BUFFERS: Final = frozenset(
    {
        "inv_freq", "sin_coef", "cos_coef", "cos_cached", "sin_cached", "position_ids", "tid2eid",
        "e_score_correction_bias", "correction_bias", "expert_bias", "num_batches_tracked",
        "masked_bias", "rotary_emb",
    }
)  # fmt: skip
"""Components of names of what is computed or tuned beside training: tables of positions, balancing
biases of routers, tables of tokens."""

_WORDS: Final = (
    (Component.HYPER_CONNECTIONS, frozenset({"attn_hc", "ffn_hc", "hc_head", "hc"})),
    (Component.HEAD, frozenset({"lm_head", "head", "output_layer"})),
    (Component.EMBEDDING, frozenset({"embed_tokens", "wte", "tok_embeddings", "embed"})),
    (
        Component.SHARED_EXPERTS,
        frozenset({"shared_experts", "shared_expert", "shared_expert_gate"}),
    ),
    (Component.EXPERTS, frozenset({"experts"})),
    (Component.ROUTER, frozenset({"router"})),
)
_BLOCKS: Final = (
    (Component.ATTENTION, frozenset({"self_attn", "attn", "attention", "linear_attn"})),
    (Component.DENSE_MLP, frozenset({"mlp", "feed_forward", "ffn"})),
)
_PARAMETERS: Final = frozenset({"weight", "bias", "compressed"})
"""Last components of a module's own parameters; the last is of compressed-tensors' bitmasks."""

_SPARSE_BLOCKS: Final = frozenset({"mlp", "block_sparse_moe", "feed_forward", "ffn", "moe"})
_MTP_WORDS: Final = frozenset({"mtp", "mtp_layers", "mtp_block", "nextn"})
_PROJECTORS: Final = frozenset({"multi_modal_projector", "mm_projector", "mlp1", "vision_adapter"})


@dataclass(frozen=True, slots=True)
class Part:
    """What a template of names is: `layer_hole` says which number is a layer of the text model."""

    component: Component
    apart: Apart | None
    layer_hole: int | None


def part_of(template: Template) -> Part:
    """The component of tensors of one template; what is not recognised is `other`."""
    path = module_path(template)
    words = [word for word in template.components() if word is not None]
    component = _component(words, path.tower)
    in_text = component not in (Component.VISION, Component.TIME_SERIES)
    return Part(component, _apart(words, path.role), path.layer_hole if in_text else None)


def _apart(words: list[str], role: Role) -> Apart | None:
    if role is Role.SCALE or words[-1] in _BESIDE_WEIGHTS or "quant_state" in words:
        return Apart.SCALES
    return Apart.BUFFERS if _BUFFERS & set(words) else None


def _component(words: list[str], tower: Tower) -> Component:
    there = set(words)
    if tower is Tower.VISION or there & _PROJECTORS:
        return Component.VISION
    if tower is Tower.TIME_SERIES:
        return Component.TIME_SERIES
    if there & _MTP_WORDS:
        return Component.MTP
    for component, names in _WORDS:
        if there & names:
            return component
    module = words[-2] if words[-1] in _PARAMETERS and len(words) > 1 else words[-1]
    if "norm" in module or module.startswith("ln_"):
        return Component.NORMS
    if module == "gate" and there & _SPARSE_BLOCKS:
        return Component.ROUTER
    return next((one for one, names in _BLOCKS if there & names), Component.OTHER)
