"""What a TARGET of `dequant` chooses: which weights, which rows and columns of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from inspector.checkpoint import Checkpoint
from inspector.checkpoint.choosing import find_weights, naming_parts
from inspector.checkpoint.reader import Part
from inspector.cli.common import UNASKED_BYTES, InputOptions
from inspector.errors import BudgetExceeded, UsageError
from inspector.layout.weights import Weight
from inspector.render.text import decimal_bytes


@dataclass(frozen=True, slots=True)
class Choice:
    """What was typed: targets, and `A:B` of rows and of columns."""

    targets: Sequence[str]
    rows: str | None
    columns: str | None


def choose(checkpoint: Checkpoint, inputs: InputOptions, choice: Choice) -> list[Part]:
    """The parts of weights that a choice names, in its order, each once.

    Raises:
        UsageError: nothing has such a name, or a range that a weight does not have.
    """
    parts = naming_parts(choice.targets)
    if parts is not None:
        checkpoint.only_naming(parts)

    def allow(size: int) -> None:
        if choice.rows is None:
            refuse_large(checkpoint, inputs, size)

    numbers = inputs.layer_numbers, inputs.expert_numbers
    weights = find_weights(checkpoint, choice.targets, *numbers, allow=allow)
    if not inputs.plan:
        weights = checkpoint.reader.settle(weights)
    return [_part(weight, choice) for weight in weights]


def refuse_large(checkpoint: Checkpoint, inputs: InputOptions, size: int) -> None:
    """Over a network, more than a few GB are read only by a person who says so."""
    if checkpoint.is_remote and inputs.max_bytes is None and size > UNASKED_BYTES:
        raise BudgetExceeded(
            f"these weights are {decimal_bytes(size)}; more than {decimal_bytes(UNASKED_BYTES)} "
            "over a network is read only when asked for",
            hint=f"choose fewer, or say --max-bytes {-(-size // 10**9)}GB",
        )


def refuse_over_budget(
    checkpoint: Checkpoint, inputs: InputOptions, chosen: Sequence[Part], size: int
) -> None:
    """Say before the first read which weights --max-bytes leaves no room for."""
    if inputs.byte_budget is None:
        return
    left = max(0, inputs.byte_budget - checkpoint.ledger.bytes)
    if size <= left:
        return
    ends = accumulate(len(part.weight.span(part.start, part.stop)) for part in chosen)
    missing = [part.weight.name for part, end in zip(chosen, ends, strict=True) if end > left]
    named = missing or [chosen[-1].weight.name]
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    raise BudgetExceeded(
        f"these weights take {size:,} bytes, --max-bytes {inputs.byte_budget:,} leaves {left:,}; "
        f"missing would be: {named[0]}{more}",
        hint="raise --max-bytes, or ask for less",
    )


def _part(weight: Weight, choice: Choice) -> Part:
    start, stop = _range(choice.rows, weight.rows, weight.name, option="--rows")
    if choice.columns is None:
        return Part(weight, start, stop)
    if len(weight.shape) != 2:
        raise UsageError(
            f"--columns {choice.columns}: {weight.name} {list(weight.shape)} is no matrix"
        )
    columns = _range(choice.columns, weight.shape[1], weight.name, option="--columns")
    return Part(weight, start, stop, columns)


def _range(text: str | None, length: int, name: str, *, option: str) -> tuple[int, int]:
    """`A:B` as a part of an axis, each side optional."""
    if text is None:
        return 0, length
    match = re.fullmatch(r"(\d*):(\d*)", text.strip())
    if match is None:
        raise UsageError(
            f"{option} {text!r}: not A:B", hint=f"{option} 0:128 are {option[2:]} 0 to 127"
        )
    start = int(match[1] or 0)
    stop = int(match[2] or length)
    if not start < stop <= length:
        raise UsageError(f"{option} {text}: {name} has {option[2:]} 0:{length}")
    return start, stop
