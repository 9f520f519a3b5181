"""What the numbers of scales and codes say: findings that only reading them can tell.

Weights are injected; nothing here opens anything.

A scale that is not finite or zero is left out of every other rule, and so are the codes below it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from inspector.analysis.quant.modules import Modules
from inspector.analysis.quant.rules import finding
from inspector.analysis.quant.sample import Look
from inspector.decode.block_codes import e4m3_block_codes
from inspector.decode.numeric import Array, Float32
from inspector.errors import Problem
from inspector.format.codings import Action
from inspector.layout.scales import ScaleGrid
from inspector.layout.weights import Weight
from inspector.stats.rounding import CODES, LEAST_MINIMAL, Counts, Rounding, rounding_of, saturates
from inspector.stats.saturation import is_clipped
from inspector.stats.scales import ScaleFigures, figures_of, is_power_of_two

_TOP: Final = CODES - 1
_UNDECIDED: Final = LEAST_MINIMAL - 1

_FLOORS: Final = (2.0**-22, 2.0**-28, 2.0**-48)
"""The least scales of producers that clamp a block's largest magnitude at 1e-4 (DeepSeek
`act_quant`), 1e-6 (lmdeploy) or 1e-12 (xtuner): a block there is smaller than its scale says."""


class NumberReader(Protocol):
    """What reads numbers of scales, and codes; a checkpoint does."""

    def read_numbers(self, grid: ScaleGrid, start: int, stop: int) -> Float32:
        """`[grid rows, columns]` of rows `[start, stop)` of the grid's matrix."""

    def read_codes(self, weight: Weight, start: int, stop: int) -> Array:
        """Rows `[start, stop)` as stored."""


def _no_codes() -> Counts:
    return np.zeros(CODES, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class CodeFigures:
    """Counts over blocks of codes whose scale is sound; of the others, `nan_excused` alone.

    `largest` is `[127]` blocks by the magnitude of their largest code, blocks of zeros left out.
    `top` counts codes at 448 beyond one in each block that reaches it, `second` codes at 416.
    """

    blocks: int = 0
    zero_blocks: int = 0
    nan: int = 0
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was read of some weights: of one, or of several together."""

    weights: int = 0
    dead_weights: int = 0
    constant_scales: int = 0
    weights_with_codes: int = 0
    scales: ScaleFigures = field(default_factory=ScaleFigures)
    codes: CodeFigures = field(default_factory=CodeFigures)

    def __add__(self, other: "Evidence") -> "Evidence":
        return Evidence(
            **{name: getattr(self, name) + getattr(other, name) for name in self.__slots__}
        )

    @property
    def has_powers_of_two(self) -> bool:
        """Whether the scales are powers of two, and not all by being one and the same."""
        scales = self.scales
        return 0 < scales.usable == scales.powers_of_two and scales.distinct > 1

    @property
    def rounding(self) -> Rounding:
        scales = self.scales
        mostly = 2 * scales.powers_of_two > scales.usable
        return rounding_of(self.codes.largest, powers_of_two=mostly)


def total_of(evidence: Iterable[Evidence]) -> Evidence:
    """All of it together."""
    return sum(evidence, start=Evidence())


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
    """What one weight's scales and codes say."""
    weight, scale = look.weight, look.weight.scale
    scales, values = ScaleFigures(), None
    codes: CodeFigures | None = None
    for grid in weight.grids:
        if grid.action is Action.SUBTRACT:
            continue
        numbers = reader.read_numbers(grid, 0, weight.rows)
        figures = figures_of(numbers)
        if grid is scale:
            values = numbers
            scales += figures
        else:  # of a second or global scale only what makes the weight wrong counts
            scales += ScaleFigures(figures.values, figures.not_finite, figures.zeros)
    for start, stop in look.pieces():
        if scale is not None and values is not None:
            stored = reader.read_codes(weight, start, stop)
            part = _codes(stored, values[start // scale.block[0] :], scale.block)
            codes = part if codes is None else codes + part
    is_whole = look.rows == (0, weight.rows)
    dead = codes is not None and is_whole and 0 < codes.blocks == codes.zero_blocks
    return Evidence(
        weights=1,
        dead_weights=int(dead),
        constant_scales=int(scales.usable > 1 and scales.distinct == 1),
        weights_with_codes=int(codes is not None),
        scales=scales,
        codes=codes or CodeFigures(),
    )


def _codes(stored: Array, scale: Float32, block: tuple[int, int]) -> CodeFigures:
    found = e4m3_block_codes(stored, block)
    rows, columns = found.largest.shape
    values = scale[:rows, :columns]
    usable = np.isfinite(values) & (values != 0)
    largest = found.largest[usable]
    exempt = np.isin(values, np.array(_FLOORS, dtype=np.float32))
    judged = (usable & is_power_of_two(values) & ~exempt)[usable] & (largest > 0)
    return CodeFigures(
        blocks=largest.size,
        zero_blocks=int(np.count_nonzero((largest == 0) & (found.nan[usable] == 0))),
        nan=int(found.nan[usable].sum()),
        nan_excused=int(found.nan[~usable].sum()),
        top=int(found.top[usable].sum() - np.count_nonzero(largest == _TOP)),
        second=int(found.second[usable].sum()),
        not_minimal=int(np.count_nonzero(judged & (largest < _UNDECIDED))),
        undecided=int(np.count_nonzero(judged & (largest == _UNDECIDED))),
        largest=np.bincount(largest[largest > 0], minlength=CODES).astype(np.int64),
    )


def check_values(
    modules: Modules, evidence: dict[int, Evidence], *, declares_ue8m0: bool
) -> Iterator[Problem]:
    """Findings on numbers that were read: one for each family and rule."""
    members = np.array(sorted(evidence), dtype=np.int64)
    overall = total_of(evidence.values())
    judges_minimum = declares_ue8m0 or overall.has_powers_of_two
    for pattern, some in modules.families(members):
        of_family = total_of(evidence[member] for member in some.tolist())
        yield from _check_scales(pattern, of_family.scales)
        yield from _check_codes(pattern, of_family, overall, judges_minimum=judges_minimum)
    scales = overall.scales
    if declares_ue8m0 and scales.powers_of_two < scales.usable:
        (pattern, _), *more = modules.families(_without_powers(members, evidence))
        others = f" and {len(more):,} more families" if more else ""
        yield finding(
            "scale_not_power_of_two", pattern, f"scales of these{others} are no powers of two",
            expected="powers of two, as scale_fmt ue8m0 says",
            found=f"{scales.powers_of_two:,} of {scales.usable:,} are",
        )  # fmt: skip


def _without_powers(
    members: np.ndarray[tuple[int], np.dtype[np.int64]], evidence: dict[int, Evidence]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(
        [
            member
            for member in members.tolist()
            if evidence[member].scales.powers_of_two < evidence[member].scales.usable
        ],
        dtype=np.int64,
    )


def _check_scales(pattern: str, scales: ScaleFigures) -> Iterator[Problem]:
    for rule, count, what in (
        ("scale_not_finite", scales.not_finite, "not finite"),
        ("zero_scale", scales.zeros, "zero"),
    ):
        if count:
            yield finding(
                rule, pattern, f"scales are {what}",
                expected="finite numbers other than zero",
                found=f"{count:,} of {scales.values:,} {what}",
            )  # fmt: skip


def _check_codes(
    pattern: str, evidence: Evidence, overall: Evidence, *, judges_minimum: bool
) -> Iterator[Problem]:
    codes = evidence.codes
    if codes.nan:
        yield finding(
            "nan_codes", pattern, "codes are NaN, and their scale is sound",
            expected="numbers", found=f"{codes.nan:,} NaN codes in {codes.blocks:,} blocks",
        )  # fmt: skip
    if judges_minimum and codes.not_minimal:
        yield finding(
            "scale_not_minimal", pattern, "scales are larger than their blocks need",
            expected="the smallest power of two that holds the block",
            found=f"{codes.not_minimal:,} of {codes.blocks:,} blocks would fit half the scale",
        )  # fmt: skip
    rounding = evidence.rounding
    if rounding is Rounding.UNDECIDED:
        rounding = overall.rounding
    if not saturates(rounding) and is_clipped(codes.top, codes.second):
        yield finding(
            "saturated_codes", pattern, "codes are clipped at 448",
            expected=f"at most as many beyond one a block as there are at 416: {codes.second:,}",
            found=f"{codes.top:,}",
        )  # fmt: skip
