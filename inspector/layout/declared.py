"""What a config declares of blocks and bits: candidates that a grid is checked against. Pure.

A config with several groups of layers declares several block sizes; the one that a weight has is
the one that tiles it, and where two do, none is taken.
"""

from dataclasses import dataclass
from typing import Final

from inspector.config.quantization import QuantConfig
from inspector.errors import LayoutError

_MOST_BITS: Final = 8
"""Wider codes are packed by no scheme."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared, each once, in the config's order.

    `blocks` are (rows, columns); `integers` are widths in bits of packed integers, each with the
    columns of a group, None where a row is one. `method` is what the config calls it all, and
    `zeros_less_one` whether GPTQ's zero points are stored so. `malformed` says what of the config
    cannot be read, and so might have declared more.
    """

    blocks: tuple[tuple[int, int], ...] = ()
    integers: tuple[tuple[int, int | None], ...] = ()
    method: str | None = None
    zeros_less_one: bool | None = None
    malformed: tuple[str, ...] = ()

    def explained(self, error: LayoutError) -> LayoutError:
        """An error of something that is not declared, saying also what cannot be read."""
        if not self.malformed:
            return error
        return LayoutError(f"{error}; {self.malformed[0]}", hint=error.hint)


def declared_by(claim: QuantConfig | None) -> Declared:
    """What a claim of quantization declares; None declares nothing."""
    if claim is None:
        return Declared()
    blocks = [
        block
        for coding in claim.codings
        for block in (coding.block, (1, coding.group_size) if coding.group_size else None)
        if block is not None
    ]
    integers = [
        (coding.bits, coding.group_size)
        for coding in claim.codings
        if coding.bits is not None and coding.bits <= _MOST_BITS
    ]
    return Declared(
        tuple(dict.fromkeys(blocks)),
        tuple(dict.fromkeys(integers)),
        claim.method,
        claim.zeros_less_one,
    )
