"""Lineage of whole models, on models that were trained on, apart, or permuted."""

import numpy as np
import pytest

from inspector.analysis.compare.aligned import aligned
from inspector.analysis.compare.lineage import Basis, Book, Kin, Lineage, kin_of, kin_rows, lineage
from inspector.checkpoint import Checkpoint
from inspector.decode.numeric import Array
from inspector.stats.shared_basis import Float64
from tests.strategies_arrays import memory_checkpoint

HIDDEN = 128


def model(seed: int, *, vocabulary: int = 64, experts: int = 8) -> dict[str, Array]:
    """Norms, an embedding and routers of two layers."""
    rng = np.random.default_rng(seed)

    def heavy(*shape: int) -> Array:
        return rng.standard_t(3, size=shape).astype(np.float32)

    tensors = {"model.embed_tokens.weight": heavy(vocabulary, HIDDEN)}
    for layer in range(2):
        start = f"model.layers.{layer}."
        tensors[f"{start}input_layernorm.weight"] = 1 + heavy(HIDDEN) / 8
        tensors[f"{start}post_attention_layernorm.weight"] = 1 + heavy(HIDDEN) / 8
        tensors[f"{start}mlp.gate.weight"] = heavy(experts, HIDDEN)
        tensors[f"{start}self_attn.q_norm.weight"] = heavy(16)
    return tensors


def trained_on(tensors: dict[str, Array], seed: int, drift: float = 0.3) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {
        name: values + drift * values.std() * rng.standard_normal(values.shape).astype(np.float32)
        for name, values in tensors.items()
    }


def found_in(ours: dict[str, Array], theirs: dict[str, Array]) -> Lineage:
    (left, _), (right, _) = memory_checkpoint(ours), memory_checkpoint(theirs)

    def read(kin: Kin) -> tuple[Float64, Float64]:
        sides = ((left, kin.model), (right, kin.ref))
        one, other = (
            checkpoint.reader.read_values(weight, *kin_rows(kin, weight)).astype(np.float64)
            for checkpoint, weight in sides
        )
        return one, other

    return lineage(kin_of((book(left), book(right))), read)


def book(checkpoint: Checkpoint) -> Book:
    return checkpoint.weights, aligned(checkpoint.weights)


def test_a_model_that_was_trained_on_shares_the_basis() -> None:
    parent = model(0)
    found = found_in(trained_on(parent, 1), parent)
    assert found.basis == Basis.SHARED
    assert [one.kind for one in found.evidence] == ["norms", "embedding", "routers"]
    assert all(one.log10_p < -6 for one in found.evidence)
    assert "does not show that experts descend" in found.says


@pytest.mark.parametrize("seed", range(20))
def test_models_trained_apart_do_not(seed: int) -> None:
    found = found_in(model(2 * seed), model(2 * seed + 1))
    assert found.basis == Basis.NOT_SEEN
    assert "no proof of independence" in found.says


def test_a_permuted_basis_is_not_seen() -> None:
    order = np.random.default_rng(0).permutation(HIDDEN)
    parent = model(0)
    permuted = {n: v[..., order] if v.shape[-1] == HIDDEN else v for n, v in parent.items()}
    assert found_in(permuted, parent).basis == Basis.NOT_SEEN


def test_a_longer_vocabulary_and_more_experts_are_no_hindrance() -> None:
    parent = model(0)
    child = trained_on(parent, 1)
    child["model.embed_tokens.weight"] = np.concatenate([child["model.embed_tokens.weight"]] * 2)
    for layer in range(2):
        name = f"model.layers.{layer}.mlp.gate.weight"
        child[name] = np.concatenate([child[name]] * 4)
    found = found_in(child, parent)
    assert [one.effect for one in found.evidence if one.kind == "routers"] == [1.0]
    assert all(one.log10_p < -6 for one in found.evidence)


def test_models_of_other_hidden_sizes_are_not_tested() -> None:
    narrow = {name: np.ascontiguousarray(v[..., :64]) for name, v in model(0).items()}
    found = found_in(narrow, model(0))
    assert (found.basis, found.evidence) == (Basis.UNTESTED, [])
