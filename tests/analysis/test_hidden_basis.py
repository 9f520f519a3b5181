"""Matches after stage 0: a basis that is shared, not shared, rotated, permuted; other layers."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from inspector.analysis.expert_match import MatchResult, match_experts
from inspector.analysis.expert_question import MatchRequest
from inspector.analysis.expert_report import Flag, Verdict
from inspector.analysis.hidden_basis import StageZero
from inspector.analysis.layer_pairing import Origin
from inspector.analysis.report import Cost, Model
from inspector.analysis.similarity_summary import similarity_document
from inspector.checkpoint.experts import CheckpointExperts
from inspector.checkpoint.hidden import HiddenBasis
from inspector.decode.numeric import Array, Float32
from inspector.errors import UsageError
from tests.stats.simulated import draw_layer
from tests.strategies_arrays import float32, memory_checkpoint

HIDDEN, NEURONS, EXPERTS = 128, 64, 8
ORDER = np.random.default_rng(2).permutation(HIDDEN)
Tensors = dict[str, Array]


def drawn(seed: int, layers: int = 3) -> Tensors:
    """A model: an embedding, and of each layer norms, a router and experts with shared directions.

    Norms of its layers are alike, as those of trained models are.
    """
    rng = np.random.default_rng(seed)
    common = rng.lognormal(sigma=0.3, size=HIDDEN)
    tensors: Tensors = {"model.embed_tokens.weight": float32(rng.standard_t(5, (64, HIDDEN)))}
    for layer in range(layers):
        start = f"model.layers.{layer}."
        for name in ("input_layernorm", "post_attention_layernorm"):
            own = rng.lognormal(sigma=0.2, size=HIDDEN)
            tensors[f"{start}{name}.weight"] = float32(common * own)
        tensors[f"{start}mlp.gate.weight"] = float32(rng.standard_normal((EXPERTS, HIDDEN)))
        sources = {name: draw_layer(HIDDEN, NEURONS, rng) for name in ("gate", "up", "down")}
        for expert in range(EXPERTS):
            for name, source in sources.items():
                values = source.draw(1, rng)[0]
                values = values if name == "down" else values.T
                tensors[f"{start}mlp.experts.{expert}.{name}_proj.weight"] = float32(values)
    return tensors


def trained_on(parent: Tensors, seed: int, sigma: float = 0.1) -> Tensors:
    """Everything drifts by a part of its own size."""
    rng = np.random.default_rng(seed)
    return {
        name: float32(values + sigma * values.std() * rng.standard_normal(values.shape))
        for name, values in parent.items()
    }


def turned(model: Tensors, basis: Float32) -> Tensors:
    """The same function in another basis: gains go into what reads them, and all is turned."""
    found: Tensors = {}
    for name, values in model.items():
        if name.endswith("layernorm.weight"):
            found[name] = np.ones(HIDDEN, np.float32)
        elif name.endswith("down_proj.weight"):
            found[name] = float32(basis.T @ values)
        elif "mlp" in name:
            gains = model[f"{name.split('mlp')[0]}post_attention_layernorm.weight"]
            found[name] = float32(values * gains @ basis)
        else:
            found[name] = float32(values @ basis)
    return found


def rotation(seed: int) -> Float32:
    return float32(np.linalg.qr(np.random.default_rng(seed).standard_normal((HIDDEN, HIDDEN)))[0])


def renumbered(model: Tensors, layers: Mapping[int, int]) -> Tensors:
    """Layer `layers[l]` of a model as layer l."""
    kept = {name: values for name, values in model.items() if ".layers." not in name}
    return kept | {
        name.replace(f"layers.{old}.", f"layers.{new}."): values
        for new, old in layers.items()
        for name, values in model.items()
        if f"layers.{old}." in name
    }


def matched(ours: Tensors, theirs: Tensors, typed: str | None = None) -> MatchResult:
    """The answer for two models, after their stage 0."""
    (model, _), (ref, _) = memory_checkpoint(ours), memory_checkpoint(theirs)
    request = MatchRequest(None, None, seed=0, max_bytes=None, router_groups=None)
    found = HiddenBasis(model, ref, typed, same_model=False).read()
    return match_experts(
        CheckpointExperts(model), CheckpointExperts(ref), replace(request, stage_zero=(found,)),
        lambda what, done, total: None,
    )  # fmt: skip


def test_in_another_layer_of_the_model_itself_an_expert_of_the_same_number_is_another() -> None:
    (model, _) = memory_checkpoint(renumbered(parent(), {0: 0, 1: 0}))
    found = HiddenBasis(model, model, "0:1", same_model=True).read()
    request = MatchRequest(
        None, None, seed=0, max_bytes=None, router_groups=None, same_model=True, stage_zero=(found,)
    )
    experts = CheckpointExperts(model)
    matches = match_experts(experts, experts, request, lambda what, done, total: None).experts
    assert [one.parents[0].expert for one in matches] == list(range(EXPERTS))
    assert {one.parents[0].layer for one in matches} == {1}


def stage_zero(ours: Tensors, theirs: Tensors, typed: str | None = None) -> StageZero:
    (model, _), (ref, _) = memory_checkpoint(ours), memory_checkpoint(theirs)
    return HiddenBasis(model, ref, typed, same_model=False).read()


def parents_of(found: MatchResult) -> list[tuple[int, int, list[tuple[int, int]]]]:
    return [
        (one.layer, one.expert, [(parent.layer, parent.expert) for parent in one.parents])
        for one in found.experts
    ]


@cache
def parent() -> Tensors:
    return drawn(0)


def half_new(child: Tensors) -> Tensors:
    """Experts from 4 on are those of another model."""
    other = drawn(7)
    return child | {
        name: other[name] for name in child if any(f"experts.{n}." in name for n in range(4, 8))
    }


def test_a_shared_basis_is_seen_and_excludes_what_it_did() -> None:
    found = matched(half_new(trained_on(parent(), 1)), parent())
    basis = found.stage_zero[0].basis
    assert basis.basis == "shared"
    assert [one.kind for one in basis.evidence] == ["norms", "embedding", "routers"]
    assert all(one.effect > 0.5 for one in basis.evidence)
    assert basis.log10_p is not None
    assert basis.log10_p < -6
    assert found.rotation is None
    verdicts = {(one.layer, one.expert): one.verdict for one in found.experts}
    assert all(verdicts[layer, 0] is not Verdict.NO_EVIDENCE for layer in range(3))
    assert Verdict.NO_EVIDENCE in {verdicts[layer, 5] for layer in range(3)}


def test_apart_nothing_is_excluded() -> None:
    found = matched(drawn(5), parent())
    assert {one.verdict for one in found.experts} == {Verdict.INCONCLUSIVE}
    assert found.rotation is not None
    assert found.rotation.layers == [0, 1, 2]
    document = similarity_document(found, MODEL, [MODEL], COST, [], seed=0)
    assert "no hidden basis in common was seen, so nothing is excluded" in document.summary
    assert document.budget.excluded == []
    assert document.basis is not None
    assert document.basis.basis == "not_seen"


MODEL = Model(location="m", kind="memory", commit=None, files=1)
COST = Cost(requests=0, bytes=0, seconds=0.0)


@pytest.mark.parametrize(
    "basis",
    [
        pytest.param(lambda: rotation(1), id="rotated"),
        pytest.param(lambda: np.eye(HIDDEN, dtype=np.float32)[ORDER], id="permuted"),
    ],
)
def test_a_basis_that_was_turned_is_found_with_its_parents(basis: Callable[[], Float32]) -> None:
    child = half_new(turned(trained_on(parent(), 1), basis()))
    found = matched(child, parent())
    assert found.stage_zero[0].basis.basis == "not_seen"
    for one in found.experts:
        if one.expert < 4:
            assert [(p.layer, p.expert) for p in one.parents] == [(one.layer, one.expert)]
            assert Flag.ROTATED in one.flags
            assert one.verdict is Verdict.DESCENDANT
        else:
            assert one.verdict is Verdict.INCONCLUSIVE


def test_aligned_experts_show_a_basis_that_nothing_else_does() -> None:
    other = drawn(9)
    child = {
        name: other[name] if "experts" not in name else values
        for name, values in trained_on(parent(), 1).items()
    }
    found = matched(child, parent())
    assert found.stage_zero[0].basis.basis == "not_seen"
    assert found.stage_zero[0].basis.experts_aligned
    assert found.rotation is None
    assert all(one.parents for one in found.experts)


def test_routers_propose_a_layout() -> None:
    child = trained_on(parent(), 1)
    order = [3, 1, 0, 2, 7, 5, 4, 6]
    for layer in range(3):
        name = f"model.layers.{layer}.mlp.gate.weight"
        child[name] = np.concatenate([child[name][order]])
    basis = stage_zero(child, parent()).basis
    assert [one.rows for one in basis.layouts] == [EXPERTS] * 3
    assert all(one.layout is None for one in basis.layouts)
    basis = stage_zero(trained_on(parent(), 1), parent()).basis
    assert {one.layout.map for one in basis.layouts if one.layout} == {"e mod 8"}


LAYERS = drawn(3, layers=6)


def test_norms_propose_the_layers_where_their_counts_differ() -> None:
    child = renumbered(trained_on(LAYERS, 1), {0: 2, 1: 3, 2: 4, 3: 5})
    found = matched(child, LAYERS)
    layers = found.stage_zero[0].layer_map
    assert (layers.map, layers.origin) == ("l+2", Origin.NORMS)
    effects = [(pair.effect or 0.0, pair.runner_up or 0.0) for pair in layers.pairs]
    assert all(effect > 0.7 > runner_up for effect, runner_up in effects)
    assert {one[2][0] for one in parents_of(found)} == {
        (layer, expert) for layer in range(2, 6) for expert in range(EXPERTS)
    }
    assert all(Flag.LAYER_OFFSET in one.flags for one in found.experts)


def test_a_norm_that_one_side_lacks_and_gains_to_which_one_is_added() -> None:
    child = turned(trained_on(parent(), 1), rotation(1))
    child |= {name: np.zeros_like(v) for name, v in child.items() if "layernorm" in name}
    child["model.layers.0.extra_norm.weight"] = np.ones(HIDDEN, np.float32)
    (model, _) = memory_checkpoint(child, config={"model_type": "qwen3_next"})
    (ref, _) = memory_checkpoint(parent())
    gains = HiddenBasis(model, ref, None, same_model=False).read().gains
    for layer, (ours, theirs) in gains.items():
        np.testing.assert_array_equal(ours, np.ones(HIDDEN))
        name = f"model.layers.{layer}.post_attention_layernorm.weight"
        np.testing.assert_array_equal(theirs, parent()[name])
    assert list(gains) == [0, 1, 2]


def test_a_map_that_is_given_stands() -> None:
    child = renumbered(trained_on(LAYERS, 1), {0: 2, 1: 3, 2: 4, 3: 5})
    found = stage_zero(child, LAYERS, "0:2,3:5")
    assert found.layer_map.numbers == {0: 2, 3: 5}
    assert found.layer_map.origin == Origin.GIVEN
    assert found.basis.basis == "shared"
    with pytest.raises(UsageError, match="no layer of the model"):
        stage_zero(child, LAYERS, "l+9")


def test_layers_of_the_same_number_are_compared_where_norms_say_nothing() -> None:
    found = stage_zero(renumbered(drawn(5), {0: 0, 1: 1}), parent())
    assert found.layer_map.numbers == {0: 0, 1: 1}
    assert found.layer_map.origin == Origin.SAME_NUMBERS
    assert stage_zero(drawn(5), parent(), "auto").layer_map.origin == Origin.SAME_NUMBERS


def test_layers_of_one_origin_do_not_calibrate_each_other() -> None:
    """Every layer stands twice: a layer and its twin descend from the same one."""
    child = renumbered(trained_on(parent(), 1), {layer: layer // 2 for layer in range(6)})
    found = matched(child, parent(), "l//2")
    assert found.calibration.sd is not None
    assert found.calibration.sd < 1.3
    assert {(layer, parents[0]) for layer, _, parents in parents_of(found)} == {
        (layer, (layer // 2, expert)) for layer in range(6) for expert in range(EXPERTS)
    }
    offset = {one.layer for one in found.experts if Flag.LAYER_OFFSET in one.flags}
    assert offset == {1, 2, 3, 4, 5}
