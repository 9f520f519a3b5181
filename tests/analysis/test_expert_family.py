"""Several references, the model itself, and few references: what is said of whom."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from inspector.analysis.expert_family import CombinedSide, numbered
from inspector.analysis.expert_match import MatchResult, match_experts
from inspector.analysis.expert_question import MatchRequest
from inspector.analysis.expert_report import Flag, Verdict
from inspector.analysis.report import Cost, Model
from inspector.analysis.similarity_summary import similarity_document
from inspector.errors import LayoutError
from inspector.layout.families import Projection
from inspector.stats.calibration import Calibrated
from tests.analysis.memory import MemoryExperts, match, simulated_layers
from tests.stats.simulated import Layer, drifted, reinitialised

Float32 = npt.NDArray[np.float32]

BASES, STRANGERS = 10, 6
REQUEST = MatchRequest(layers=None, experts=None, seed=0, max_bytes=None, router_groups=None)


@pytest.fixture(scope="module")
def several() -> MatchResult:
    """Two references, the second made of the first at drift 1; and experts of both, and of none.

    Experts 0..9 descend from the second at drift .3, 10..15 from the first, which has 16 experts.
    """
    simulated, rng = simulated_layers(2, 21, neurons=256)
    first, second, ours = {}, {}, {}
    for number, layer in simulated.items():
        first[number] = layer.draw(16, rng)
        second[number] = drifted(first[number][:BASES], layer, 1.0, rng)
        parents = np.concatenate([second[number], first[number][10:16]])
        children = drifted(parents, layer, 0.3, rng)
        ours[number] = np.concatenate([children, layer.draw(STRANGERS, rng)])
    side = combined([MemoryExperts(first), MemoryExperts(second)], ["old", "new"])
    request = replace(REQUEST, numbering=side.numbering)
    return match_experts(MemoryExperts(ours), side, request, lambda what, done, total: None)


def test_parents_are_told_by_model_and_their_number_there(several: MatchResult) -> None:
    assert several.experts
    for one in several.experts:
        found = [(parent.ref, parent.expert) for parent in one.parents]
        if one.expert < BASES:
            assert found == [("new", one.expert)]
        elif one.expert < 16:
            assert found == [("old", one.expert)]
        else:
            assert found == []


def test_the_family_is_of_all_references_of_all_models(several: MatchResult) -> None:
    assert several.hypotheses == 2 * (16 + STRANGERS) * (16 + BASES)


def test_the_nearer_model_has_the_smaller_drift(several: MatchResult) -> None:
    children = [one for one in several.experts if one.expert < BASES]
    for one in children:
        assert one.nearest
        drifts = {near.ref: near.sigma.estimate for near in one.nearest}
        assert drifts["new"] < drifts["old"]
        assert {near.expert for near in one.nearest} == {one.expert}
    documented = similarity_document(
        several, model("m"), [model("r/old"), model("r/new")], COST, [], seed=0, numbering=NAMES
    )
    assert documented.refs
    old, new = documented.refs
    assert (old.experts, new.experts) == (2 * 6, 2 * BASES)
    assert old.median_sigma
    assert new.median_sigma
    assert old.resemble == 2 * 16
    assert "32 of 44 experts descend from one of 2 references" in documented.summary
    assert f"20 from new (median sigma {new.median_sigma:.2f})" in documented.summary


def test_a_layout_is_of_the_model_that_most_descend_from(several: MatchResult) -> None:
    for layer in several.layers:
        assert layer.layout
        assert (layer.layout.map, layer.layout.hits) == ("first 10 in place", BASES)
        assert layer.layout.tied == ["e mod 10"]
        assert layer.layout_ref == "new"


COST = Cost(requests=0, bytes=0, seconds=0.0)
NAMES = numbered(
    [MemoryExperts({0: np.ones((n, 4, 4), np.float32)}) for n in (16, 10)], ["old", "new"]
)


def combined(sides: Sequence[MemoryExperts], names: Sequence[str]) -> CombinedSide:
    return CombinedSide(sides, numbered(sides, names))


def model(name: str) -> Model:
    return Model(location=name, kind="directory", commit=None, files=1)


def test_a_combined_side_reads_what_each_would() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((n, 8, 6)).astype(np.float32) for n in (3, 2)]
    sides = [MemoryExperts({0: one}) for one in arrays]
    side = combined(sides, ["a", "b"])
    assert side.experts(0) == (0, 1, 2, 3, 4)
    asked = 0, [4, 0, 3, 2], Projection.DOWN, [1, 5]
    expected = np.concatenate(arrays)[[4, 0, 3, 2]][:, [1, 5]]
    np.testing.assert_array_equal(side.read(*asked), expected)
    assert side.read_cost(*asked) == sum(one.bytes_read for one in sides)
    assert side.read_requests(*asked) == 4


def test_references_of_different_sizes_are_refused() -> None:
    sides = [MemoryExperts({0: np.ones((2, 8, m), np.float32)}) for m in (6, 12)]
    with pytest.raises(LayoutError, match=r"layer 0: down_proj is \[8, 6\] in a and \[8, 12\] in"):
        combined(sides, ["a", "b"]).shape(0, Projection.DOWN)


def own(count: int, seed: int, twins: Mapping[int, tuple[int, float]]) -> MatchResult:
    """A model of two layers against itself; `twins` are made of another expert, at some drift."""
    simulated, rng = simulated_layers(2, seed, neurons=256)
    down = {number: layer.draw(count, rng) for number, layer in simulated.items()}
    for number, layer in simulated.items():
        for expert, (other, sigma) in twins.items():
            down[number][expert] = drifted(down[number][other : other + 1], layer, sigma, rng)[0]
    side = MemoryExperts(down)
    return match(side, side, same_model=True)


@pytest.mark.parametrize("count", [6, 24])
def test_experts_of_one_model_that_resemble_each_other_are_named_both_ways(count: int) -> None:
    found = own(count, 31, {5: (1, 0.5), 4: (2, 0.05)})
    pairs = {1: [5], 5: [1], 2: [4], 4: [2]}
    for one in found.experts:
        assert [parent.expert for parent in one.parents] == pairs.get(one.expert, [])
    assert found.hypotheses == 2 * count * (count - 1)
    assert [layer.layout for layer in found.layers] == [None, None]
    assert all((Flag.FEW_REFERENCES in one.flags) == (count == 6) for one in found.experts)


def test_three_of_a_kind_name_each_other() -> None:
    found = own(24, 32, {7: (1, 0.3), 9: (1, 0.3)})
    for one in found.experts:
        near = {parent.expert for parent in one.parents}
        if one.expert == 1:
            assert near <= {7, 9}
            assert near
        elif one.expert in {7, 9}:
            assert 1 in near
        else:
            assert not near


def related(
    references: int, neurons: int, layers: int, *, each: int = 6
) -> tuple[MatchResult, list[tuple[str, int]]]:
    """Targets in thirds: at drift .7 from reference e mod R, half re-initialised, strangers."""
    simulated, rng = simulated_layers(layers, 41, neurons=neurons)
    theirs, ours = {}, {}
    for number, layer in simulated.items():
        theirs[number] = layer.draw(references, rng)
        parents = theirs[number][np.arange(each) % references]
        ours[number] = np.concatenate([
            drifted(parents, layer, 0.7, rng),
            halved(parents, layer, rng),
            layer.draw(each, rng),
        ])  # fmt: skip
    kinds = [(kind, i % references) for kind in ("drift", "half", "none") for i in range(each)]
    return match(MemoryExperts(ours), MemoryExperts(theirs)), kinds


def halved(parents: Float32, layer: Layer, rng: np.random.Generator) -> Float32:
    return drifted(reinitialised(parents, layer, 0.5, rng), layer, 0.1, rng)


@pytest.mark.parametrize("neurons", [96, 128])
@pytest.mark.parametrize("references", [1, 2, 8, 16])
def test_few_references_and_few_neurons_name_the_parent_and_no_other(
    references: int, neurons: int
) -> None:
    found, kinds = related(references, neurons, layers=2)
    assert found.calibration.status is Calibrated.INSUFFICIENT
    pool = (references - 1) + references  # the others of the layer, and those of the other layer
    for one in found.experts:
        kind, parent = kinds[one.expert]
        assert (Flag.FEW_REFERENCES in one.flags) == (pool < 16)
        if kind == "none":
            assert one.parents == []
            assert one.verdict in {Verdict.NO_EVIDENCE, Verdict.INCONCLUSIVE}
        elif kind == "drift":
            assert [p.expert for p in one.parents] == [parent]
            assert one.verdict is Verdict.DESCENDANT
        else:
            assert [p.expert for p in one.parents] == [parent]
            assert one.verdict in {Verdict.PARTIAL_DESCENDANT, Verdict.DESCENDANT}


def test_references_of_other_layers_fill_a_small_pool() -> None:
    """One reference a layer, seventeen layers: 16 others make a contrast."""
    found, kinds = related(1, 64, layers=17, each=3)
    assert not any(Flag.FEW_REFERENCES in one.flags for one in found.experts)
    assert found.calibration.tests > 2_000
    assert found.calibration.status is Calibrated.OK
    for one in found.experts:
        assert bool(one.parents) == (kinds[one.expert][0] != "none")
