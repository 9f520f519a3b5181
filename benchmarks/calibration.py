"""`python -m benchmarks.calibration`: false positives of expert similarity, as a table.

Makes the table of `docs/explanation/similarity-calibration.md`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from benchmarks.study.command import Job, main
from benchmarks.study.figures import Figure, share, tail_ratio, uniform_distance
from benchmarks.study.nulls import few_references, signed_null, wrong_parents
from benchmarks.study.outcome import TAILS
from benchmarks.study.plans import Repeats, Study, Table
from benchmarks.study.scratch import scratch_verdicts
from benchmarks.study.tasks import ROOT, Measure, Scalar

FULL_SIZE: Final[dict[str, Scalar]] = {"rows": 8, "neurons": 1536, "references": 128}
MEASURES: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        "signed_null": signed_null,
        "few_references": few_references,
        "wrong_parents": wrong_parents,
        "scratch_verdicts": scratch_verdicts,
    }
)


def ratios(statistic: str, *limits: float) -> list[Figure]:
    """False positives over their level at 1e-2, 1e-3 and so on, each with its limit if any."""
    asked = [f"<= {limit:g}" for limit in limits] or [""] * len(TAILS)
    return [
        Figure(f"{statistic.replace('star', 'z*')}: FPR / alpha at {level:g}",
               tail_ratio(statistic, level), demand)
        for level, demand in zip(TAILS, asked, strict=True)
    ]  # fmt: skip


def null(title: str, kind: str, repeats: Repeats, figures: list[Figure], rows: int = 8) -> Study:
    """A study of 512 targets against 128 references of 1536 neurons."""
    parameters = FULL_SIZE | {"kind": kind, "targets": 512, "rows": rows}
    return Study(title, "signed_null", parameters, repeats, figures)


CHECK: Final = Study(
    "the smallest: 32 x 24, m = 96",
    "signed_null",
    {"kind": "siblings", "rows": 8, "neurons": 96, "references": 24, "targets": 32},
    Repeats(1, 1),
    [Figure("KS of z", uniform_distance("z")), *ratios("star")[:2]],
)
"""Quick enough for a test, which finds the same figures in the page."""

TABLE: Final[Table] = {
    "Check": [CHECK],
    "Siblings, k = 8": [
        null(
            "siblings",
            "siblings",
            Repeats(2, 16),
            [
                Figure("KS of z", uniform_distance("z"), "<= 0.005"),
                *ratios("z"),
                *ratios("star", 1.3, 1.3, 1.5, 2),
            ],
        ),
        null("siblings sorted by norm", "sorted", Repeats(2, 16), ratios("star", 1.3, 1.5, 2, 3)),
    ],
    "Other nulls": [
        null("siblings, k = 32", "siblings", Repeats(1, 4), ratios("star"), rows=32),
        null("experts of another layer", "other layer", Repeats(1, 4), ratios("star")),
        null("cousins: one ancestor, drift 1 on both sides", "cousins", Repeats(1, 4),
             ratios("star")),
        *(
            Study(
                f"siblings, {count} reference{'s' * (count > 1)}",
                "few_references",
                FULL_SIZE | {"references": count, "targets": 512},
                Repeats(1, 128 // count),
                ratios("star")[:3],
            )
            for count in (1, 2, 8, 16)
        ),
    ],
    "Wrong parents": [
        Study(
            "children with half of their neurons, drift 1",
            "wrong_parents",
            FULL_SIZE | {"fraction": 0.5, "sigma": 1.0},
            Repeats(4, 160),
            [
                Figure("wrong parent / decided", share("wrong parent", "decided"), "<= 0.0001"),
                Figure("wrong accepted / wrong references", share("wrong accepted", "z tests")),
                *ratios("star")[:2],
            ],
        ),
        Study(
            "experts from scratch, looks at 8, 32 and 128 rows",
            "scratch_verdicts",
            FULL_SIZE | {"rows": 128, "targets": 512},
            Repeats(1, 94),
            [
                Figure("called descendant / experts", share("descendant", "experts"), "<= 0"),
                Figure("no_evidence / experts", share("no_evidence", "experts")),
            ],
        ),
    ],
}  # fmt: skip

JOB: Final = Job(
    "calibration", TABLE, MEASURES, ROOT / "docs/explanation/similarity-calibration.md"
)

if __name__ == "__main__":
    main(JOB)
