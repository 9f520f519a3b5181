"""The lines of both tables about stage 0: the hidden basis, maps of layers, a rotated basis."""

from typing import Final

from benchmarks.study import lineages, rotated
from benchmarks.study.figures import Figure, median, share, tail_ratio, uniform_distance
from benchmarks.study.plans import Repeats, Study, Table
from benchmarks.study.tasks import Measure, Scalar

NULLS: Final[dict[str, Measure]] = {
    "basis_null": lineages.basis_null,
    "layer_maps": lineages.layer_maps,
    "rotation_null": rotated.rotation_null,
}
POWERS: Final[dict[str, Measure]] = {
    "basis_power": lineages.basis_power,
    "layer_maps": lineages.layer_maps,
    "rotation_power": rotated.rotation_power,
}

_MODEL: Final[dict[str, Scalar]] = {"hidden": 1024, "tokens": 256, "experts": 64}
_LAYERS: Final[dict[str, Scalar]] = {"hidden": 1024, "layers": 12, "offset": 4, "models": 20}
_ROTATED: Final[dict[str, Scalar]] = {"hidden": 1024, "references": 64}


def _ratios(statistic: str, limits: tuple[str, ...]) -> list[Figure]:
    """False positives over their level at 1e-2 and 1e-3."""
    shown = statistic.replace("star", "z*")
    return [
        Figure(f"{shown}: FPR / alpha at {level:g}", tail_ratio(statistic, level), limit)
        for level, limit in zip((1e-2, 1e-3), limits, strict=True)
    ]


CALIBRATION: Final[Table] = {
    "Stage 0 of models apart: 1024 hidden dimensions": [
        Study(
            "32 norms, 256 embedding rows, 8 routers of 64",
            "basis_null",
            _MODEL | {"models": 16},
            Repeats(2, 64),
            [
                Figure("called shared / models", share("shared", "models"), "<= 0"),
                Figure("embedding rows, KS of z", uniform_distance("rows")),
                Figure("norms: FPR / alpha at 0.01", tail_ratio("norms", 1e-2)),
            ],
        ),
        Study(
            "layers matched by norms, 12 against 16",
            "layer_maps",
            _LAYERS | {"sigma": 0.0, "apart": True},
            Repeats(4, 50),
            [Figure("given a layer / layers", share("wrong", "layers"), "<= 0.001")],
        ),
    ],
    "A rotated basis, siblings: 64 neurons of gate and up, 1024 hidden dimensions": [
        Study(
            "16 neurons are anchors",
            "rotation_null",
            _ROTATED | {"targets": 128},
            Repeats(4, 128),
            [
                Figure("KS of z", uniform_distance("z")),
                *_ratios("z", ("", "")),
                *_ratios("star", ("<= 1.3", "<= 1.3")),
            ],
        ),
    ],
}


def _trained_on(sigma: float) -> Study:
    return Study(
        f"drift {sigma:g}",
        "basis_power",
        _MODEL | {"models": 4, "sigma": sigma},
        Repeats(2, 16),
        [
            Figure("called shared", share("shared", "models"), ">= 1"),
            *(
                Figure(f"by {kind} alone", share(kind, "models"))
                for kind in ("norms", "embedding", "routers")
            ),
        ],
    )


def _mapped(sigma: float) -> Study:
    return Study(
        f"the last 12 of 16 layers, norms with drift {sigma:g}",
        "layer_maps",
        _LAYERS | {"sigma": sigma},
        Repeats(2, 20),
        [
            Figure("right", share("right", "layers"), ">= 0.99"),
            Figure("wrong", share("wrong", "layers"), "<= 0"),
        ],
    )


def _turned(fraction: float, sigma: float, demand: str) -> Study:
    new = f"{100 * fraction:.0f} % new, " if fraction else ""
    return Study(
        f"rotated, {new}drift {sigma:g}",
        "rotation_power",
        _ROTATED | {"fraction": fraction, "sigma": sigma},
        Repeats(1, 16),
        [
            Figure("found", share("found", "children"), demand),
            Figure("wrong parent", share("wrong", "children"), "<= 0"),
            Figure("z*", median("own")),
        ],
    )


POWER: Final[Table] = {
    "Stage 0 of models trained on: 1024 hidden dimensions": [
        *(_trained_on(sigma) for sigma in (1.0, 4.0)),
        *(_mapped(sigma) for sigma in (1.0, 3.0)),
    ],
    "A rotated basis: 64 neurons of gate and up, 1024 hidden dimensions": [
        _turned(0.0, 0.1, ">= 0.99"),
        _turned(0.0, 1.0, ">= 0.99"),
        _turned(0.0, 2.0, ""),
        _turned(0.5, 0.3, ""),
        _turned(0.75, 0.3, ""),
    ],
}
