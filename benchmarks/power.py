"""`python -m benchmarks.power`: which relations expert similarity finds, as a table.

Makes the table of `docs/explanation/similarity-power.md`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from benchmarks.study.command import Job, main
from benchmarks.study.figures import Figure, median, share
from benchmarks.study.plans import Repeats, Study, Table
from benchmarks.study.relations import signed_power
from benchmarks.study.tasks import ROOT, Measure

MEASURES: Final[Mapping[str, Measure]] = MappingProxyType({"signed_power": signed_power})

ALIGNED: Final = (
    *((8, 0.0, sigma, ">= 0.99") for sigma in (0.0, 0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0)),
    (8, 0.5, 0.3, ">= 0.99"),
    (8, 0.5, 1.0, ">= 0.99"),
    (8, 0.75, 0.3, ">= 0.99"),
    (8, 0.75, 1.0, ">= 0.99"),
    (8, 0.9, 0.3, ">= 0.98"),
    (8, 0.9, 1.0, ">= 0.6"),
    (32, 0.95, 0.3, ">= 0.95"),
    *((32, 0.9, sigma, ">= 0.98") for sigma in (0.3, 1.0, 2.0)),
)
"""Rows, re-initialised fraction, drift, and the power to reach."""


def relation(fraction: float, sigma: float) -> str:
    """The name of a relation by its two figures.

    >>> relation(0.9, 0.3), relation(0.0, 0.0), relation(0.0, 5.0)
    ('90 % re-initialised, drift 0.3', 'copy', 'drift 5')
    """
    drift = f"drift {sigma:g}" if sigma else "copy"
    return f"{fraction:.0%} re-initialised, {drift}".replace("%", " %") if fraction else drift


def aligned(rows: int, fraction: float, sigma: float, demand: str) -> Study:
    """128 children of 128 references."""
    return Study(
        f"{relation(fraction, sigma)}, k = {rows}",
        "signed_power",
        {
            "rows": rows,
            "neurons": 1536,
            "references": 128,
            "fraction": fraction,
            "sigma": sigma,
        },
        Repeats(1, 8),
        [Figure("found", share("found", "children"), demand), Figure("z*", median("own"))],
    )


CHECK: Final = Study(
    "the smallest: 24 children, m = 96, 50 % re-initialised, drift 0.3",
    "signed_power",
    {"rows": 32, "neurons": 96, "references": 24, "fraction": 0.5, "sigma": 0.3},
    Repeats(1, 1),
    [Figure("found", share("found", "children")), Figure("z*", median("own"))],
)
"""Quick enough for a test, which finds the same figures in the page."""

TABLE: Final[Table] = {
    "Check": [CHECK],
    "Aligned": [aligned(*one) for one in ALIGNED],
}

JOB: Final = Job("power", TABLE, MEASURES, ROOT / "docs/explanation/similarity-power.md")

if __name__ == "__main__":
    main(JOB)
