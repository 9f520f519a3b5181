from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest

from inspector.stats.neuron_map import FALSE_SHARE, assign_neurons, kept_from, map_neurons
from tests.stats.simulated import draw_layer, drifted

Float64 = npt.NDArray[np.float64]


def test_an_assignment_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 3, 6)).astype(np.float32)
    ours, theirs, cosines = assign_neurons([one], [other])

    def directions(side: npt.NDArray[np.float32]) -> Float64:
        centred = side - side.mean(axis=1, keepdims=True)
        return np.asarray(centred / np.linalg.norm(centred, axis=0), dtype=np.float64)

    total = directions(one).T @ directions(other)
    best = max(sum(total[i, j] for i, j in enumerate(order)) for order in permutations(range(6)))
    assert cosines.sum() == pytest.approx(best, rel=1e-5)
    assert ours.tolist() == list(range(6))
    assert sorted(theirs.tolist()) == list(range(6))


@pytest.mark.parametrize(("fraction", "sigma"), [(0, 0.3), (0, 1), (0, 2), (0.5, 0.3), (0.9, 0.3)])
def test_kept_neurons_are_mapped_right_and_new_ones_are_not_kept(
    fraction: float, sigma: float
) -> None:
    """Three matrices of 256 rows. None is mapped wrong; of the new ones at most 1 % is kept, those
    that copy a prototype of the layer as some neuron of the parent does."""
    rng = np.random.default_rng([1, int(10 * sigma), int(10 * fraction)])
    layers = [draw_layer(256, 384, rng) for _ in range(3)]
    experts = [layer.draw(4, rng) for layer in layers]
    fresh = rng.random((1, 1, 384)) < fraction
    order = rng.permutation(384)
    child = [
        drifted(np.where(fresh, layer.draw(1, rng), one[:1]), layer, sigma, rng)[0][:, order]
        for layer, one in zip(layers, experts, strict=True)
    ]
    references = [[one[e] for one in experts] for e in range(4)]
    found = map_neurons(child, references[0], references[1:])
    kept = found.places >= 0
    new = fresh[0, 0][order]
    assert np.array_equal(found.places[kept & ~new], order[kept & ~new])
    assert np.mean(kept[~new]) > (0.99 if sigma < 2 else 0.7)
    assert np.sum(kept & new) <= 0.01 * new.sum()
    assert found.retained.low <= found.retained.estimate <= found.retained.high
    if sigma < 1:
        assert found.slope == pytest.approx(1, abs=0.05)
        assert found.residual == pytest.approx(sigma, rel=0.25)


def test_of_strangers_nothing_is_kept() -> None:
    rng = np.random.default_rng(2)
    experts = draw_layer(128, 256, rng).draw(5, rng)
    found = map_neurons([experts[0]], [experts[1]], [[one] for one in experts[2:]])
    assert found.retained.estimate < 0.02


def test_the_limit_is_where_chance_pairs_are_few_enough() -> None:
    rng = np.random.default_rng(3)
    chance = rng.normal(0.2, 0.05, 3000)
    cosines = np.concatenate([rng.normal(0.2, 0.05, 500), rng.normal(0.7, 0.05, 500)])
    limit = kept_from(cosines, chance)
    share = min(1.0, 2 * float(np.mean(cosines < np.median(chance))))

    def expected_false(at: float) -> float:
        return float(share * len(cosines) * np.mean(chance >= at) / np.sum(cosines >= at))

    allowed = [value for value in cosines.tolist() if expected_false(value) <= FALSE_SHARE]
    assert limit == min(allowed)
    assert kept_from(chance[:50], chance) > 0.2
