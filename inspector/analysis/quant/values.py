"""Findings that only the numbers of scales and codes can tell: one for each family and rule. Pure.

`saturated_codes` is tested for every weight by itself and for every family together, each at a
level that is shared out over all of these tests (Bonferroni).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
from inspector.decode.counts import is_float
from inspector.errors import Problem
from inspector.stats.rounding import Rounding, largest_left
from inspector.stats.saturation import BFLOAT16_SLACK, E4M3_SLACK, chance_of_top, is_clipped

FALSE_ALARMS: Final = 1e-3
"""The chance that `saturated_codes` is reported at all of a checkpoint in which nothing clipped."""

Policies = Mapping[CodeFormat, tuple[Rounding, ...]]


@dataclass(frozen=True, slots=True)
class _Family:
    """Modules of one family that were looked into, each and together."""

    pattern: str
    members: Members
    evidence: tuple[Evidence, ...]
    total: Evidence


def check_values(
    modules: Modules, evidence: Mapping[int, Evidence], *, declares_ue8m0: bool
) -> Iterator[Problem]:
    """Findings on numbers that were read: one for each family and rule."""
    members = np.array(sorted(evidence), dtype=np.int64)
    families = []
    for pattern, some in modules.families(members):
        own = tuple(evidence[member] for member in some.tolist())
        families.append(_Family(pattern, some, own, total_of(own)))
    overall = total_of(family.total for family in families)
    policies = policies_by_format([family.total for family in families])
    level = FALSE_ALARMS / max(1, overall.weights_with_codes + len(families))
    judges_minimum = declares_ue8m0 or overall.has_powers_of_two
    for family in families:
        yield from _check_beside(family.pattern, family.total)
        yield from _check_codes(family.pattern, family.total.codes, judges_minimum=judges_minimum)
        yield from _check_saturation(modules, family, policies, level)
    if declares_ue8m0 and overall.scales.powers_of_two < overall.scales.usable:
        yield _not_powers(modules, members, evidence, overall)


def _not_powers(
    modules: Modules, members: Members, evidence: Mapping[int, Evidence], overall: Evidence
) -> Problem:
    scales = overall.scales
    broken = [
        member
        for member in members.tolist()
        if evidence[member].scales.powers_of_two < evidence[member].scales.usable
    ]
    (pattern, _), *more = modules.families(np.array(broken, dtype=np.int64))
    others = f" and {len(more):,} more families" if more else ""
    return finding(
        "scale_not_power_of_two", pattern, f"scales of these{others} are no powers of two",
        expected="powers of two, as scale_fmt ue8m0 says",
        found=f"{scales.powers_of_two:,} of {scales.usable:,} are",
    )  # fmt: skip


def _check_beside(pattern: str, evidence: Evidence) -> Iterator[Problem]:
    scales = evidence.scales
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
    if evidence.zero_points_off:
        yield finding(
            "zero_point_range", pattern, "zero points are no value that a code has",
            expected="numbers between the lowest and the highest code",
            found=f"{evidence.zero_points_off:,} of {evidence.zero_points:,} outside",
        )  # fmt: skip
    if evidence.misfits:
        yield finding(
            "packed_shape", pattern, "the shape stored beside packed codes is not theirs",
            expected="the rows of the words, and columns that fill them but for the last word",
            found=f"another for {evidence.misfits:,} of {evidence.weights:,}",
        )  # fmt: skip


def _check_codes(pattern: str, codes: CodeFigures, *, judges_minimum: bool) -> Iterator[Problem]:
    if codes.nan or codes.infinite:
        counts = ((codes.nan, "NaN"), (codes.infinite, "infinite"))
        told = " and ".join(f"{count:,} {what}" for count, what in counts if count)
        yield finding(
            "nan_codes", pattern, "codes are no numbers, and their scale is sound",
            expected="numbers", found=f"{told} codes in {codes.blocks:,} blocks",
        )  # fmt: skip
    if judges_minimum and codes.not_minimal:
        yield finding(
            "scale_not_minimal", pattern, "scales are larger than their blocks need",
            expected="the smallest power of two that holds the block",
            found=f"{codes.not_minimal:,} of {codes.blocks:,} blocks would fit half the scale",
        )  # fmt: skip


def _check_saturation(
    modules: Modules, family: _Family, policies: Policies, level: float
) -> Iterator[Problem]:
    """One finding on the weights that are clipped; on all of a family where no one is by itself."""
    own = policies_by_format([family.total])
    for kind, total in family.total.by_format.items():
        chance = chance_at_top(kind, policies[kind], own[kind])
        clipped = [
            member
            for member, one in zip(family.members.tolist(), family.evidence, strict=True)
            if kind in one.by_format and _exceeds(one.by_format[kind], chance, level)
        ]
        if not clipped and not _exceeds(total, chance, level):
            continue
        chosen = np.array(clipped or family.members.tolist(), dtype=np.int64)
        places = dict(zip(family.members.tolist(), family.evidence, strict=True))
        codes = total_of(places[member] for member in chosen.tolist()).by_format[kind]
        (pattern, _), *_ = modules.families(chosen)
        top, second = kind.levels[-1], kind.levels[-2]
        yield finding(
            "saturated_codes", pattern, f"codes are clipped at {top:g}",
            expected=f"of all codes at {second:g} and {top:g}, one a block left out, at most "
            f"{chance:.0%} at {top:g}",
            found=f"{codes.top:,} of {codes.top + codes.second:,}",
        )  # fmt: skip


def _exceeds(codes: CodeFigures, chance: float, level: float) -> bool:
    return is_clipped(codes.top, codes.second, chance, level)


def chance_at_top(
    kind: CodeFormat, overall: tuple[Rounding, ...], own: tuple[Rounding, ...]
) -> float:
    """The largest chance that a policy which may be the producer's gives a code to be at the top.

    Clipping changes what a family's own codes say of the policy: where all families together leave
    several, those that the family leaves too are allowed, and else all of them.
    """
    allowed = tuple(policy for policy in overall if policy in own) or overall
    if is_float(kind.coding):
        most = max(largest_left(policy, kind.levels) for policy in allowed)
        slack = E4M3_SLACK if kind.coarse_scale else BFLOAT16_SLACK
        return chance_of_top(kind.levels, most * (1 + slack))
    # A scale may be amax / 127, 127.5 or 128 (compressed-tensors `quantization/utils/helpers.py`).
    return chance_of_top(kind.levels, (kind.levels[-1] + 1) * (1 + BFLOAT16_SLACK))
