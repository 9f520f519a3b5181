"""How the tensors of one quantized weight are named: the table of endings. Pure.

A weight `M.weight` may be stored under that name or as `M.weight_packed`; beside it stand its
scales and what else it takes to read the codes. Sources: transformers `conversion_mapping.py`,
compressed-tensors `compressors/`, modelopt `quantization/qtensor/`, and the checkpoints themselves
(DeepSeek-V4 `.scale`, Mistral `.qscale_weight`, gpt-oss `_blocks`, torchao `_qdata`; modelopt calls
those of a fused `gate_up_proj` `gate_up_proj_weight_scale`). GPTQ and AWQ
name their parts after the module, and so does MLX (`mlx.nn` `QuantizedLinear`); bitsandbytes
`functional.py` puts its own below the weight, and those of 8 bits (`nn/modules.py`) beside it.
compressed-tensors up to 0.13 had `sparse-24-bitmask` (`.compressed`, `.bitmask`) and `marlin-24`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Form(StrEnum):
    """Under what kind of name the codes of a weight are stored."""

    PLAIN = "plain"
    PACKED = "packed"
    BLOCKS = "blocks"
    QDATA = "qdata"
    QWEIGHT = "qweight"
    SPARSE = "sparse"


class Part(StrEnum):
    """What a tensor is to the weight that it stands beside."""

    SCALE = "scale"
    SECOND_SCALE = "second_scale"
    GLOBAL_SCALE = "global_scale"
    ZERO_POINT = "zero_point"
    OFFSET = "offset"
    SHAPE = "shape"
    GROUP_INDEX = "group_index"
    CODEBOOK = "codebook"
    NF4_STATE = "nf4_state"
    FP4_STATE = "fp4_state"
    NESTED_SCALE = "nested_scale"
    NESTED_CODEBOOK = "nested_codebook"
    BIASES = "biases"
    ROW_MAXIMUM = "row_maximum"
    ORDERING = "ordering"
    BITMASK = "bitmask"
    ROW_OFFSETS = "row_offsets"
    DENSE_SHAPE = "dense_shape"
    MARLIN_SCALE = "marlin_scale"
    MARLIN_META = "marlin_meta"


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a name, what it says, and what stands in its place in the weight's own name."""

    text: str
    says: Form | Part
    instead: str = ""


HOLDERS: Final = (
    Ending("_packed", Form.PACKED),
    Ending("_blocks", Form.BLOCKS),
    Ending("._weight_qdata", Form.QDATA, ".weight"),
    Ending("_qdata", Form.QDATA),
    Ending(".weight.qweight", Form.QDATA, ".weight"),
    Ending(".qweight", Form.QWEIGHT, ".weight"),
    Ending(".compressed", Form.SPARSE, ".weight"),
)
"""Endings of tensors that hold codes; any other name is the weight's own."""

COMPANIONS: Final = (
    Ending("_scale_inv", Part.SCALE),
    Ending(".scale", Part.SCALE, ".weight"),
    Ending("._weight_scale", Part.SCALE, ".weight"),
    Ending("_scale", Part.SCALE),
    Ending("_scales", Part.SCALE),
    Ending(".qscale_weight", Part.SCALE, ".weight"),
    Ending(".scales", Part.SCALE, ".weight"),
    Ending(".absmax", Part.SCALE),
    Ending("_weight_scale", Part.SCALE),
    Ending("_scale_2", Part.SECOND_SCALE),
    Ending("_weight_scale_2", Part.SECOND_SCALE),
    Ending("._weight_per_tensor_scale", Part.SECOND_SCALE, ".weight"),
    Ending("_global_scale", Part.GLOBAL_SCALE),
    Ending("._weight_zero_point", Part.ZERO_POINT, ".weight"),
    Ending("_zero_point", Part.ZERO_POINT),
    Ending(".qzeros", Part.ZERO_POINT, ".weight"),
    Ending("_offset", Part.OFFSET),
    Ending("_shape", Part.SHAPE),
    Ending("_g_idx", Part.GROUP_INDEX),
    Ending(".g_idx", Part.GROUP_INDEX, ".weight"),
    Ending(".quant_map", Part.CODEBOOK),
    Ending(".nested_absmax", Part.NESTED_SCALE),
    Ending(".nested_quant_map", Part.NESTED_CODEBOOK),
    Ending(".quant_state.bitsandbytes__nf4", Part.NF4_STATE),
    Ending(".quant_state.bitsandbytes__fp4", Part.FP4_STATE),
    Ending(".biases", Part.BIASES, ".weight"),
    Ending(".SCB", Part.ROW_MAXIMUM, ".weight"),
    Ending(".weight_format", Part.ORDERING, ".weight"),
    Ending(".bitmask", Part.BITMASK, ".weight"),
    Ending(".row_offsets", Part.ROW_OFFSETS, ".weight"),
    Ending(".shape", Part.DENSE_SHAPE, ".weight"),
    Ending(".scale_packed", Part.MARLIN_SCALE, ".weight"),
    Ending(".meta", Part.MARLIN_META, ".weight"),
)
"""Endings of tensors that stand beside a weight, in the order they are looked for."""

SCALE_PARTS: Final = (Part.SCALE, Part.ROW_MAXIMUM, Part.MARLIN_SCALE)
"""What is a weight's scale, without which its codes mean nothing: it has one of them."""

ACTIVATION_ENDINGS: Final = (
    ".input_scale",
    "_input_scale",
    ".input_scale_ub",
    ".input_global_scale",
    ".input_zero_point",
    ".activation_scale",
    ".output_scale",
    ".qscale_act",
    ".q_scale",
    ".k_scale",
    ".v_scale",
)
"""Endings of scales of activations and caches: no weight is decoded with them."""

SCALE_ENDINGS: Final = (
    "_scale_inv",
    "_scale",
    "_scales",
    ".scale",
    "_scale_2",
    ".qscale_weight",
    ".weight_zero_point",
    "._weight_zero_point",
    ".scale_packed",
    ".weight_offset",
    ".weight_shape",
    ".weight_g_idx",
    ".scales",
    ".qzeros",
    ".g_idx",
    ".absmax",
    ".quant_map",
    ".nested_absmax",
    ".nested_quant_map",
    ".quant_state.bitsandbytes__nf4",
    ".quant_state.bitsandbytes__fp4",
    ".biases",
    ".SCB",
    ".weight_format",
    ".bitmask",
    ".row_offsets",
    *ACTIVATION_ENDINGS,
)
"""Endings that say by themselves that a tensor is no weight, whatever stands beside it."""


def holder_form(name: str) -> tuple[str, Form]:
    """The weight's own name, and under what kind of name its codes are stored.

    >>> holder_form("q_proj.weight_packed")
    ('q_proj.weight', <Form.PACKED: 'packed'>)
    >>> holder_form("fc.weight.qweight")
    ('fc.weight', <Form.QDATA: 'qdata'>)
    """
    for ending in HOLDERS:
        if name.endswith(ending.text) and isinstance(ending.says, Form):
            return name.removesuffix(ending.text) + ending.instead, ending.says
    return name, Form.PLAIN


def companion_of(name: str) -> list[tuple[int, str, Part]]:
    """The weights that a tensor of this name may stand beside, each with the rank of its ending.

    >>> companion_of("w2.scale")[0]
    (1, 'w2.weight', <Part.SCALE: 'scale'>)
    """
    found = []
    for rank, ending in enumerate(COMPANIONS):
        if name.endswith(ending.text) and isinstance(ending.says, Part):
            weight = name.removesuffix(ending.text) + ending.instead
            found.append((rank, weight, ending.says))
            if weight.endswith(".weight"):  # fused experts are named without it, their scales with
                found.append((rank, weight.removesuffix(".weight"), ending.says))
    return found
