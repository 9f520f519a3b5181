"""Which scheme a weight is quantized by: one table, looked up by what is stored. Pure.

A scheme is told from the form and dtype of the codes, the dtype of the scale and what else stands
beside them; a config's `quant_method` is a claim and is not asked. Sources: the checkpoints named
in each row; OCP Microscaling Formats 1.0 for groups of 32; NVFP4 has groups of 16 (modelopt
`qtensor/nvfp4_tensor.py`, compressed-tensors `compressors/nvfp4`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inspector.catalog import TensorRow
from inspector.errors import LayoutError
from inspector.format.codings import E2M1, E2M3, INT8, PLAIN_CODINGS, Coding, Number
from inspector.format.dtypes import Dtype
from inspector.layout.declared import Declared
from inspector.layout.endings import Form, Part


class SchemeName(StrEnum):
    """The schemes that are decoded."""

    FP8 = "fp8"
    MXFP8 = "mxfp8"
    INT8 = "int8"
    MXFP4 = "mxfp4"
    MXFP6 = "mxfp6"
    NVFP4 = "nvfp4"
    PACKED_INTEGER = "packed integer"


@dataclass(frozen=True, slots=True)
class Scheme:
    """One row of the table.

    `coding` None is the one of the codes' dtype. `group` is how many columns one number of the
    scale covers by specification, None where a config states it. `needs` must stand beside the
    codes, `may` can.
    """

    name: SchemeName
    forms: frozenset[Form]
    dtypes: frozenset[Dtype]
    scales: frozenset[Dtype]
    coding: Coding | None = None
    group: int | None = None
    needs: frozenset[Part] = frozenset()
    may: frozenset[Part] = frozenset()


_FP8: Final = frozenset(dtype for dtype in PLAIN_CODINGS if dtype is not Dtype.I8)
_FLOATS: Final = frozenset({Dtype.F32, Dtype.BF16, Dtype.F16})
_EXPONENTS: Final = frozenset({Dtype.F8_E8M0, Dtype.U8})
_BYTES: Final = frozenset({Dtype.U8, Dtype.I8, Dtype.F4})
_PLAIN: Final = frozenset({Form.PLAIN, Form.QDATA})
_PACKED: Final = frozenset({Form.PACKED})

SCHEMES: Final = (
    # DeepSeek-V3, Qwen3-FP8, Intern-S1-Pro, MiniMax-M2, Mistral, GLM, fbgemm, modelopt FP8, Quark
    Scheme(SchemeName.FP8, _PLAIN, _FP8, _FLOATS, may=frozenset({Part.ZERO_POINT})),
    # DeepSeek-V4 dense layers; FastDeploy keeps four exponents in an I32; modelopt MXFP8
    Scheme(SchemeName.MXFP8, _PLAIN, _FP8, _EXPONENTS | {Dtype.I32}, group=32),
    # compressed-tensors naive-quantized, Ascend
    Scheme(
        SchemeName.INT8, _PLAIN, frozenset({Dtype.I8}), _FLOATS, INT8,
        may=frozenset({Part.ZERO_POINT, Part.OFFSET}),
    ),
    # DeepSeek-V4 experts (I8), modelopt MXFP4 (U8)
    Scheme(SchemeName.MXFP4, _PLAIN, _BYTES, _EXPONENTS, E2M1, 32),
    # gpt-oss
    Scheme(SchemeName.MXFP4, frozenset({Form.BLOCKS}), _BYTES, _EXPONENTS, E2M1, 32),
    # compressed-tensors mxfp4-pack-quantized and mxfp6
    Scheme(SchemeName.MXFP4, _PACKED, _BYTES, _EXPONENTS, E2M1, 32),
    Scheme(SchemeName.MXFP6, _PACKED, _BYTES, _EXPONENTS, E2M3, 32),
    # modelopt NVFP4
    Scheme(
        SchemeName.NVFP4, _PLAIN, _BYTES, frozenset({Dtype.F8_E4M3}), E2M1, 16,
        needs=frozenset({Part.SECOND_SCALE}),
    ),
    # compressed-tensors nvfp4-pack-quantized
    Scheme(
        SchemeName.NVFP4, _PACKED, _BYTES, frozenset({Dtype.F8_E4M3}), E2M1, 16,
        needs=frozenset({Part.GLOBAL_SCALE}),
    ),
    # Kimi-K2-Thinking, compressed-tensors pack-quantized
    Scheme(
        SchemeName.PACKED_INTEGER, _PACKED, frozenset({Dtype.I32}), _FLOATS,
        needs=frozenset({Part.SHAPE}), may=frozenset({Part.ZERO_POINT}),
    ),
)  # fmt: skip
"""Looked up in this order; what fits no row is not decoded, never by a default."""

_CODES: Final = frozenset(PLAIN_CODINGS)
"""Dtypes whose elements mean nothing without a scale; a missing one is an error, not a 1."""


@dataclass(frozen=True, slots=True)
class Coded:
    """How a weight is coded: its scheme, its codes, and the shape that they unpack to."""

    scheme: Scheme
    coding: Coding
    shape: tuple[int, ...]


def coded(
    name: str, tensor: TensorRow, form: Form, parts: Mapping[Part, TensorRow], declared: Declared
) -> Coded | None:
    """How a stored tensor is coded; None for one that holds plain numbers.

    Raises:
        LayoutError: codes that no row of the table describes, or whose scale is missing.
    """
    scale = parts.get(Part.SCALE)
    if scale is None:
        if tensor.dtype in _CODES or form is not Form.PLAIN:
            raise LayoutError(
                f"{name}: {tensor.dtype} codes without a scale",
                hint="its scale is missing: no tensor of a known scale name stands beside it",
            )
        return None
    if tensor.dtype in _FLOATS | {Dtype.F64}:
        return None
    beside = frozenset(parts) - {Part.SCALE}
    found = [
        scheme
        for scheme in SCHEMES
        if form in scheme.forms and tensor.dtype in scheme.dtypes and scale.dtype in scheme.scales
        and scheme.needs <= beside <= scheme.needs | scheme.may
    ]  # fmt: skip
    codings = [(scheme, _coding(scheme, name, tensor, scale, declared)) for scheme in found]
    choices = [Coded(scheme, coding, _unpacked(tensor, form, coding)) for scheme, coding in codings]
    if len(choices) > 1:
        choices = [one for one in choices if _groups(one) == scale.shape[-1:]]
    if len(choices) != 1:
        with_parts = "".join(f", with {part}" for part in sorted(beside))
        raise LayoutError(
            f"{name}: no known scheme has {tensor.dtype} codes ({form}) {list(tensor.shape)} and "
            f"{scale.dtype} scales {list(scale.shape)}{with_parts}",
        )
    return choices[0]


def _groups(one: Coded) -> tuple[int, ...]:
    return (-(-one.shape[-1] // (one.scheme.group or 1)),)


def _unpacked(tensor: TensorRow, form: Form, coding: Coding) -> tuple[int, ...]:
    """The shape in codes; gpt-oss splits the last axis into groups, which is undone."""
    shape = tensor.shape
    if form is Form.BLOCKS and len(shape) > 1:
        shape = (*shape[:-2], shape[-2] * shape[-1])
    return (*shape[:-1], coding.codes_in(shape[-1], tensor.dtype)) if shape else shape


def _coding(
    scheme: Scheme, name: str, tensor: TensorRow, scale: TensorRow, declared: Declared
) -> Coding:
    if scheme.coding is not None:
        return scheme.coding
    if scheme.name is not SchemeName.PACKED_INTEGER:
        return PLAIN_CODINGS[tensor.dtype]
    fitting = {
        bits
        for bits in declared.bits
        if any(
            -(-(tensor.shape[-1] * 32 // bits) // block[1]) == scale.shape[-1]
            for block in declared.blocks
            if scale.shape and block[0] == 1
        )
    }
    if len(declared.bits) == 1:
        fitting = set(declared.bits)
    if len(fitting) != 1:
        stated = f"{sorted(declared.bits)} are" if declared.bits else "none is"
        raise LayoutError(
            f"{name}: packed integers need num_bits, {stated} declared",
            hint="config.json states it in quantization_config.config_groups",
        )
    return Coding(Number.OFFSET, fitting.pop())
