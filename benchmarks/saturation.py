"""`python -m benchmarks.saturation`: how often `saturated_codes` is reported, rightly and wrongly.

Makes the tables of `docs/explanation/quantization-audit.md`. Weights are drawn, rounded to BF16 and
encoded; then clipped, by a scale that is too small. A share of 0 of n is below 3 / n with 95 %.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from inspector.analysis.quant.evidence import (
    CodeFormat,
    Evidence,
    code_figures,
    policies_by_format,
    total_of,
)
from inspector.analysis.quant.values import FALSE_ALARMS, chance_at_top
from inspector.format.codings import E2M1, FP4, NF4, Coding, Number
from inspector.stats.rounding import Rounding
from inspector.stats.saturation import is_clipped
from tests.encoding import BF16, E4M3, Float64, encode, encode_range, two_a_byte

E4M3_CODES: Final = Coding(Number.E4M3, 8)
INT4: Final = Coding(Number.OFFSET, 4)
FAMILIES, WEIGHTS = 5, 2
SHAPE: Final = (128, 512)
_RAISED: Final = 2.0**12
"""What is judged together: as few weights as a very small model has."""

Draw = Callable[[np.random.Generator, tuple[int, int]], Float64]


def alike(rng: np.random.Generator, shape: tuple[int, int]) -> Float64:
    """Normal weights of one spread: all blocks have about the same largest magnitude."""
    return rng.standard_normal(shape)


def varied(rng: np.random.Generator, shape: tuple[int, int]) -> Float64:
    """Normal weights, the spread of a row and of a column each drawn."""
    by_row, by_column = (2.0 ** rng.normal(0, 0.7, size) for size in shape)
    return rng.standard_normal(shape) * by_row[:, None] * by_column


def heavy(rng: np.random.Generator, shape: tuple[int, int]) -> Float64:
    """Student's t with 4 degrees of freedom."""
    return rng.standard_t(4, shape)


def even(rng: np.random.Generator, shape: tuple[int, int]) -> Float64:
    """Uniform weights: no density that the null allows has more of them at the top."""
    return rng.uniform(-1, 1, shape)


DENSITIES: Final = MappingProxyType[str, Draw](
    {"normal, alike": alike, "normal, varied": varied, "Student t4": heavy, "uniform": even}
)


@dataclass(frozen=True, slots=True)
class Case:
    """A way to quantize: what codes are, the block of a scale, how it is rounded and stored."""

    name: str
    coding: Coding
    block: tuple[int, int]
    policies: tuple[str, ...]
    coarse: bool = False
    ranged: bool = False


_POWERS: Final = ("ceil", "floor", "round")
CASES: Final = (
    Case("FP8 128x128", E4M3_CODES, (128, 128), ("exact", *_POWERS)),
    Case("FP8 1x128", E4M3_CODES, (1, 128), ("exact", *_POWERS)),
    Case("MXFP8 1x32", E4M3_CODES, (1, 32), _POWERS),
    Case("MXFP4 1x32", E2M1, (1, 32), _POWERS),
    Case("NVFP4 1x16", E2M1, (1, 16), ("exact",), coarse=True),
    Case("INT4 1x32", INT4, (1, 32), ("exact", "exact 127.5", "exact 128")),
    Case("INT4 1x32, zero point", INT4, (1, 32), ("exact",), ranged=True),
    Case("NF4 1x64", NF4, (1, 64), ("exact",)),
    Case("FP4 1x64", FP4, (1, 64), ("exact",)),
)
RIGHT: Final = MappingProxyType(
    {
        "exact": Rounding.EXACT, "exact 127.5": Rounding.EXACT, "exact 128": Rounding.EXACT,
        "ceil": Rounding.CEIL, "floor": Rounding.FLOOR, "round": Rounding.NEAREST,
    }
)  # fmt: skip
FACTORS: Final = (1.1, 1.25, 1.5, 2.0, 3.0)
"""By how much the scale of one weight of the model is too small."""


def evidence_of(case: Case, policy: str, weight: Float64, factor: float) -> Evidence:
    """What an audit would see of one weight."""
    rounded = (weight * 0.02).astype(BF16).astype(np.float64)
    if case.ranged:
        found = encode_range(rounded, case.coding, case.block, clipped_by=factor)
    else:
        stored = _in_e4m3 if case.coarse else _in_float32
        found = encode(rounded, case.coding, case.block, policy, stored=stored, clipped_by=factor)
    kind = CodeFormat(case.coding, two_ended=case.ranged, coarse_scale=case.coarse)
    packed = two_a_byte(found.codes) if case.coding.bits == 4 else found.codes
    scale = (found.scale * (_RAISED if case.coarse else 1)).astype(np.float32)
    figures = code_figures(packed, kind, weight.shape[1], scale, case.block)
    return Evidence(weights=1, weights_with_codes=1, by_format={kind: figures})


def _in_float32(scale: Float64) -> Float64:
    return np.asarray(scale.astype(np.float32), dtype=np.float64)


def _in_e4m3(scale: Float64) -> Float64:
    return np.asarray((scale * _RAISED).astype(E4M3), dtype=np.float64) / _RAISED


@dataclass(slots=True)
class Tally:
    """Of some models: how many had a false report, how their policy was named, what was found."""

    models: int = 0
    alarms: int = 0
    named: int = 0
    wrong: int = 0
    found: tuple[int, ...] = (0,) * len(FACTORS)


def add_model(tally: Tally, case: Case, policy: str, rng: np.random.Generator, draw: Draw) -> None:
    """Judge one model as it is, and with one of its weights clipped by each factor."""
    weights = [[draw(rng, SHAPE) for _ in range(WEIGHTS)] for _ in range(FAMILIES)]
    families = [[evidence_of(case, policy, one, 1.0) for one in family] for family in weights]
    tally.models += 1
    tally.alarms += any(_reports(families, at) for at in range(FAMILIES))
    ((_, policies),) = policies_by_format([total_of(family) for family in families]).items()
    tally.named += policies == (RIGHT[policy],)
    tally.wrong += RIGHT[policy] not in policies
    counts = []
    for factor in FACTORS:
        clipped = [evidence_of(case, policy, weights[0][0], factor), *families[0][1:]]
        counts.append(_reports([clipped, *families[1:]], 0))
    tally.found = tuple(a + b for a, b in zip(tally.found, counts, strict=True))


def _reports(families: list[list[Evidence]], at: int) -> bool:
    """Whether a family is reported, as `analysis.quant.values` does."""
    totals = [total_of(family) for family in families]
    overall = policies_by_format(totals)
    own = policies_by_format([totals[at]])
    level = FALSE_ALARMS / (FAMILIES * WEIGHTS + FAMILIES)
    (kind,) = overall
    chance = chance_at_top(kind, overall[kind], own[kind])
    figures = [one.by_format[kind] for one in (totals[at], *families[at])]
    return any(is_clipped(one.top, one.second, chance, level) for one in figures)


def rows(models: int, seed: int) -> Iterator[str]:
    """The table, a line at a time."""
    factors = " | ".join(f"x{factor:g}" for factor in FACTORS)
    yield f"| codes, block | scale | models | false reports | policy named, wrong | {factors} |"
    yield "|---" * (5 + len(FACTORS)) + "|"
    for case in CASES:
        for policy in case.policies:
            tally = Tally()
            for density, draw in DENSITIES.items():
                rng = np.random.default_rng([seed, *f"{case.name} {policy} {density}".encode()])
                for _ in range(models):
                    add_model(tally, case, policy, rng, draw)
            found = " | ".join(f"{count / tally.models:.0%}" for count in tally.found)
            yield (
                f"| {case.name} | {policy} | {tally.models} | {tally.alarms} "
                f"| {tally.named / tally.models:.0%}, {tally.wrong} | {found} |"
            )


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.saturation", description=__doc__)
    parser.add_argument("--models", type=int, default=40, help="of each density")
    parser.add_argument("--seed", type=int, default=0)
    parsed = parser.parse_args()
    started = time.perf_counter()
    for row in rows(parsed.models, parsed.seed):
        print(row, flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
