"""Findings that only the numbers of scales and codes can tell: one for each family and rule. Pure.

`saturated_codes` is tested for every weight by itself and for every family together, each at a
level that is shared out over all of these tests (Bonferroni).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final

import numpy as np

from inspector.analysis.quant.evidence import (
    CodeFigures,
    CodeFormat,
    Evidence,
    policies_by_format,
    total_of,
)
from inspector.analysis.quant.modules import Members, Modules
from inspector.analysis.quant.rules import finding
from inspector.decode.counts import is_integer
from inspector.errors import Problem
from inspector.stats.rounding import Rounding, largest_left
from inspector.stats.saturation import BFLOAT16_SLACK, E4M3_SLACK, chance_of_top, is_clipped

FALSE_ALARMS: Final = 1e-3
"""The chance that `saturated_codes` is reported at all of a checkpoint in which nothing clipped."""

Policies = Mapping[CodeFormat, tuple[Rounding, ...]]


@dataclass(frozen=True)
class _Group:
    """Modules of one family that were looked into, what was found in each and in all."""

    modules: Modules
    members: Members
    evidence: tuple[Evidence, ...]

    @cached_property
    def total(self) -> Evidence:
        return total_of(self.evidence)

    @property
    def pattern(self) -> str:
        (pattern, _), *_ = self.modules.families(self.members)
        return pattern

    def where(self, holds: Callable[[Evidence], bool]) -> "_Group | None":
        """Those in which something holds, if there are such."""
        kept = [at for at, one in enumerate(self.evidence) if holds(one)]
        if not kept:
            return None
        return _Group(self.modules, self.members[kept], tuple(self.evidence[at] for at in kept))


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule that a weight breaks by itself: how often it does, and what is said of all that do."""

    slug: str
    count: Callable[[Evidence], int]
    message: str
    expected: str
    found: Callable[[Evidence], str]


_FINITE: Final = "finite numbers other than zero"
_RULES: Final = (
    _Rule(
        "scale_not_finite", lambda one: one.scales.not_finite, "scales are not finite", _FINITE,
        lambda one: f"{one.scales.not_finite:,} of {one.scales.values:,} not finite",
    ),
    _Rule(
        "zero_scale", lambda one: one.scales.zeros, "scales are zero", _FINITE,
        lambda one: f"{one.scales.zeros:,} of {one.scales.values:,} zero",
    ),
    _Rule(
        "zero_point_range", lambda one: one.zero_points_off,
        "zero points are no value that a code has",
        "numbers between the lowest and the highest code",
        lambda one: f"{one.zero_points_off:,} of {one.zero_points:,} outside",
    ),
    _Rule(
        "packed_shape", lambda one: one.misfits,
        "the shape stored beside packed codes, or beside a bitmask, is not theirs",
        "a shape that they fill, but for the last word or byte of a row",
        lambda one: f"another for {one.misfits:,}",
    ),
    _Rule(
        "code_places", lambda one: one.misplaced,
        "a group index or a bitmask is not that of its codes or values",
        "as many columns in each group as a scale covers; as many bits in each row as are stored",
        lambda one: f"another for {one.misplaced:,}",
    ),
    _Rule(
        "nan_codes", lambda one: one.codes.nan + one.codes.infinite,
        "codes are no numbers, and their scale is sound", "numbers",
        lambda one: f"{_no_numbers(one.codes)} codes in {one.codes.blocks:,} blocks",
    ),
)  # fmt: skip

_MINIMAL: Final = _Rule(
    "scale_not_minimal", lambda one: one.codes.not_minimal,
    "scales are larger than their blocks need", "the smallest power of two that holds the block",
    lambda one: f"{one.codes.not_minimal:,} of {one.codes.blocks:,} blocks fit half the scale",
)  # fmt: skip


def check_values(
    modules: Modules, evidence: Mapping[int, Evidence], *, declares_ue8m0: bool
) -> Iterator[Problem]:
    """Findings on numbers that were read: one for each family and rule."""
    members = np.array(sorted(evidence), dtype=np.int64)
    families = [
        _Group(modules, some, tuple(evidence[member] for member in some.tolist()))
        for _, some in modules.families(members)
    ]
    overall = total_of(family.total for family in families)
    policies = policies_by_format([family.total for family in families])
    level = FALSE_ALARMS / max(1, overall.weights_with_codes + len(families))
    judges_minimum = declares_ue8m0 or overall.has_powers_of_two
    for family in families:
        for rule in (*_RULES, _MINIMAL) if judges_minimum else _RULES:
            broken = family.where(partial(_breaks, rule))
            if broken is not None:
                yield finding(
                    rule.slug, broken.pattern, rule.message,
                    expected=rule.expected, found=rule.found(broken.total),
                )  # fmt: skip
        yield from _check_saturation(family, policies, level)
    if declares_ue8m0:
        yield from _check_powers(families, overall)


def _breaks(rule: _Rule, one: Evidence) -> bool:
    return rule.count(one) > 0


def _no_numbers(codes: CodeFigures) -> str:
    counts = ((codes.nan, "NaN"), (codes.infinite, "infinite"))
    return " and ".join(f"{count:,} {what}" for count, what in counts if count)


def _check_powers(families: Sequence[_Group], overall: Evidence) -> Iterator[Problem]:
    """One finding for all: whoever made the scales made all of them."""
    broken = [
        some
        for family in families
        if (some := family.where(lambda one: one.scales.powers_of_two < one.scales.usable))
    ]
    if broken:
        others = f" and {len(broken) - 1:,} more families" if len(broken) > 1 else ""
        yield finding(
            "scale_not_power_of_two", broken[0].pattern,
            f"scales of these{others} are no powers of two",
            expected="powers of two, as scale_fmt ue8m0 says",
            found=f"{overall.scales.powers_of_two:,} of {overall.scales.usable:,} are",
        )  # fmt: skip


def _check_saturation(family: _Group, policies: Policies, level: float) -> Iterator[Problem]:
    """One finding on the weights that are clipped; on all of a family where no one is by itself."""
    own = policies_by_format([family.total])
    for kind in family.total.by_format:
        chance = chance_at_top(kind, policies[kind], own[kind])

        def clips(one: Evidence, kind: CodeFormat = kind, chance: float = chance) -> bool:
            codes = one.by_format.get(kind, CodeFigures())
            return is_clipped(codes.top, codes.second, chance, level)

        clipped = family.where(clips) or (family if clips(family.total) else None)
        if clipped is None:
            continue
        codes = clipped.total.by_format[kind]
        top, second = kind.levels[-1], kind.levels[-2]
        yield finding(
            "saturated_codes", clipped.pattern, f"codes are clipped at {top:g}",
            expected=f"of all codes at {second:g} and {top:g}, one a block left out, at most "
            f"{chance:.0%} at {top:g}",
            found=f"{codes.top:,} of {codes.top + codes.second:,}",
        )  # fmt: skip


def chance_at_top(
    kind: CodeFormat, overall: tuple[Rounding, ...], own: tuple[Rounding, ...]
) -> float:
    """The largest chance that a policy which may be the producer's gives a code to be at the top.

    Clipping changes what a family's own codes say of the policy: where all families together leave
    several, those that the family leaves too are allowed, and else all of them.
    """
    allowed = tuple(policy for policy in overall if policy in own) or overall
    if not is_integer(kind.coding):
        most = max(largest_left(policy, kind.levels) for policy in allowed)
        slack = E4M3_SLACK if kind.coarse_scale else BFLOAT16_SLACK
        return chance_of_top(kind.levels, most * (1 + slack))
    # A scale may be amax / 127, 127.5 or 128 (compressed-tensors `quantization/utils/helpers.py`).
    return chance_of_top(kind.levels, (kind.levels[-1] + 1) * (1 + BFLOAT16_SLACK))
