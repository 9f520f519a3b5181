"""What `part_sums.py` adds, added on a device: the same steps, number by number, in float64.

Only the order of the additions is the device's own.
"""

from dataclasses import dataclass
from typing import Final

from inspector.analysis.compare.part_sums import SLACK, PairSums, PartRows, are_same_codes
from inspector.analysis.compare.rounding import INTEGERS, PRECISION, Precision
from inspector.analysis.values import Rows
from inspector.decode.device import Device, Tensor, holds, multiplies

_STRIP_VALUES: Final = 1 << 22
"""Numbers taken in at a time, each some 150 bytes on the way: 0.6 GB of the device's memory."""

_DOUBLE_BIAS: Final = 1023
_DOUBLE_BITS: Final = 52
"""Of the exponent of a float64, and below it."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """Rows of one side there, `[rows, columns]`: decoded, and `plain` without any scale.

    `plain` is None where codes are packed or their rounding is not known.
    """

    side: PartRows
    values: Tensor
    plain: Tensor | None

    def strip(self, rows: slice) -> "_Sent":
        plain = None if self.plain is None else self.plain[rows]
        return _Sent(self.side, self.values[rows], plain)


def add_part_on(device: Device, sums: PairSums, ours: PartRows, theirs: PartRows) -> None:
    """Take in one part; its sums are one observation.

    Raises:
        DecodeError: the device has too little memory.
    """
    sums.begin_part(same_codes=sums.same_codes and are_same_codes(ours, theirs))
    with device.memory():
        left, right = _sent(device, ours), _sent(device, theirs)
        rows, columns = left.values.shape
        step = max(1, _STRIP_VALUES // max(1, columns))
        for start in range(0, rows if columns else 0, step):
            strip = slice(start, start + step)
            _add_strip(device, sums, left.strip(strip), right.strip(strip))


def _sent(device: Device, side: PartRows) -> _Sent:
    found = [_piece(device, side, piece) for piece in side.pieces]
    values = device.torch.cat([side.cut(values) for values, _ in found])
    plain = [side.cut(plain) for _, plain in found if plain is not None]
    return _Sent(side, values, device.torch.cat(plain) if len(plain) == len(found) else None)


def _piece(device: Device, side: PartRows, piece: Rows) -> tuple[Tensor, Tensor | None]:
    """Values and plain elements of some rows; values that torch cannot make are made here."""
    weight, dtype = side.weight, side.weight.tensor.dtype
    is_held = holds(dtype) and not side.is_packed
    plain = device.plain(side.as_rows(piece.codes), dtype) if is_held else None
    if plain is not None and multiplies(dtype, weight.coding, piece.factors):
        return device.scaled(plain, piece.factors), plain
    return device.sent(side.as_rows(piece.values)), plain


def _add_strip(device: Device, sums: PairSums, ours: _Sent, theirs: _Sent) -> None:
    torch = device.torch
    left, right = ours.values.double(), theirs.values.double()
    same = (left == right) | (left.isnan() & right.isnan())
    finite = left.isfinite() & right.isfinite()
    left, right = left.where(finite, 0), right.where(finite, 0)
    change = left - right
    units = [_units(device, one) for one in (ours, theirs)]
    known = [one.double() for one in units if one is not None]
    allowed = sum(known) + SLACK * torch.maximum(left.abs(), right.abs())
    within = (finite | same).all() & (change.abs() <= allowed).all()
    figures = [
        (left * right).sum(), left.square().sum(), right.square().sum(), change.square().sum(),
        change.abs().max(), same.all(), within,
        *(one.where(one.isfinite(), 0).square().sum() for one in known),
    ]  # fmt: skip
    # One list, so that the device is waited for once.
    product, square, ref_square, difference, largest, is_same, is_within, *rounding = torch.stack(
        [one.double() for one in figures]
    ).tolist()
    for total, figure in (
        (sums.products, product), (sums.squares, square), (sums.ref_squares, ref_square),
        (sums.differences, difference),
    ):  # fmt: skip
        total[-1] += figure
    sums.largest = max(sums.largest, largest)
    sums.same_values &= bool(is_same)
    sums.within_rounding &= len(known) == 2 and bool(is_within)
    sums.rounding += sum(rounding) / 3


def _units(device: Device, sent: _Sent) -> Tensor | None:
    """`half_units` of rows there."""
    plain, dtype = sent.plain, sent.side.weight.tensor.dtype
    if plain is None:
        return None
    columns = sent.side.scale_columns(plain.shape[1])
    if dtype in INTEGERS and columns is not None:
        units = device.torch.full_like(plain, 0.5)
    elif dtype in PRECISION:
        units = _of_floats(device, plain, PRECISION[dtype])
    else:
        return None
    return units if columns is None else units * _scales(device, plain, sent.values, columns)


def _of_floats(device: Device, plain: Tensor, precision: Precision) -> Tensor:
    """Half the distance of neighbours at each number, as powers of two by their bits.

    `torch.ldexp` goes by a power that is not always exact.
    """
    torch = device.torch
    exponents = torch.frexp(plain.where(plain.isfinite(), 0)).exponent
    smallest = precision.smallest - 1
    halves = (exponents - precision.bits - 1).clamp(min=smallest).where(plain != 0, smallest)
    bits = (halves.long() + _DOUBLE_BIAS) << _DOUBLE_BITS
    return bits.view(torch.float64).float()


def _scales(device: Device, plain: Tensor, values: Tensor, columns: int) -> Tensor:
    """The scale of each number, from the numbers of its row's block that are not zero."""
    torch = device.torch
    rows, width = plain.shape
    ratio = (values / plain).where(plain != 0, 0).abs().nan_to_num()
    padded = torch.nn.functional.pad(ratio, (0, -width % columns))
    scale = padded.reshape(rows, -1, columns).amax(2)
    scale = scale.where(scale != 0, torch.inf)
    return scale.repeat_interleave(columns, 1)[:, :width]
