"""One expert of each relation, at a small size: what is said of it, in three layers."""

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from inspector.analysis.expert_match import MatchResult
from inspector.analysis.expert_report import ExpertMatch, Flag, Verdict
from tests.analysis.memory import MemoryExperts, match, simulated_layers
from tests.stats.simulated import Layer, drifted, reinitialised
from tests.strategies_arrays import float32

Float32 = npt.NDArray[np.float32]

NEURONS, REFERENCES, LAYERS = 256, 24, 3
RELATIONS = (
    "copy", "near copy", "drift", "partial", "flipped", "shifted", "permuted", "interpolation",
    "chimera", "scaled", "zero down", "new down", "stranger",
)  # fmt: skip
"""Expert e is of relation e, its parent reference e, a second one reference e + 1."""


def expert(relation: str, parents: Float32, layer: Layer, rng: np.random.Generator) -> Float32:
    """A `[H, m]` child of the first of two `[2, H, m]` parents."""
    own = parents[:1]
    if relation == "copy":
        made = own
    elif relation == "near copy":
        made = drifted(own, layer, 0.03, rng)
    elif relation == "drift":
        made = drifted(own, layer, 1.0, rng)
    elif relation == "partial":
        made = drifted(reinitialised(own, layer, 0.5, rng), layer, 0.3, rng)
    elif relation == "flipped":
        made = drifted(own, layer, 0.5, rng) * rng.choice([-1.0, 1.0], (1, 1, NEURONS))
    elif relation == "shifted":
        made = np.roll(drifted(own, layer, 0.5, rng), 40, axis=2)
    elif relation == "permuted":
        made = drifted(own, layer, 0.5, rng)[:, :, rng.permutation(NEURONS)]
    elif relation == "interpolation":
        made = drifted(0.6 * own + 0.4 * parents[1:], layer, 0.2, rng)
    elif relation == "chimera":
        chosen = np.arange(NEURONS) < NEURONS // 2
        made = drifted(np.where(chosen, own, parents[1:]), layer, 0.2, rng)
    elif relation == "scaled":
        made = 0.7 * drifted(own, layer, 0.2, rng)
    elif relation == "zero down":
        made = 0 * own
    else:
        made = layer.draw(1, rng)
    return float32(made[0])


@cache
def found() -> MatchResult:
    simulated, rng = simulated_layers(LAYERS, 5, neurons=NEURONS)
    theirs, ours, gates, our_gates = {}, {}, {}, {}
    for number, layer in simulated.items():
        theirs[number] = layer.draw(REFERENCES, rng)
        ours[number] = np.stack(
            [
                expert(relation, theirs[number][e : e + 2], layer, rng)
                for e, relation in enumerate(RELATIONS)
            ]
        )
        gates[number] = float32(rng.standard_normal((REFERENCES, NEURONS, 128)))
        drift = 0.5 * rng.standard_normal((len(RELATIONS), NEURONS, 128))
        our_gates[number] = float32(gates[number][: len(RELATIONS)] + drift)
        our_gates[number][RELATIONS.index("stranger")] = rng.standard_normal((NEURONS, 128))
    return match(
        MemoryExperts(ours, gates=our_gates), MemoryExperts(theirs, gates=gates), max_bytes=10**9
    )


def of_relation(relation: str) -> list[ExpertMatch]:
    return [one for one in found().experts if RELATIONS[one.expert] == relation]


@pytest.mark.parametrize(
    ("relation", "verdict", "flags"),
    [
        ("copy", Verdict.EXACT_COPY, []),
        ("near copy", Verdict.NEAR_COPY, []),
        ("drift", Verdict.DESCENDANT, []),
        ("partial", Verdict.PARTIAL_DESCENDANT, []),
        ("flipped", Verdict.DESCENDANT, [Flag.SIGN_FLIPPED]),
        ("shifted", Verdict.DESCENDANT, [Flag.SHIFTED]),
        ("permuted", Verdict.DESCENDANT, [Flag.PERMUTED]),
        ("interpolation", Verdict.MIXTURE, []),
        ("chimera", Verdict.CHIMERA, []),
        ("scaled", Verdict.DESCENDANT, [Flag.SCALED]),
        ("zero down", Verdict.DESCENDANT, [Flag.DOWN_REINITIALISED]),
        ("new down", Verdict.DESCENDANT, [Flag.DOWN_REINITIALISED]),
    ],
)
def test_each_relation_has_its_verdict_flags_and_parent(
    relation: str, verdict: Verdict, flags: list[Flag]
) -> None:
    for one in of_relation(relation):
        assert (one.verdict, one.flags) == (verdict, flags)
        parents = [parent.expert for parent in one.parents]
        both = verdict in (Verdict.MIXTURE, Verdict.CHIMERA)
        assert sorted(parents) == [one.expert, one.expert + 1][: 1 + both]


def test_a_stranger_has_no_parent() -> None:
    for one in of_relation("stranger"):
        assert one.verdict in (Verdict.NO_EVIDENCE, Verdict.INCONCLUSIVE)
        assert one.parents == []


@pytest.mark.parametrize(
    ("relation", "retained", "sigma"),
    [("copy", 1, 0.01), ("near copy", 1, 0.03), ("drift", 1, 1), ("partial", 0.5, 0.3),
     ("shifted", 1, 0.5), ("permuted", 1, 0.5), ("scaled", 1, 0.2)],
)  # fmt: skip
def test_what_is_left_of_the_parent_is_estimated(
    relation: str, retained: float, sigma: float
) -> None:
    for one in of_relation(relation):
        assert one.retained
        assert one.sigma
        assert one.retained.estimate == pytest.approx(retained, abs=0.12)
        assert one.retained.low - 0.02 <= retained <= one.retained.high + 0.02
        assert one.sigma.estimate == pytest.approx(sigma, rel=0.25)


def test_the_factor_of_a_scaled_expert_is_estimated() -> None:
    for one in of_relation("scaled"):
        assert one.scale
        assert one.scale.estimate == pytest.approx(0.7, rel=0.02)
    for one in of_relation("drift"):
        assert one.scale is None or one.scale.low <= 1.1


@pytest.mark.parametrize(("relation", "share"), [("interpolation", 0.6), ("chimera", 0.5)])
def test_the_share_of_each_of_two_parents_is_estimated(relation: str, share: float) -> None:
    for one in of_relation(relation):
        shares = {parent.expert: parent.share for parent in one.parents}
        assert shares[one.expert] == pytest.approx(share, abs=0.04)
        assert sum(part for part in shares.values() if part) == pytest.approx(1)


def test_no_flag_is_raised_without_a_parent() -> None:
    assert not any(one.flags for one in found().experts if not one.parents)
