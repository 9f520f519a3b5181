"""`python -m benchmarks.calibration`: false positives of expert similarity, as a table.

Makes the table of `docs/explanation/similarity-calibration.md`.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from benchmarks.study import stage_zero
from benchmarks.study.command import Job, main
from benchmarks.study.figures import Figure, over, quantile, share, tail_ratio, uniform_distance
from benchmarks.study.kin import kin_null, kin_run
from benchmarks.study.layouts import layout_models, layouts
from benchmarks.study.nulls import few_references, signed_null, wrong_parents
from benchmarks.study.outcome import TAILS
from benchmarks.study.places import place_null
from benchmarks.study.plans import FULL_SIZE, Repeats, Study, Table
from benchmarks.study.runs import scratch_run
from benchmarks.study.slices import slice_null
from benchmarks.study.tasks import Measure
from benchmarks.study.trained_scores import trained_models
from benchmarks.study.unaligned import flip_null, permuted_null, shift_null
from benchmarks.study.versions import ROOT

MEASURES: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        "signed_null": signed_null,
        "few_references": few_references,
        "wrong_parents": wrong_parents,
        "scratch_run": scratch_run,
        "slice_null": slice_null,
        "kin_null": kin_null,
        "kin_run": kin_run,
        "trained_models": trained_models,
        "flip_null": flip_null,
        "shift_null": shift_null,
        "permuted_null": permuted_null,
        "place_null": place_null,
        "layouts": layouts,
        "layout_models": layout_models,
        **stage_zero.NULLS,
    }
)


def ratios(statistic: str, *limits: float) -> list[Figure]:
    """False positives over their level at 1e-2, 1e-3 and so on, as many as have a limit."""
    asked = [f"<= {limit:g}" for limit in limits] or [""] * len(TAILS)
    levels = TAILS[: len(asked)]
    shown = statistic.replace("star", "z*")
    return [
        Figure(f"{shown}: FPR / alpha at {level:g}", tail_ratio(statistic, level), demand)
        for level, demand in zip(levels, asked, strict=True)
    ]


def null(title: str, kind: str, repeats: Repeats, figures: list[Figure], rows: int = 8) -> Study:
    """A study of 512 targets against 128 references of 1536 neurons."""
    parameters = FULL_SIZE | {"kind": kind, "targets": 512, "rows": rows}
    return Study(title, "signed_null", parameters, repeats, figures)


def few(count: int) -> Study:
    """512 targets against a handful of references."""
    return Study(
        f"siblings, {count} reference{'s' * (count > 1)}",
        "few_references",
        FULL_SIZE | {"references": count, "targets": 512},
        Repeats(1, 16),
        ratios("star")[:3],
    )


def trained(steps: int, repeats: Repeats) -> Study:
    """Experts trained in the parent's residual basis, and in one of their own."""
    return Study(
        f"{steps} steps",
        "trained_models",
        {"steps": steps, "rows": 8},
        repeats,
        [
            Figure("parent's loss, bits a byte", quantile("parent loss", 0.5)),
            Figure("siblings, KS of z", uniform_distance("siblings z")),
            *ratios("siblings star")[:3],
            Figure("strangers, KS of z", uniform_distance("strangers z")),
            *ratios("strangers star")[:3],
            *ratios("upcycled star")[:2],
            *ratios("dropped star")[:2],
        ],
    )


def scratch(size: str, layers: int, targets: int, repeats: Repeats) -> Study:
    """Whole runs, with every test and look, on models whose experts descend from nothing."""
    return Study(
        f"experts from scratch in whole runs: {size}",
        "scratch_run",
        FULL_SIZE | {"layers": layers, "targets": targets},
        repeats,
        [
            Figure("given a parent / experts", share("parents", "experts"), "<= 0"),
            Figure("no_evidence / experts", share("no_evidence", "experts")),
            Figure("inconclusive / experts", share("inconclusive", "experts")),
        ],
    )


CHECK: Final = Study(
    "32 x 24 siblings, m = 96",
    "signed_null",
    {"kind": "siblings", "rows": 8, "neurons": 96, "references": 24, "targets": 32},
    Repeats(1, 1),
    [Figure("KS of z", uniform_distance("z")), *ratios("star")[:2]],
)
"""Quick enough for a test, which finds the same figures in the page."""

TABLE: Final[Table] = {
    "Check": [CHECK],
    "The signed test, k = 8": [
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
    "Other nulls of the signed test": [
        null("experts of another layer", "other layer", Repeats(1, 4), ratios("star")),
        null(
            "cousins: one ancestor, drift 1",
            "cousins",
            Repeats(4, 16),
            [*ratios("star"), Figure("accepted / tests", share("accepted", "star tests"))],
        ),
        null("siblings, k = 32", "siblings", Repeats(1, 4), ratios("star"), rows=32),
        *(few(count) for count in (1, 2, 8, 16)),
    ],
    "Slices: 768 neurons against 1536, k = 8": [
        Study(
            "siblings",
            "slice_null",
            FULL_SIZE | {"kept": 768, "targets": 128},
            Repeats(2, 16),
            [
                Figure("KS of z", uniform_distance("z")),
                *ratios("z")[:3],
                *ratios("star")[:3],
                *ratios("shifts")[:3],
            ],
        ),
    ],
    "One model against itself, k = 8": [
        Study(
            "unrelated experts, FP8 on both sides",
            "kin_null",
            FULL_SIZE,
            Repeats(2, 16),
            [
                *ratios("z")[:3],
                *ratios("star")[:3],
                Figure("accepted / tests", share("accepted", "star tests"), "<= 0"),
            ],
        ),
        Study(
            "unrelated experts in whole runs: 2 layers of 64",
            "kin_run",
            {"neurons": 1536, "layers": 2, "experts": 64, "pairs": 0, "sigma": 0.0},
            Repeats(1, 8),
            [
                Figure("given a relative / experts", share("given a relative", "unrelated"),
                       "<= 0"),
                Figure("no_evidence / experts", share("no_evidence", "unrelated")),
            ],
        ),
    ],
    "Verdicts": [
        Study(
            "children with half of their neurons new, drift 1",
            "wrong_parents",
            FULL_SIZE | {"fraction": 0.5, "sigma": 1.0},
            Repeats(8, 160),
            [
                Figure("wrong parent / decided", share("wrong parent", "decided"), "<= 0.0001"),
                Figure("wrong accepted / wrong references", share("wrong accepted", "z tests")),
                *ratios("star")[:2],
            ],
        ),
        scratch("2 layers of 64 x 128", 2, 64, Repeats(1, 0)),
        scratch("4 models of 24 layers of 512 x 128", 24, 512, Repeats(0, 4)),
    ],
    "Layouts of random parents": [
        Study(
            "512 experts from 128, 8 groups",
            "layouts",
            {"rule": "random", "layers": 20_000},
            Repeats(1, 10),
            [
                *ratios("layout", 1.3, 1.3),
                Figure("no rule named (p > .001)", share("not named", "layers"), ">= 0.999"),
            ],
        ),
        Study(
            "32 experts from 8, 4 groups",
            "layouts",
            {"rule": "random", "layers": 50_000, "experts": 32, "references": 8, "groups": 4},
            Repeats(1, 10),
            ratios("layout", 1.3, 1.3),
        ),
        Study(
            "8 layers of 32 experts from 8, drawn anew in each",
            "layout_models",
            {"models": 5_000, "layers": 8, "experts": 32, "references": 8, "groups": 4},
            Repeats(1, 10),
            [*ratios("all layers", 1.3, 1.3), *ratios("constancy", 1.3, 1.3)],
        ),
    ],
    "Other statistics, siblings": [
        Study(
            "sign flips, k = 8",
            "flip_null",
            FULL_SIZE | {"targets": 512},
            Repeats(1, 8),
            [Figure("KS of z", uniform_distance("z")), *ratios("star")],
        ),
        Study(
            "shifts, k = 8: the best of 1535, Bonferroni",
            "shift_null",
            FULL_SIZE | {"targets": 128},
            Repeats(1, 8),
            ratios("z")[:3],
        ),
        Study(
            "permuted neurons, k = 64: the 3 on the shortlist against 16 controls",
            "permuted_null",
            FULL_SIZE | {"rows": 64, "targets": 16},
            Repeats(1, 64),
            ratios("contrast")[:2],
        ),
        Study(
            "16 rows of gate and up in place",
            "place_null",
            {"rows": 4096, "neurons": 16, "references": 64, "targets": 128},
            Repeats(1, 8),
            [
                Figure(f"P(h >= {h}) / (1 / {h}!)", over(f"hits {h}", "tests", math.factorial(h)),
                       "<= 1")
                for h in (2, 3, 4)
            ],
        ),
    ],
    **stage_zero.CALIBRATION,
    "Real rows: 18 slices of MiniLM against 18 others, 256 neurons, k = 8": [
        Study(
            "slices in the order that training left, 48 draws of slices and rows",
            "signed_null",
            {"world": "minilm", "kind": "siblings", "rows": 8, "targets": 18, "draws": 48},
            Repeats(2, 16),
            [Figure("KS of z", uniform_distance("z")), *ratios("z")[:3], *ratios("star")[:3]],
        ),
    ],
    "Trained here: 16 experts of 96 neurons, k = 8": [
        trained(400, Repeats(1, 3)),
        trained(4000, Repeats(0, 3)),
    ],
}  # fmt: skip

JOB: Final = Job(
    "calibration", TABLE, MEASURES, ROOT / "docs/explanation/similarity-calibration.md"
)

if __name__ == "__main__":
    main(JOB)
