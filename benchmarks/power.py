"""`python -m benchmarks.power`: what expert similarity finds and estimates, as a table.

Makes the table of `docs/explanation/similarity-power.md`.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from benchmarks.study import (
    cost,
    estimates,
    kin,
    layouts,
    neuron_maps,
    places,
    relations,
    runs,
    slices,
    stage_zero,
    unaligned,
)
from benchmarks.study.command import Job, main
from benchmarks.study.figures import Figure, median, quantile, share
from benchmarks.study.plans import FULL_SIZE, Repeats, Study, Table
from benchmarks.study.tasks import Measure, Scalar
from benchmarks.study.trained_scores import trained_models
from benchmarks.study.versions import ROOT

MEASURES: Final[Mapping[str, Measure]] = MappingProxyType(
    {
        "signed_power": relations.signed_power,
        "trained_models": trained_models,
        "flip_power": unaligned.flip_power,
        "shift_power": unaligned.shift_power,
        "permuted_power": unaligned.permuted_power,
        "slice_power": slices.slice_power,
        "kin_run": kin.kin_run,
        "place_power": places.place_power,
        "retained_errors": estimates.retained_errors,
        "scale_errors": estimates.scale_errors,
        "blend_errors": estimates.blend_errors,
        "equal_codes": estimates.equal_codes,
        "layouts": layouts.layouts,
        "neuron_maps": neuron_maps.neuron_maps,
        "mixed_run": runs.mixed_run,
        "plan_cost": cost.plan_cost,
        "layer_seconds": cost.layer_seconds,
        **stage_zero.POWERS,
    }
)

CHILDREN: Final = Repeats(1, 8)
"""Replicates of 128 children each."""
FOUND: Final = share("found", "children")
Relation = tuple[float, float, str]
"""Re-initialised fraction, drift, and the share to find."""

AT_8_ROWS: Final[tuple[Relation, ...]] = (
    *((0.0, sigma, ">= 0.99") for sigma in (0.0, 0.1, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0)),
    (0.5, 0.3, ">= 0.99"), (0.5, 1.0, ">= 0.99"), (0.75, 0.3, ">= 0.99"), (0.75, 1.0, ">= 0.99"),
    (0.9, 0.3, ">= 0.98"), (0.9, 1.0, ">= 0.6"),
)  # fmt: skip
AT_32_ROWS: Final[tuple[Relation, ...]] = (
    (0.95, 0.3, ">= 0.95"), (0.9, 0.3, ">= 0.98"), (0.9, 1.0, ">= 0.98"), (0.9, 2.0, ">= 0.98"),
)  # fmt: skip
FLIPPED: Final[tuple[Relation, ...]] = (
    (0.0, 0.3, ">= 0.99"), (0.0, 1.0, ">= 0.99"), (0.0, 2.0, ">= 0.99"), (0.9, 0.3, ">= 0.99"),
)  # fmt: skip
PERMUTED: Final[tuple[Relation, ...]] = (
    (0.0, 0.3, ">= 0.99"), (0.0, 1.0, ">= 0.99"), (0.0, 1.5, ">= 0.99"), (0.0, 2.0, ">= 0.95"),
    (0.75, 0.3, ">= 0.99"), (0.9, 0.3, ">= 0.9"),
)  # fmt: skip
RETAINED: Final = ((0.0, 0.1), (0.0, 1.0), (0.5, 0.3), (0.5, 1.0), (0.9, 0.3), (0.9, 1.0))
"""Re-initialised fraction and drift."""
SHAPED: Final = ("even", "proportional", "normal")
"""Shapes of drift that experts do not have."""
RESHAPED: Final = ((0.0, 0.3), (0.0, 1.0), (0.5, 0.3), (0.9, 1.0))
"""Re-initialised fraction and drift."""
SLICED: Final = (
    (0, 768, 0.0, 0.3), (384, 768, 0.0, 0.3), (384, 768, 0.0, 1.0), (384, 768, 0.0, 2.0),
    (384, 768, 0.5, 0.3), (384, 768, 0.5, 1.0), (1152, 384, 0.0, 3.0),
)  # fmt: skip
"""First neuron, how many, re-initialised fraction and drift."""
MAPPED: Final[tuple[Mapping[str, Scalar], ...]] = (
    {"sigma": 0.3},
    {"sigma": 2.0},
    {"fraction": 0.5, "sigma": 0.3, "scale": 0.7},
    {"fraction": 0.9, "sigma": 1.0},
)
"""What whole experts went through, besides a new order of neurons."""


def named(fraction: float, sigma: float) -> str:
    """The name of a relation by its two figures.

    >>> named(0.9, 0.3), named(0.0, 0.0), named(0.0, 5.0)
    ('90 % new, drift 0.3', 'copy', 'drift 5')
    """
    drift = f"drift {sigma:g}" if sigma else "copy"
    return f"{100 * fraction:.0f} % new, {drift}" if fraction else drift


def aligned(rows: int, fraction: float, sigma: float, demand: str) -> Study:
    """128 children of 128 references."""
    return Study(
        named(fraction, sigma),
        "signed_power",
        FULL_SIZE | {"rows": rows, "fraction": fraction, "sigma": sigma},
        CHILDREN,
        [Figure("found", FOUND, demand), Figure("z*", median("own"))],
    )


def flipped(fraction: float, sigma: float, demand: str) -> Study:
    """The same with half of the neurons negated."""
    return Study(
        f"signs flipped, {named(fraction, sigma)}",
        "flip_power",
        FULL_SIZE | {"fraction": fraction, "sigma": sigma},
        CHILDREN,
        [Figure("found", FOUND, demand), Figure("z*", median("own"))],
    )


def permuted(rows: int, fraction: float, sigma: float, demand: str) -> Study:
    """Children with their neurons in another order."""
    return Study(
        f"permuted, {named(fraction, sigma)}",
        "permuted_power",
        FULL_SIZE | {"rows": rows, "fraction": fraction, "sigma": sigma, "targets": 16},
        Repeats(1, 64),
        [
            Figure("in the shortlist of 3", share("shortlisted", "children")),
            Figure("found", FOUND, demand),
            Figure("wrong parent", share("wrong", "children")),
        ],
    )


def sliced(start: int, kept: int, fraction: float, sigma: float) -> Study:
    """Children of which some neurons are left: consecutive ones of 1536."""
    return Study(
        f"{kept} neurons from {start} on, {named(fraction, sigma)}",
        "slice_power",
        FULL_SIZE | {"start": start, "kept": kept, "fraction": fraction, "sigma": sigma},
        CHILDREN,
        [
            Figure("found", FOUND),
            Figure("in its place", share("in place", "children")),
            Figure("z* aligned, z of a shift", median("own")),
        ],
    )


def akin(sigma: float) -> Study:
    """Experts of one model that are others of it, drifted."""
    return Study(
        named(0, sigma),
        "kin_run",
        {"neurons": 1536, "layers": 2, "experts": 64, "pairs": 8, "sigma": sigma},
        Repeats(1, 8),
        [
            Figure("the other of the pair named", share("found", "related")),
            Figure("another one named", share("wrong", "related"), "<= 0"),
            Figure("unrelated, given a relative", share("given a relative", "unrelated"), "<= 0"),
        ],
    )


def retained(fraction: float, sigma: float) -> Study:
    """Errors of what is estimated of a child."""
    return Study(
        named(fraction, sigma),
        "retained_errors",
        FULL_SIZE | {"rows": 32, "fraction": fraction, "sigma": sigma, "targets": 128},
        CHILDREN,
        [
            Figure("retained: 95 % of errors within", quantile("retained error", 0.95), "<= 0.03"),
            Figure("retained: truth in the interval", share("covered", "children")),
            Figure("sigma: 95 % of relative errors within", quantile("sigma error", 0.95),
                   "<= 0.15"),
            Figure("sigma: truth in the interval", share("sigma covered", "children")),
            Figure("sigma: width of the interval / sigma", median("sigma width")),
            Figure("sigma, of these neurons: 95 % of relative errors within",
                   quantile("sigma error, retained neurons", 0.95)),
        ],
    )  # fmt: skip


def shaped(shape: str, fraction: float, sigma: float, rows: int = 32) -> Study:
    """The same where the drift is not like an expert, or at other rows."""
    study = retained(fraction, sigma)
    changed: dict[str, Scalar] = {"rows": rows}
    figures = [replace(one, demand="") for one in study.figures]
    if shape != "experts":
        changed["shape"] = shape
    return replace(
        study,
        title=f"{study.title}, {shape}" if shape != "experts" else study.title,
        parameters={**study.parameters, **changed},
        figures=figures,
    )


def scaled(sigma: float) -> Study:
    """Errors of the factor of children that are 0.7 times their parent."""
    return Study(
        f"scale 0.7, {named(0, sigma)}",
        "scale_errors",
        FULL_SIZE | {"rows": 32, "scale": 0.7, "sigma": sigma, "targets": 128},
        CHILDREN,
        [
            Figure("95 % of relative errors within", quantile("scale error", 0.95), "<= 0.01"),
            Figure("truth in the interval", share("covered", "children")),
        ],
    )


def blended(relation: str, weight: float, sigma: float) -> Study:
    """Children of two parents."""
    return Study(
        f"{relation} {weight:g}, {named(0, sigma)}",
        "blend_errors",
        FULL_SIZE | {"relation": relation, "weight": weight, "sigma": sigma},
        CHILDREN,
        [
            Figure("both parents", share("both", "children"), ">= 0.99"),
            Figure("interpolated or chimera, right", share("kind", "children")),
            Figure("share: 95 % of errors within", quantile("share error", 0.95), "<= 0.02"),
        ],
    )


def copied(sigma: float, what: str) -> Study:
    """Whole blocks of 128 rows, so that scales are those of a checkpoint."""
    return Study(
        named(0, sigma),
        "equal_codes",
        FULL_SIZE | {"rows": 128, "references": 64, "sigma": sigma},
        Repeats(1, 16),
        [
            Figure(f"{what} by codes", share(what, "children"), ">= 1"),
            Figure("share of equal codes", median("share")),
        ],
    )


LAID_OUT: Final = (
    "e mod 128",
    "e // 4",
    "((e mod 64) * 8 + e // 64) // 4",
    "(e mod 64) * 2 + e // 64 mod 2",
    "first 128 in place",
    "in order, unequal runs",
)
"""512 experts of 128 in 8 groups: copied, split, dealt to groups, every other, appended, others."""


def laid_out(rule: str) -> Study:
    """Layers that follow a rule in 96 % of their decided experts."""
    return Study(
        rule,
        "layouts",
        {"rule": rule, "layers": 94},
        Repeats(1, 10),
        [
            Figure("named first", share("right", "layers"), ">= 1"),
            Figure("log10 p, largest", quantile("log10 p", 1), "<= -100"),
        ],
    )


def mapped(change: Mapping[str, Scalar]) -> Study:
    """Whole experts of three matrices."""
    what = named(float(change.get("fraction", 0)), float(change["sigma"]))
    size: dict[str, Scalar] = {"hidden": 4096, "neurons": 1536}
    return Study(
        f"permuted, {what}" + (f", scale {change['scale']}" if "scale" in change else ""),
        "neuron_maps",
        size | dict(change),
        Repeats(1, 24),
        [
            Figure("right / kept", share("right", "kept"), ">= 0.999"),
            Figure("kept falsely / neurons", share("false", "neurons"), "<= 0.001"),
            Figure("seconds a pair, of the processor", median("seconds"), "<= 5"),
        ],
    )


def minilm(rows: int, fraction: float, sigma: float) -> Study:
    """18 children of 18 slices of MiniLM, 256 neurons each, drifted by other slices."""
    return Study(
        f"{named(fraction, sigma)}, k = {rows}",
        "signed_power",
        {"world": "minilm", "rows": rows, "fraction": fraction, "sigma": sigma},
        Repeats(8, 64),
        [Figure("found", FOUND), Figure("z*", median("own"))],
    )


CHECK: Final = Study(
    "24 children, m = 96, 50 % new, drift 0.3, k = 32",
    "signed_power",
    {"rows": 32, "neurons": 96, "references": 24, "fraction": 0.5, "sigma": 0.3},
    Repeats(1, 1),
    [Figure("found", FOUND), Figure("z*", median("own"))],
)
"""Quick enough for a test, which finds the same figures in the page."""

TABLE: Final[Table] = {
    "Check": [CHECK],
    "Aligned, k = 8": [aligned(8, *one) for one in AT_8_ROWS],
    "Aligned, k = 32": [aligned(32, *one) for one in AT_32_ROWS],
    "Signs flipped, k = 8": [flipped(*one) for one in FLIPPED],
    "Shifted, k = 8": [
        Study(
            f"shift 256, {named(fraction, 0.3)}",
            "shift_power",
            FULL_SIZE | {"shift": 256, "fraction": fraction, "sigma": 0.3},
            CHILDREN,
            [
                Figure("found", FOUND),
                Figure("z, median", median("own"), ">= 30"),
                Figure("shift exact", share("exact", "children"), ">= 1"),
            ],
        )
        for fraction in (0.0, 0.5)
    ],
    "Permuted, k = 64": [permuted(64, *one) for one in PERMUTED],
    "Permuted, k = 128, as in the last look": [
        permuted(128, 0.75, 0.3, ""), permuted(128, 0.9, 0.3, ""),
    ],
    "Slices of 1536 neurons, k = 8": [sliced(*one) for one in SLICED],
    "A new down_proj, 16 rows of gate and up": [
        Study(
            f"gate and up with {named(0, sigma)}",
            "place_power",
            {"rows": 4096, "neurons": 16, "references": 64, "sigma": sigma},
            Repeats(1, 4),
            [Figure("found", FOUND), Figure("log10 p", median("log10 p"))],
        )
        for sigma in (1.0, 3.0)
    ],
    **stage_zero.POWER,
    "Retained fraction and drift, k = 32": [retained(*one) for one in RETAINED],
    "Drift of another shape, k = 32": [
        *(shaped(shape, *one) for shape in SHAPED for one in RESHAPED), shaped("white", 0.0, 0.3),
    ],
    "Retained fraction and drift at the first look, k = 8": [
        shaped(shape, *one, rows=8) for shape in ("experts", *SHAPED) for one in RESHAPED
    ],
    "Scale, k = 32": [scaled(0.1), scaled(0.3)],
    "Two parents, k = 8": [
        blended("interpolated", 0.6, 0.0),
        blended("interpolated", 0.6, 0.3),
        blended("chimera", 0.5, 0.0),
        blended("chimera", 0.5, 0.3),
    ],
    "Copies": [copied(0.0, "exact"), copied(0.001, "not exact")],
    "Layout": [laid_out(rule) for rule in LAID_OUT],
    "Neuron maps of whole experts": [mapped(one) for one in MAPPED],
    "Real rows: MiniLM, 256 neurons": [
        minilm(8, 0.0, 0.3), minilm(8, 0.0, 1.0), minilm(8, 0.0, 3.0), minilm(8, 0.5, 0.3),
        minilm(32, 0.75, 0.3),
    ],
    "Trained here: 16 experts of 96 neurons, upcycled to 64, k = 8": [
        Study(
            f"{steps} steps, children {steps // 2} more",
            "trained_models",
            {"steps": steps, "rows": 8},
            repeats,
            [
                Figure("upcycled, found", share("upcycled found", "upcycled children")),
                Figure("upcycled, z*", median("upcycled own")),
                Figure("half new, found", share("dropped found", "dropped children")),
                Figure("half new, z*", median("dropped own")),
            ],
        )
        for steps, repeats in ((400, Repeats(1, 3)), (4000, Repeats(0, 3)))
    ],
    "Whole runs: 3 layers of 128 references, every relation": [
        Study(
            name,
            "mixed_run",
            FULL_SIZE | {"layers": 3, "each": 2},
            Repeats(1, 32),
            [
                Figure("parents named", share(f"{name}: parents", f"{name}: experts")),
                Figure("a wrong parent named", share(f"{name}: wrong", f"{name}: experts"), "<= 0"),
                Figure("verdict and flag", share(f"{name}: verdict", f"{name}: experts")),
            ],
        )
        for name in runs.RELATIONS
    ],
    "One model against itself: whole runs, 2 layers of 64 experts with 8 pairs": [
        akin(sigma) for sigma in (1.0, 3.0, 5.0, 10.0)
    ],
    "Cost": [
        Study(
            "512 FP8 x 128 BF16 experts, 94 layers",
            "plan_cost",
            {},
            Repeats(1, 1),
            [
                Figure("first look, GB", median("first look GB"), "<= 0.9"),
                Figure("first look, requests", median("first look requests"), "<= 60200"),
                Figure("first look, minutes at 64 x 50 ms and 1 Gbit/s",
                       median("first look minutes"), "<= 2.5"),
                Figure("with later looks at most, GB", median("all GB"), "<= 3.5"),
            ],
        ),
        Study(
            "one layer, k = 8, with its null",
            "layer_seconds",
            {"rounds": 6},
            Repeats(1, 1),
            [Figure("seconds, the fastest round", quantile("seconds", 0), "<= 1")],
        ),
    ],
}  # fmt: skip

JOB: Final = Job("power", TABLE, MEASURES, ROOT / "docs/explanation/similarity-power.md")

if __name__ == "__main__":
    main(JOB)
