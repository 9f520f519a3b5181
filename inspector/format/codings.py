"""What the codes of quantized weights mean and how they are packed: names and numbers, no arrays.

Sources: OCP Microscaling Formats 1.0 (E2M1, E2M3, E3M2, E8M0), compressed-tensors
`compressors/pack_quantized/helpers.py` (integers stored with an offset in 32-bit words), MLX
`mlx.core.quantize` (integers from zero), AutoAWQ `awq/utils/packing_utils.py` (order in a word),
bitsandbytes `functional.py`, `get_4bit_type` (NF4 and FP4, whose codes are places in a table).
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from inspector.format.dtypes import Dtype


class Number(StrEnum):
    """What one code stands for."""

    E4M3 = "e4m3"
    E5M2 = "e5m2"
    E4M3FNUZ = "e4m3fnuz"
    E5M2FNUZ = "e5m2fnuz"
    E3M2 = "e3m2"
    E2M3 = "e2m3"
    E2M1 = "e2m1"
    SIGNED = "signed integer"
    OFFSET = "integer stored with an offset"
    UNSIGNED = "integer from zero"
    NF4 = "nf4"
    FP4 = "fp4 of bitsandbytes"


@dataclass(frozen=True, slots=True)
class Coding:
    """What a code means, and how many bits of a stored element it takes.

    Codes lie side by side in the bytes of a row, the first in the lowest bits.
    """

    number: Number
    bits: int

    def codes_in(self, elements: int, dtype: Dtype) -> int:
        """How many codes some stored elements hold.

        >>> Coding(Number.E2M1, 4).codes_in(16, Dtype.U8)
        32
        """
        return elements * dtype.bits // self.bits


E2M1: Final = Coding(Number.E2M1, 4)
E2M3: Final = Coding(Number.E2M3, 6)
E4M3: Final = Coding(Number.E4M3, 8)
INT8: Final = Coding(Number.SIGNED, 8)
NF4: Final = Coding(Number.NF4, 4)
FP4: Final = Coding(Number.FP4, 4)

PLAIN_CODINGS: Final = MappingProxyType(
    {
        Dtype.F8_E4M3: E4M3,
        Dtype.F8_E5M2: Coding(Number.E5M2, 8),
        Dtype.F8_E4M3FNUZ: Coding(Number.E4M3FNUZ, 8),
        Dtype.F8_E5M2FNUZ: Coding(Number.E5M2FNUZ, 8),
        Dtype.I8: INT8,
    }
)
"""Dtype -> what its elements mean where each holds one code."""


class Action(StrEnum):
    """What is done to a code's value with a number that stands beside it."""

    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    ADD = "add"


class Encoding(StrEnum):
    """How the numbers beside the codes are stored.

    `E8M0_WORDS` are four exponents in one I32, the first in the lowest byte (DeepGEMM
    `csrc/apis/layout.hpp`); `OFFSET_WORDS` are integers packed down the rows of I32 words, of GPTQ
    less one (AutoGPTQ `pack`), of AWQ in the order `AWQ_ORDER`. `MAXIMUM` are the largest
    magnitudes of rows of INT8 (bitsandbytes `functional.py`, `int8_vectorwise_quant`).
    """

    PLAIN = "as its dtype says"
    E8M0 = "exponents"
    E8M0_WORDS = "exponents, four a word"
    E4M3 = "floats of E4M3, as bytes"
    OFFSET_WORDS = "integers with an offset, packed along the rows"
    LESS_ONE_WORDS = "the same, stored less one"
    AWQ_WORDS = "the same, in AWQ's order"
    ROW_WORDS = "integers with an offset, packed along the columns"
    MAXIMUM = "largest magnitudes, 127 times the scale"

    @property
    def is_packed_down(self) -> bool:
        """Whether one word holds the numbers of several rows."""
        return self in (Encoding.OFFSET_WORDS, Encoding.LESS_ONE_WORDS, Encoding.AWQ_WORDS)


AWQ_ORDER: Final = (0, 2, 4, 6, 1, 3, 5, 7)
"""Which of the eight numbers of a word is at each place, from the lowest bits."""
