"""One model against itself: which of its experts resemble each other."""

from dataclasses import replace

import numpy as np

from benchmarks.study.generator import fp8_codes
from benchmarks.study.operators import drifted
from benchmarks.study.outcome import Outcome, null_outcome
from benchmarks.study.runs import REQUEST, draw_source
from benchmarks.study.scenes import make_scene
from benchmarks.study.sides import LayerArrays, ModelInMemory
from benchmarks.study.signed import least_of_both, needed_z, scores
from benchmarks.study.tasks import Parameters
from inspector.analysis.expert_match import match_experts
from inspector.analysis.expert_report import Verdict
from inspector.format.dtypes import Dtype


def kin_run(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """A run over a model in which `pairs` experts of each layer are others of it, drifted.

    It has `layers` layers of `experts`; those of no pair are unrelated. Descent has no direction
    here: found is an expert of a pair that names the other, and no third.
    """
    count, pairs = int(parameters["experts"]), int(parameters["pairs"])
    layers: dict[int, LayerArrays] = {}
    others: dict[tuple[int, int], int] = {}
    for layer in range(int(parameters["layers"])):
        source = draw_source(int(parameters["neurons"]), rng)
        layers[layer] = arrays = source.draw(count, rng)
        parents, children = np.split(rng.permutation(count)[: 2 * pairs], 2)
        if pairs:
            noise = source.down.draw(pairs, rng)
            arrays.down[children] = drifted(arrays.down[parents], noise, float(parameters["sigma"]))
        for one, other in zip(parents.tolist(), children.tolist(), strict=True):
            others |= {(layer, one): other, (layer, other): one}
    model = ModelInMemory(layers, Dtype.F8_E4M3)
    request = replace(REQUEST, same_model=True)
    found = match_experts(model, model, request, lambda what, done, total: None).experts
    named = {(one.layer, one.expert): {parent.expert for parent in one.parents} for one in found}
    alone = [one for one in found if (one.layer, one.expert) not in others]
    return Outcome(
        counts={
            "related": len(others),
            "found": sum(named[key] == {other} for key, other in others.items()),
            "wrong": sum(not named[key] <= {other} for key, other in others.items()),
            "unrelated": len(alone),
            "given a relative": sum(bool(one.parents) for one in alone),
            "no_evidence": sum(one.verdict is Verdict.NO_EVIDENCE for one in alone),
        }
    )


def kin_null(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """Z and z* of unrelated experts of one layer against each other, in FP8 on both sides."""
    codes = fp8_codes(make_scene(parameters, rng).references)
    z = scores(codes, codes)
    np.fill_diagonal(z, 0.0)
    star = least_of_both(z)
    others = ~np.eye(len(z), dtype=np.bool_)
    found = null_outcome(z=z[others], star=star[others])
    accepted = int((star[others] > needed_z(codes.shape[1])).sum())
    return Outcome(counts=found.counts | {"accepted": accepted}, histograms=found.histograms)
