"""One fault for each rule of the audit, planted in a sound checkpoint of `qwen_like`.

Faults lie in different modules, so that any of them can be planted together.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import numpy as np

from inspector.format.codings import INT8, Coding, Number
from tests.encoding import Float64, encode, two_a_byte
from tests.quantized import BF16, BLOCK, E4M3, Model, gptq

INT4: Final = Coding(Number.OFFSET, 4)
SCALE: Final = "weight_scale_inv"


def missing_scale(model: Model) -> None:
    del model.tensors[f"model.layers.1.mlp.experts.0.gate_proj.{SCALE}"]


def orphan_scale(model: Model) -> None:
    del model.tensors["model.layers.1.mlp.experts.1.up_proj.weight"]


def scale_shape(model: Model) -> None:
    name = f"model.layers.1.mlp.experts.2.down_proj.{SCALE}"
    model.tensors[name] = model.tensors[name][:, :1]


def listed_but_quantized(model: Model) -> None:
    model.skip.append("model.layers.1.self_attn.o_proj")


def unlisted_but_unquantized(model: Model) -> None:
    module = "model.layers.2.self_attn.o_proj"
    del model.tensors[f"{module}.{SCALE}"]
    model.tensors[f"{module}.weight"] = model.tensors[f"{module}.weight"].astype(BF16)


def dead_skip_entry(model: Model) -> None:
    model.skip.append("model.layers.77.mlp.gate")


def ambiguous_skip_entry(model: Model) -> None:
    model.skip.append("model.layers.0")


def scale_not_power_of_two(model: Model) -> None:
    name = f"model.layers.2.mlp.experts.0.gate_proj.{SCALE}"
    model.tensors[name] = model.tensors[name] * np.float32(1.25)


def scale_not_minimal(model: Model) -> None:
    module = "model.layers.2.mlp.experts.1.down_proj"
    codes, scale = model.tensors[f"{module}.weight"], model.tensors[f"{module}.{SCALE}"]
    model.tensors[f"{module}.weight"] = (codes.astype(np.float32) / 2).astype(E4M3)
    model.tensors[f"{module}.{SCALE}"] = scale * np.float32(2)


def scale_not_finite(model: Model) -> None:
    scale = model.tensors[f"model.layers.2.mlp.experts.2.up_proj.{SCALE}"]
    scale[0, 0], scale[1, 1] = np.nan, np.inf


def zero_scale(model: Model) -> None:
    module = "model.layers.2.mlp.experts.3.gate_proj"
    model.tensors[f"{module}.{SCALE}"][1, 0] = 0
    model.tensors[f"{module}.weight"].view(np.uint8)[BLOCK:, :BLOCK] = 0x7F


def nan_codes(model: Model) -> None:
    codes = model.tensors["model.layers.3.mlp.experts.0.up_proj.weight"].view(np.uint8)
    codes[5, 7], codes[150, 200] = 0x7F, 0xFF


def saturated_codes(model: Model) -> None:
    module = "model.layers.3.self_attn.q_proj"
    values = model.tensors[f"{module}.weight"].astype(np.float32)
    model.tensors[f"{module}.weight"] = np.clip(values * 3, -448, 448).astype(E4M3)


def loader_disagreement(model: Model) -> None:
    inside = [entry for entry in model.skip if entry.startswith("model.visual.")]
    for entry in inside:
        model.skip.remove(entry)
    model.skip.append("model.visual")


def not_decoded(model: Model) -> None:
    """A projection as GPTQ stores it, of 4 bits in one group."""
    module = "model.layers.1.self_attn.v_proj"
    outputs, inputs = model.tensors.pop(f"{module}.weight").shape
    del model.tensors[f"{module}.{SCALE}"]
    model.tensors |= gptq(module, outputs, inputs)


def zero_point_range(model: Model) -> None:
    """A projection in INT8 whose offset is beyond any code of it, as Ascend stores such."""
    module = "model.layers.1.self_attn.k_proj"
    encoded = encode(decoded(model, module), INT8, (1, 256), "ceil")
    del model.tensors[f"{module}.{SCALE}"]
    model.tensors |= {
        f"{module}.weight": encoded.codes.view(np.int8),
        f"{module}.weight_scale": encoded.scale.astype(np.float32),
        f"{module}.weight_offset": np.full((128, 1), 200, np.float32),
    }


def packed_shape(model: Model) -> None:
    """A projection in packed INT4 whose stored shape has more columns than its words."""
    module = "model.layers.1.self_attn.q_proj"
    encoded = encode(decoded(model, module), INT4, (1, 32), "ceil")
    weights = {"num_bits": 4, "type": "int", "group_size": 32, "symmetric": True}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    model.config["quantization_config"]["config_groups"] = groups
    del model.tensors[f"{module}.{SCALE}"], model.tensors[f"{module}.weight"]
    model.tensors |= {
        f"{module}.weight_packed": two_a_byte(encoded.codes).view(np.int32),
        f"{module}.weight_scale": encoded.scale.astype(BF16),
        f"{module}.weight_shape": np.array([256, 320], np.int64),
    }


def code_places(model: Model) -> None:
    """A group index of a group that is not there."""
    module = "model.layers.3.mlp.experts.2.gate_proj"
    model.tensors[f"{module}.weight_g_idx"] = np.full(256, 2, np.int32)


def decoded(model: Model, module: str) -> Float64:
    """About the values of a module, whose scales are left out: all blocks are alike."""
    return np.asarray(model.tensors[f"{module}.weight"], dtype=np.float64)


def scale_in_other_shard(model: Model) -> None:
    model.second_shard.add(f"model.layers.3.mlp.experts.1.gate_proj.{SCALE}")


FAULTS: Final = MappingProxyType[str, Callable[[Model], None]](
    {
        plant.__name__: plant
        for plant in (
            missing_scale,
            orphan_scale,
            scale_shape,
            listed_but_quantized,
            unlisted_but_unquantized,
            dead_skip_entry,
            ambiguous_skip_entry,
            scale_not_power_of_two,
            scale_not_minimal,
            scale_not_finite,
            zero_scale,
            nan_codes,
            saturated_codes,
            loader_disagreement,
            not_decoded,
            zero_point_range,
            packed_shape,
            code_places,
            scale_in_other_shard,
        )
    }
)
"""Rule -> what plants its fault."""
