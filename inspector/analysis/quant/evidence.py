"""What the scales and codes of some weights say, counted. Weights are injected: nothing is opened.

A scale that is not finite or zero is left out of every other count, and so are the codes below it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from inspector.analysis.quant.sample import Look
from inspector.decode.block_codes import block_codes, code_range, magnitude_levels
from inspector.decode.blocks import Order
from inspector.decode.counts import is_float
from inspector.decode.numeric import Array, Float32
from inspector.errors import DecodeError, LayoutError
from inspector.format.codings import Action, Coding, Encoding
from inspector.format.dtypes import Dtype
from inspector.layout.scales import ScaleGrid
from inspector.layout.weights import Weight
from inspector.stats.rounding import Counts, Levels, Rounding, least_minimal, policies_of
from inspector.stats.scales import ScaleFigures, figures_of, is_power_of_two

_MOST_MAGNITUDES: Final = 128

_FLOORS: Final = (2.0**-22, 2.0**-28, 2.0**-48)
"""The least scales of producers that clamp a block's largest magnitude at 1e-4 (DeepSeek
`act_quant`), 1e-6 (lmdeploy) or 1e-12 (xtuner): a block there is smaller than its scale says."""

_LEAST: Final = 2.0**-100
"""Below this a scale is at the least exponent that its producer has (2^-126, or 2^-127)."""

_SHIFTS: Final = (Action.SUBTRACT, Action.ADD)
"""What makes a range of integers one with two ends of its own."""

_LEAST_NORMAL_E4M3: Final = 2.0**-6
"""Below this a scale in E4M3 is rounded by more than a part in sixteen."""


class NumberReader(Protocol):
    """What reads numbers of scales, and codes; a checkpoint does."""

    def read_numbers(self, grid: ScaleGrid, start: int, stop: int) -> Float32:
        """`[grid rows, columns]` of rows `[start, stop)` of the grid's matrix."""

    def read_codes(self, weight: Weight, start: int, stop: int) -> Array:
        """Rows `[start, stop)` as stored."""

    def read_order(self, weight: Weight) -> Order | None:
        """The group of each column, where groups are not of neighbours."""

    def check_places(self, weight: Weight, start: int, stop: int) -> None:
        """Raise where a bitmask is not that of what is stored of rows `[start, stop)`."""

    def settled(self, weight: Weight) -> Weight:
        """The weight as its `states` say that it is."""


@dataclass(frozen=True, slots=True)
class CodeFormat:
    """What codes are judged by: their coding, and what moves or rounds them.

    `two_ended` says that they have a zero point or a bias, `coarse_scale` that their scale is in
    E4M3.
    """

    coding: Coding
    two_ended: bool = False
    coarse_scale: bool = False

    @property
    def levels(self) -> Levels:
        """The magnitudes of its codes, ascending."""
        return magnitude_levels(self.coding)


def _no_codes() -> Counts:
    return np.zeros(_MOST_MAGNITUDES, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class CodeFigures:
    """Counts over blocks of codes whose scale is sound; of the others, `nan_excused` alone.

    `largest` is `[128]` blocks by the magnitude of their largest code, blocks of zeros left out,
    and those with a code that is no number, which may have been their largest; `powers_of_two` is
    how many of all have such a scale. `top` counts codes at the largest value
    beyond one for each end that a block reaches, `second` those at the value below in blocks that
    reach it.
    """

    blocks: int = 0
    zero_blocks: int = 0
    powers_of_two: int = 0
    nan: int = 0
    infinite: int = 0
    nan_excused: int = 0
    top: int = 0
    second: int = 0
    not_minimal: int = 0
    undecided: int = 0
    largest: Counts = field(default_factory=_no_codes)

    def __add__(self, other: "CodeFigures") -> "CodeFigures":
        return CodeFigures(
            **{name: getattr(self, name) + getattr(other, name) for name in self.__slots__}
        )

    @property
    def has_powers_of_two(self) -> bool:
        """Whether most scales are powers of two."""
        return 2 * self.powers_of_two > self.blocks


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was read of some weights: of one, or of several together.

    `weights` are quantized; of `bitmasks`, which are not, only where their values lie was read.
    `misfits` are weights whose stored shape does not fit their words, `misplaced` those whose group
    index or bitmask does not fit their codes; `zero_points_off` counts zero points that are not
    finite or no value of their codes. `by_format` has the figures of codes.
    """

    weights: int = 0
    dead_weights: int = 0
    constant_scales: int = 0
    weights_with_codes: int = 0
    bitmasks: int = 0
    misfits: int = 0
    misplaced: int = 0
    zero_points: int = 0
    zero_points_off: int = 0
    scales: ScaleFigures = field(default_factory=ScaleFigures)
    by_format: Mapping[CodeFormat, CodeFigures] = field(default_factory=dict)

    def __add__(self, other: "Evidence") -> "Evidence":
        counts = {
            name: getattr(self, name) + getattr(other, name)
            for name in self.__slots__
            if name != "by_format"
        }
        formats = {**self.by_format}
        for one, figures in other.by_format.items():
            formats[one] = formats.get(one, CodeFigures()) + figures
        return Evidence(**counts, by_format=formats)

    @property
    def codes(self) -> CodeFigures:
        """The figures of all formats; `largest` means something for each of them alone."""
        return sum(self.by_format.values(), start=CodeFigures())

    @property
    def has_powers_of_two(self) -> bool:
        """Whether the scales are powers of two, and not all by being one and the same."""
        scales = self.scales
        return 0 < scales.usable == scales.powers_of_two and scales.distinct > 1


def total_of(evidence: Iterable[Evidence]) -> Evidence:
    """All of it together."""
    return sum(evidence, start=Evidence())


def policies_by_format(parts: Sequence[Evidence]) -> dict[CodeFormat, tuple[Rounding, ...]]:
    """The policies that may have made the scales of each format, the likeliest first.

    Args:
        parts: what was read of sets of weights that are like each other.
    """
    total = total_of(parts)
    return {
        one: policies_of(
            [part.by_format[one].largest for part in parts if one in part.by_format],
            one.levels,
            powers_of_two=figures.has_powers_of_two,
        )
        for one, figures in total.by_format.items()
    }


Each = Callable[[Callable[[Look], Evidence], Sequence[Look]], Iterable[Evidence]]
"""Looks into each weight, in order: `map`, or several at a time where reading takes time."""


def gather(
    looks: Sequence[Look], reader: NumberReader, each: Each, tell: Callable[[int], None]
) -> dict[int, Evidence]:
    """What is found in each module that was looked into, by its position."""
    found: dict[int, Evidence] = {}
    all_evidence = each(lambda look: look_into(look, reader), looks)
    for done, (look, evidence) in enumerate(zip(looks, all_evidence, strict=True), 1):
        before = found.get(look.member)
        found[look.member] = evidence if before is None else before + evidence
        tell(done)
    return found


def look_into(look: Look, reader: NumberReader) -> Evidence:
    """What one weight's scales and codes say. Of one look alone: looks can be tasks of a run."""
    weight = look.weight
    if look.settles:
        try:
            look = look.settled(reader.settled(weight))
        except LayoutError:
            if look.is_of_places:
                return Evidence(bitmasks=1, misfits=1)
            is_coded = weight.scale is not None and weight.scale.nested is not None
            told = Evidence(weights=1) if is_coded else _look_beside(weight, reader).evidence
            return told + Evidence(misfits=1)
        except DecodeError:
            return Evidence(bitmasks=1, misplaced=1)
        weight = look.weight
    if look.is_of_places:
        return _look_at_places(look, reader)
    beside = _look_beside(weight, reader)
    coding, scale = weight.coding, weight.scale
    if scale is None or coding is None:
        return beside.evidence
    kind = CodeFormat(
        coding,
        two_ended=any(grid.action in _SHIFTS for grid in weight.grids),
        coarse_scale=scale.encoding is Encoding.E4M3 or scale.tensor.dtype is Dtype.F8_E4M3,
    )
    codes = CodeFigures()
    try:
        columns = _by_group(reader.read_order(weight), weight.shape[1], scale.block[1])
        for start, stop in look.pieces():
            stored = reader.read_codes(weight, start, stop)
            own = _from_row(beside.values, scale, start)
            codes += code_figures(
                stored, kind, weight.shape[1], own, scale.block, columns,
                is_run=scale.row_length > 0,
            )  # fmt: skip
    except DecodeError:
        return beside.evidence + Evidence(misplaced=1)
    if look.rows is None:
        return beside.evidence
    is_whole = look.rows == (0, weight.rows)
    dead = is_whole and 0 < codes.blocks == codes.zero_blocks
    return beside.evidence + Evidence(
        dead_weights=int(dead), weights_with_codes=1, by_format={kind: codes}
    )


def _look_at_places(look: Look, reader: NumberReader) -> Evidence:
    """Whether a bitmask is that of plain numbers; these are not judged, as others are not."""
    try:
        for start, stop in look.pieces():
            reader.check_places(look.weight, start, stop)
    except DecodeError:
        return Evidence(bitmasks=1, misplaced=1)
    return Evidence(bitmasks=1)


def _from_row(numbers: Float32, grid: ScaleGrid, start: int) -> Float32:
    """Of the numbers of a grid those from a row of its matrix on, with which a block begins."""
    if grid.row_length:
        return numbers[:, grid.run_for(start, start)[0] :]
    return numbers[start // grid.block[0] :]


def _by_group(order: Order | None, columns: int, width: int) -> Order | None:
    """The columns sorted by their group; None where they lie so.

    Raises:
        DecodeError: groups of other sizes than the scale's.
    """
    if order is None or np.array_equal(order, np.arange(columns) // width):
        return None
    sizes = np.bincount(order)
    if (sizes[:-1] != width).any() or sizes.sum() != columns or sizes[-1] > width:
        raise DecodeError(f"groups of {sizes.min()} to {sizes.max()} columns, not of {width}")
    return np.argsort(order, kind="stable")


@dataclass(frozen=True, slots=True)
class _Beside:
    """What stands beside codes: counts, and the scale's numbers, NaN where another spoils them."""

    evidence: Evidence
    values: Float32


def _look_beside(weight: Weight, reader: NumberReader) -> _Beside:
    scales, values = ScaleFigures(), np.ones((1, 1), dtype=np.float32)
    constant = zero_points = off = 0
    is_spoilt = False
    for grid in weight.grids:
        numbers = reader.read_numbers(grid, 0, weight.rows)
        if grid.action is Action.SUBTRACT:
            zero_points += numbers.size
            off += _off(numbers, weight.coding)
            continue
        figures = figures_of(numbers)
        if grid is weight.scale:
            values = numbers
            scales += figures
            constant = int(figures.usable > 1 and figures.distinct == 1)
        else:  # of a second or global scale only what makes the weight wrong counts
            scales += ScaleFigures(figures.values, figures.not_finite, figures.zeros)
            is_spoilt |= figures.not_finite + figures.zeros > 0
    evidence = Evidence(
        weights=1,
        constant_scales=constant,
        zero_points=zero_points,
        zero_points_off=off,
        scales=scales,
    )
    return _Beside(evidence, np.full_like(values, np.nan) if is_spoilt else values)


def _off(numbers: Float32, coding: Coding | None) -> int:
    """How many zero points are no values of codes."""
    if coding is None:
        return 0
    lowest, highest = code_range(coding)
    return int(numbers.size - np.count_nonzero((numbers >= lowest) & (numbers <= highest)))


def code_figures(
    stored: Array, kind: CodeFormat, width: int, scale: Float32, block: tuple[int, int],
    order: Order | None = None, *, is_run: bool = False,
) -> CodeFigures:  # fmt: skip
    """The figures of some rows of codes, of which `scale` begins at the first.

    `order` are the columns as blocks have them, where these are not of neighbours; `is_run` says
    that blocks go on over the ends of rows.
    """
    found = block_codes(
        stored, kind.coding, width, block, two_ended=kind.two_ended, is_run=is_run, order=order
    )
    rows, columns = found.largest.shape
    values = scale[:rows, :columns]
    usable = np.isfinite(values) & (values != 0)
    largest, ends = found.largest[usable], found.ends[usable]
    is_power = is_power_of_two(values)[usable]
    sure = np.abs(values[usable]) >= (_LEAST_NORMAL_E4M3 if kind.coarse_scale else 0)
    whole = found.nan[usable] + found.infinite[usable] == 0  # else the largest may be lost
    judged = is_power & _may_be_minimal(values[usable], kind) & (largest > 0) & whole
    minimal = least_minimal(kind.levels)
    return CodeFigures(
        blocks=largest.size,
        zero_blocks=int(np.count_nonzero((largest == 0) & whole & (not kind.two_ended))),
        powers_of_two=int(np.count_nonzero(is_power)),
        nan=int(found.nan[usable].sum()),
        infinite=int(found.infinite[usable].sum()),
        nan_excused=int((found.nan + found.infinite)[~usable].sum()),
        top=int((found.top[usable] - ends)[sure].sum()),
        second=int(found.second[usable][sure & (ends > 0)].sum()),
        not_minimal=int(np.count_nonzero(judged & (largest < minimal - 1))),
        undecided=int(np.count_nonzero(judged & (largest == minimal - 1))),
        largest=_histogram(largest[sure & whole & (largest > 0)]),
    )


def _may_be_minimal(values: Float32, kind: CodeFormat) -> npt.NDArray[np.bool_]:
    """Which scales are not at a floor; of integers, a power of two is no policy's."""
    at_floor = np.isin(values, np.array(_FLOORS, dtype=np.float32)) | (values < _LEAST)
    return np.asarray(~at_floor & (is_float(kind.coding) and not kind.coarse_scale))


def _histogram(largest: npt.NDArray[np.int64]) -> Counts:
    return np.bincount(largest, minlength=_MOST_MAGNITUDES).astype(np.int64)
