"""The table of schemes: what each has for codes, scales and what else stands beside them. Pure.

Sources: the checkpoints named in each row; OCP Microscaling Formats 1.0 for groups of 32; NVFP4 has
groups of 16 (modelopt `qtensor/nvfp4_tensor.py`, compressed-tensors `compressors/nvfp4`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inspector.format.codings import E2M1, E2M3, E4M3, FP4, INT8, NF4, PLAIN_CODINGS, Coding
from inspector.format.dtypes import Dtype
from inspector.layout.endings import Form, Part


class SchemeName(StrEnum):
    """The schemes that are known."""

    FP8 = "fp8"
    MXFP8 = "mxfp8"
    INT8 = "int8"
    MXFP4 = "mxfp4"
    MXFP6 = "mxfp6"
    NVFP4 = "nvfp4"
    PACKED_INTEGER = "packed integer"
    GPTQ = "GPTQ"
    AWQ = "AWQ"
    AWQ_GEMV = "AWQ GEMV"
    MLX = "MLX"
    MARLIN_24 = "marlin-24"
    NF4 = "bitsandbytes NF4"
    FP4 = "bitsandbytes FP4"
    LLM_INT8 = "bitsandbytes LLM.int8"


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

    @property
    def is_narrow(self) -> bool:
        """Whether its codes are floats of fewer than 8 bits, whose groups are specified."""
        return self.coding is not None and self.group is not None


_FP8: Final = frozenset(dtype for dtype in PLAIN_CODINGS if dtype is not Dtype.I8)
FLOATS: Final = frozenset({Dtype.F32, Dtype.BF16, Dtype.F16})
_EXPONENTS: Final = frozenset({Dtype.F8_E8M0, Dtype.U8})
_BYTES: Final = frozenset({Dtype.U8, Dtype.I8, Dtype.F4})
_PLAIN: Final = frozenset({Form.PLAIN, Form.QDATA})
_ONE_CODE: Final = _PLAIN | {Form.SPARSE}
_SPARSE: Final = frozenset({Part.BITMASK, Part.DENSE_SHAPE, Part.ROW_OFFSETS})
_PACKED: Final = frozenset({Form.PACKED})
_ANY_STORAGE: Final = frozenset({Dtype.U8, Dtype.I8}) | FLOATS
_NESTED: Final = frozenset({Part.NESTED_SCALE, Part.NESTED_CODEBOOK})
_QWEIGHT: Final = frozenset({Form.QWEIGHT})

SCHEMES: Final = (
    # DeepSeek-V3, Qwen3-FP8, Intern-S1-Pro, MiniMax-M2, Mistral, GLM, fbgemm, modelopt FP8, Quark
    Scheme(
        SchemeName.FP8, _ONE_CODE, _FP8, FLOATS,
        may=frozenset({Part.ZERO_POINT, Part.GROUP_INDEX}) | _SPARSE,
    ),
    # FastDeploy keeps four exponents in an I32
    Scheme(SchemeName.FP8, _PLAIN, _FP8, frozenset({Dtype.I32})),
    # DeepSeek-V4 dense layers, modelopt and compressed-tensors MXFP8
    Scheme(SchemeName.MXFP8, _PLAIN, _FP8, _EXPONENTS, group=32),
    # compressed-tensors naive-quantized, Ascend
    Scheme(
        SchemeName.INT8, _ONE_CODE, frozenset({Dtype.I8}), FLOATS, INT8,
        may=frozenset({Part.ZERO_POINT, Part.OFFSET, Part.GROUP_INDEX}) | _SPARSE,
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
        SchemeName.NVFP4, frozenset({Form.PLAIN}), _BYTES, frozenset({Dtype.F8_E4M3}), E2M1, 16,
        needs=frozenset({Part.SECOND_SCALE}),
    ),
    # torchao NVFP4, with the second scale or without
    Scheme(
        SchemeName.NVFP4, frozenset({Form.QDATA}), _BYTES, frozenset({Dtype.F8_E4M3}), E2M1, 16,
        may=frozenset({Part.SECOND_SCALE}),
    ),
    # compressed-tensors nvfp4-pack-quantized
    Scheme(
        SchemeName.NVFP4, _PACKED, _BYTES, frozenset({Dtype.F8_E4M3}), E2M1, 16,
        needs=frozenset({Part.GLOBAL_SCALE}),
    ),
    # Kimi-K2-Thinking, compressed-tensors pack-quantized
    Scheme(
        SchemeName.PACKED_INTEGER, _PACKED, frozenset({Dtype.I32}), FLOATS,
        needs=frozenset({Part.SHAPE}), may=frozenset({Part.ZERO_POINT, Part.GROUP_INDEX}),
    ),
    # AutoGPTQ and GPTQModel: words of one column; AutoAWQ: words of one row
    Scheme(
        SchemeName.GPTQ, _QWEIGHT, frozenset({Dtype.I32}), FLOATS,
        needs=frozenset({Part.ZERO_POINT}), may=frozenset({Part.GROUP_INDEX}),
    ),
    Scheme(
        SchemeName.AWQ, _QWEIGHT, frozenset({Dtype.I32}), FLOATS,
        needs=frozenset({Part.ZERO_POINT}),
    ),
    # AutoAWQ for its GEMV kernel: words of one row of [out, in]
    Scheme(
        SchemeName.AWQ_GEMV, _QWEIGHT, frozenset({Dtype.I32}), FLOATS,
        needs=frozenset({Part.ZERO_POINT}),
    ),
    # compressed-tensors marlin-24: in the order of a kernel, which its library does not undo either
    Scheme(
        SchemeName.MARLIN_24, _PACKED, frozenset({Dtype.I32}), FLOATS,
        needs=frozenset({Part.MARLIN_SCALE, Part.MARLIN_META}),
    ),
    # MLX: affine, and the formats of groups that OCP and Nvidia specify, in words of its own
    Scheme(
        SchemeName.MLX, _PLAIN, frozenset({Dtype.U32}), FLOATS, needs=frozenset({Part.BIASES}),
    ),
    Scheme(SchemeName.MXFP4, _PLAIN, frozenset({Dtype.U32}), frozenset({Dtype.U8}), E2M1, 32),
    Scheme(SchemeName.MXFP8, _PLAIN, frozenset({Dtype.U32}), frozenset({Dtype.U8}), E4M3, 32),
    Scheme(SchemeName.NVFP4, _PLAIN, frozenset({Dtype.U32}), frozenset({Dtype.U8}), E2M1, 16),
    # bitsandbytes: 4 bits in bytes, or in a dtype that a trainer shards; LLM.int8
    Scheme(
        SchemeName.NF4, _PLAIN, _ANY_STORAGE, FLOATS | {Dtype.U8}, NF4,
        needs=frozenset({Part.CODEBOOK, Part.NF4_STATE}), may=_NESTED,
    ),
    Scheme(
        SchemeName.FP4, _PLAIN, _ANY_STORAGE, FLOATS | {Dtype.U8}, FP4,
        needs=frozenset({Part.CODEBOOK, Part.FP4_STATE}), may=_NESTED,
    ),
    Scheme(
        SchemeName.LLM_INT8, _PLAIN, frozenset({Dtype.I8}), frozenset({Dtype.F32}), INT8,
        needs=frozenset({Part.ROW_MAXIMUM}), may=frozenset({Part.ORDERING}),
    ),
)  # fmt: skip
"""Looked up in this order; what fits no row is not decoded, never by a default."""

PACKED_DTYPES: Final = frozenset(
    dtype
    for scheme in SCHEMES
    for dtype in scheme.dtypes - FLOATS
    if (scheme.coding.bits < dtype.bits if scheme.coding else dtype not in PLAIN_CODINGS)
)
"""Dtypes of which one element may hold several codes."""

FLAT: Final = frozenset({SchemeName.NF4, SchemeName.FP4})
"""Schemes whose codes are one run, of a shape that no header has; the first of a byte is in its
upper half."""

WORDS: Final = frozenset({Dtype.I32, Dtype.U32})
"""Dtypes of which one element may hold codes of any width."""
