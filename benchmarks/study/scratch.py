"""Experts that descend from nothing, through all looks to their verdict."""

from collections import Counter

import numpy as np

from benchmarks.study.generator import Float32, fp8_codes
from benchmarks.study.outcome import Outcome
from benchmarks.study.scenes import make_scene
from benchmarks.study.signed import FAMILY
from benchmarks.study.tasks import Parameters
from inspector.analysis.expert_looks import Sampler, look_at_layer
from inspector.analysis.expert_match import LOOK_ALPHA, LOOK_ROWS
from inspector.analysis.expert_report import Verdict
from inspector.analysis.expert_verdicts import ExpertState, Key, decide, expert_match
from tests.analysis.memory import MemoryExperts


def scratch_verdicts(parameters: Parameters, rng: np.random.Generator) -> Outcome:
    """One layer of `targets` siblings of the references, in a family as large as a full run's."""
    scene = make_scene(parameters, rng)
    targets = fp8_codes(scene.fresh(int(parameters["targets"]), rng))
    verdicts = Counter(layer_verdicts(targets, scene.references))
    counts = {str(verdict): verdicts[verdict] for verdict in Verdict}
    return Outcome(counts=counts | {"experts": len(targets)})


def layer_verdicts(targets: Float32, references: Float32) -> list[Verdict]:
    """Verdicts of one layer after as many looks as each expert needs, calibration taken as met."""
    sampler = Sampler(
        MemoryExperts({0: targets}),
        MemoryExperts({0: references}),
        layers=(0,),
        rows=range(targets.shape[1]),
    )
    states: dict[Key, ExpertState] = {}
    wanted = np.arange(len(targets))
    for rows, alpha in zip(LOOK_ROWS, LOOK_ALPHA, strict=True):
        if not len(wanted):
            break
        look, _ = look_at_layer(sampler, 0, wanted, sampler.targets(0, wanted, rows))
        decide([look], states, inflation=1.0, alpha=alpha, hypotheses=FAMILY)
        wanted = np.array([e for e in wanted.tolist() if not states[0, e].accepted], dtype=np.int64)
    return [
        expert_match(
            key, state, calibrated=True, hypotheses=FAMILY, references=len(references)
        ).verdict
        for key, state in sorted(states.items())
    ]
