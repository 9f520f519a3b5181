from collections.abc import Sequence
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest

from inspector.stats.neuron_map import (
    FALSE_SHARE,
    Expert,
    NeuronMap,
    assign_neurons,
    cosine_tables,
    fit_factor,
    kept_from,
    map_neurons,
)
from tests.stats.simulated import draw_layer, drifted

Float64 = npt.NDArray[np.float64]


def mapped(
    target: Expert, reference: Expert, controls: Sequence[Expert], odd: Sequence[int]
) -> NeuronMap:
    """The map of two experts, from their matrices."""
    tables = [cosine_tables(target, one) for one in (reference, *controls)]
    return map_neurons(tables[0], tables[1:], odd=odd)


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
    found = mapped(child, references[0], references[1:], [])
    kept = found.places >= 0
    new = fresh[0, 0][order]
    assert np.array_equal(found.places[kept & ~new], order[kept & ~new])
    assert np.mean(kept[~new]) > (0.99 if sigma < 2 else 0.6)
    assert np.sum(kept & new) <= 0.01 * new.sum()
    assert found.retained.low <= found.retained.estimate <= found.retained.high
    if sigma < 1:
        fit = fit_factor(child, references[0], found, [])
        assert fit.slope.estimate == pytest.approx(1, abs=0.03)
        assert fit.residual == pytest.approx(sigma, rel=0.25)


def test_negated_neurons_have_their_place_and_their_sign() -> None:
    """A neuron whose row of up and column of down are negated computes the same."""
    rng = np.random.default_rng(4)
    experts = [draw_layer(192, 128, rng).draw(3, rng) for _ in range(3)]
    signs = rng.choice(np.array([-1, 1], dtype=np.float32), 128)
    order = rng.permutation(128)
    child = [
        (one[0] * (signs if odd else 1))[:, order]
        for one, odd in zip(experts, (1, 0, 1), strict=True)
    ]
    references = [[one[e] for one in experts] for e in range(3)]
    found = mapped(child, references[0], references[1:], [0, 2])
    assert found.places.tolist() == order.tolist()
    assert found.is_negated.tolist() == (signs[order] < 0).tolist()
    fit = fit_factor(child, references[0], found, [0, 2])
    assert fit.slope.estimate == pytest.approx(1)
    assert fit.residual < 1e-3
    alone = mapped(child[:1], references[0][:1], [one[:1] for one in references[1:]], [0])
    assert alone.places.tolist() == order.tolist()


def test_the_factor_is_that_of_each_matrix() -> None:
    rng = np.random.default_rng(5)
    experts = [draw_layer(192, 128, rng).draw(3, rng) for _ in range(2)]
    child = [experts[0][0] * 0.5, experts[1][0] * 2]
    references = [[one[e] for one in experts] for e in range(3)]
    found = mapped(child, references[0], references[1:], [])
    factors = [fit_factor([child[i]], [references[0][i]], found, []).slope for i in (0, 1)]
    assert [one.estimate for one in factors] == pytest.approx([0.5, 2])
    assert all(one.low <= one.estimate <= one.high for one in factors)


def test_of_strangers_nothing_is_kept() -> None:
    rng = np.random.default_rng(2)
    experts = draw_layer(128, 256, rng).draw(5, rng)
    found = mapped([experts[0]], [experts[1]], [[one] for one in experts[2:]], [])
    assert found.retained.estimate < 0.02
    none = NeuronMap(np.full(256, -1), np.zeros(256, dtype=np.bool_), found.retained, 1.0)
    assert np.isnan(fit_factor([experts[0]], [experts[1]], none, []).residual)


def test_the_limit_is_where_chance_pairs_are_few_enough() -> None:
    rng = np.random.default_rng(3)
    chance = rng.normal(0.2, 0.05, 3000)
    cosines = np.concatenate([rng.normal(0.2, 0.05, 500), rng.normal(0.7, 0.05, 500)])
    limit = kept_from(cosines, chance)
    assert np.sum(cosines[:500] >= limit) <= FALSE_SHARE * np.sum(cosines >= limit)
    assert np.mean(cosines[500:] >= limit) > 0.99
    assert kept_from(chance[:50], chance) > 0.2


def test_beyond_the_largest_chance_cosine_the_tail_goes_on() -> None:
    """1,536 chance pairs show one in 1,000 at best; what is kept may have far fewer false ones."""
    rng = np.random.default_rng(6)
    chance = np.tanh(rng.exponential(0.02, 1536))
    strangers = np.tanh(rng.exponential(0.02, 1382))
    cosines = np.concatenate([strangers, np.linspace(0.1, 0.9, 154)])
    expected = np.tanh(0.02 * np.log(1536 / (FALSE_SHARE * 154)))
    assert kept_from(cosines, chance) == pytest.approx(expected, rel=0.15)
    assert kept_from(cosines, chance) > chance.max()


def test_chance_that_comes_near_to_one_hides_no_copy() -> None:
    """Outlier neurons of real weights: some chance cosines are .7, those of copies above .98."""
    rng = np.random.default_rng(7)
    chance = np.concatenate([rng.normal(0.2, 0.05, 240), np.linspace(0.4, 0.75, 16)])
    cosines = np.concatenate([rng.normal(0.2, 0.05, 128), rng.uniform(0.98, 0.999, 128)])
    assert 0.75 < kept_from(cosines, chance) <= 0.99
