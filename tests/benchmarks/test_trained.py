import numpy as np
import pytest

pytest.importorskip("torch", reason="the models of the study are trained with torch")

from benchmarks.study.trained import EXPERTS, LAYERS, Family, train_family


@pytest.fixture(scope="module")
def family() -> Family:
    """One step for the parent, none for its children."""
    return train_family(3, 1)


def test_children_begin_as_copies_of_the_parent(family: Family) -> None:
    for layer in range(LAYERS):
        for expert in (0, EXPERTS, 4 * EXPERTS - 1):
            child = family.children["upcycled"][layer, expert]
            assert np.array_equal(child, family.parent[layer, expert % EXPERTS])


def test_half_of_the_neurons_of_dropped_children_are_new(family: Family) -> None:
    parents = np.tile(family.parent, (1, 4, 1, 1))
    kept = np.all(family.children["dropped"] == parents, axis=2)
    assert kept.mean(axis=2).tolist() == np.full((LAYERS, 4 * EXPERTS), 0.5).tolist()


def test_unrelated_models_share_no_expert_with_the_parent(family: Family) -> None:
    for model in family.unrelated.values():
        assert not np.any(np.all(model == family.parent, axis=(2, 3)))
