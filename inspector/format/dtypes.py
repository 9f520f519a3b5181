"""The dtype codes a safetensors header may hold, and the size of one element of each.

Source: `enum Dtype` in safetensors/src/tensor.rs (0.8.0). Pure names and numbers; what the codes
mean as values is `decode/numeric.py`.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Dtype(StrEnum):
    """The 22 codes of safetensors 0.8, spelled as headers spell them."""

    BOOL = "BOOL"
    F4 = "F4"
    F6_E2M3 = "F6_E2M3"
    F6_E3M2 = "F6_E3M2"
    U8 = "U8"
    I8 = "I8"
    F8_E5M2 = "F8_E5M2"
    F8_E4M3 = "F8_E4M3"
    F8_E8M0 = "F8_E8M0"
    F8_E4M3FNUZ = "F8_E4M3FNUZ"
    F8_E5M2FNUZ = "F8_E5M2FNUZ"
    I16 = "I16"
    U16 = "U16"
    F16 = "F16"
    BF16 = "BF16"
    I32 = "I32"
    U32 = "U32"
    F32 = "F32"
    C64 = "C64"
    F64 = "F64"
    I64 = "I64"
    U64 = "U64"

    @property
    def bits(self) -> int:
        """Bits of one element; 4 or 6 for the sub-byte formats."""
        return DTYPE_BITS[self]


DTYPE_BITS: Final = MappingProxyType(
    {
        Dtype.F4: 4,
        Dtype.F6_E2M3: 6,
        Dtype.F6_E3M2: 6,
        Dtype.BOOL: 8,
        Dtype.U8: 8,
        Dtype.I8: 8,
        Dtype.F8_E5M2: 8,
        Dtype.F8_E4M3: 8,
        Dtype.F8_E8M0: 8,
        Dtype.F8_E4M3FNUZ: 8,
        Dtype.F8_E5M2FNUZ: 8,
        Dtype.I16: 16,
        Dtype.U16: 16,
        Dtype.F16: 16,
        Dtype.BF16: 16,
        Dtype.I32: 32,
        Dtype.U32: 32,
        Dtype.F32: 32,
        Dtype.C64: 64,
        Dtype.F64: 64,
        Dtype.I64: 64,
        Dtype.U64: 64,
    }
)
"""Code -> bits of one element. `shape` in a header counts elements, also of sub-byte formats."""

DTYPE_BY_CODE: Final = MappingProxyType({str(dtype): dtype for dtype in Dtype})
"""Header string -> dtype; a string that is not a key is an unknown dtype, never a default."""
