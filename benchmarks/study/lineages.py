"""Stage 0: norms, embedding rows and routers of models trained on, or apart; layers by their norms.

Gains of a model are lognormal, one part of all its layers and one of each layer's own, and 0.2 % of
the dimensions are six times as large in all layers. Rows of embeddings and routers come from the
generator of experts, so they share directions and outlier dimensions.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from benchmarks.study.generator import Float64, draw_layer
from benchmarks.study.outcome import Outcome, null_outcome
from benchmarks.study.tasks import Parameters
from inspector.analysis.compare.lineage import EMBEDDING, NORMS, ROUTERS, Basis, lineage_of
from inspector.analysis.layer_pairing import LayerQuestion, Origin, pair_layers
from inspector.stats.shared_basis import matched_rows, rank_correlation

_NORM_LAYERS: Final = 32
_ROUTER_LAYERS: Final = 8

Values = Mapping[str, list[Float64]]
"""By kind: gains of norms, `[H]` each, embedding rows and routers, `[n, H]`."""


def basis_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Z of norms and of embedding rows of models apart, and how often their basis seems shared."""
    norms, rows, shared = [], [], 0
    for _ in range(int(parameters["models"])):
        ours, theirs = (_model(parameters, rng) for _ in range(2))
        for one, other in zip(ours[NORMS], theirs[NORMS], strict=True):
            found = rank_correlation(one, other)
            norms.append(found.z if found else 0.0)
        matched = matched_rows(ours[EMBEDDING][0], theirs[EMBEDDING][0])
        rows.append(matched.z if matched else 0.0)
        shared += _basis(ours, theirs) == Basis.SHARED
    found_null = null_outcome(norms=np.array(norms), rows=np.array(rows))
    return Outcome(
        counts=found_null.counts | {"models": int(parameters["models"]), "shared": shared},
        histograms=found_null.histograms,
    )


def basis_power(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Models trained on from another with a drift of `sigma`: by all kinds, and by each alone."""
    counts = dict.fromkeys(("models", "shared", *_KINDS), 0)
    for _ in range(int(parameters["models"])):
        theirs = _model(parameters, rng)
        ours = _drifted(theirs, _model(parameters, rng), float(parameters["sigma"]))
        counts["models"] += 1
        counts["shared"] += _basis(ours, theirs) == Basis.SHARED
        for kind in _KINDS:
            counts[kind] += _basis({kind: ours[kind]}, {kind: theirs[kind]}) == Basis.SHARED
    return Outcome(counts=counts)


_KINDS: Final = (NORMS, EMBEDDING, ROUTERS)


def layer_maps(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Models of the last `layers` layers of another, whose norms drifted: right, wrong, left out.

    With `apart`, the two have nothing in common, and every layer should be left out.
    """
    layers, more = int(parameters["layers"]), int(parameters["offset"])
    counts = dict.fromkeys(("layers", "right", "wrong"), 0)
    for _ in range(int(parameters["models"])):
        theirs = _gains(layers + more, parameters, rng)
        apart = _gains(layers + more, parameters, rng)
        sigma = float(parameters["sigma"])
        ours = apart if parameters.get("apart") else _drift_all(theirs, apart, sigma)
        question = LayerQuestion(range(layers), range(layers + more), None)
        sides = dict(enumerate(ours[more:])), dict(enumerate(theirs))
        found = pair_layers(question, {"norm": sides})
        pairs = found.numbers if found.origin == Origin.NORMS else {}
        right = sum(other == layer + more for layer, other in pairs.items())
        counts["layers"] += layers
        counts["right"] += right
        counts["wrong"] += len(pairs) - right
    return Outcome(counts=counts)


def _model(parameters: Parameters, rng: np.random.Generator) -> Values:
    hidden = int(parameters["hidden"])
    return {
        NORMS: _gains(_NORM_LAYERS, parameters, rng),
        EMBEDDING: [_rows(int(parameters["tokens"]), hidden, rng)],
        ROUTERS: [_rows(int(parameters["experts"]), hidden, rng) for _ in range(_ROUTER_LAYERS)],
    }


def _gains(layers: int, parameters: Parameters, rng: np.random.Generator) -> list[Float64]:
    hidden = int(parameters["hidden"])
    common = 0.3 * rng.standard_normal(hidden) + np.log(6) * (rng.random(hidden) < 0.002)
    return [np.exp(common + 0.2 * rng.standard_normal(hidden)) for _ in range(layers)]


def _rows(count: int, hidden: int, rng: np.random.Generator) -> Float64:
    return np.asarray(draw_layer(hidden, count, rng).draw(1, rng)[0].T, dtype=np.float64)


def _drifted(parent: Values, other: Values, sigma: float) -> Values:
    return {kind: _drift_all(parent[kind], other[kind], sigma) for kind in parent}


def _drift_all(parents: list[Float64], others: list[Float64], sigma: float) -> list[Float64]:
    """Each plus sigma times another of its size: gains less their mean, which says nothing."""
    return [
        parent + sigma * (other - other.mean()) * (parent.std() / other.std())
        for parent, other in zip(parents, others, strict=True)
    ]


def _basis(ours: Values, theirs: Values) -> str:
    values = {kind: list(zip(ours[kind], theirs[kind], strict=True)) for kind in ours}
    return lineage_of(values).basis
