import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.study import operators
from benchmarks.study.generator import Float32, draw_layer, fp8_codes, fp8_values
from benchmarks.study.relations import CHANGES, make_children
from benchmarks.study.scenes import Scene

EXPERTS, ROWS, NEURONS = 3, 16, 160


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def parents(rng: np.random.Generator) -> Float32:
    return draw_layer(ROWS, NEURONS, rng).draw(EXPERTS, rng)


def outputs(gate: Float32, up: Float32, down: Float32, x: Float32) -> Float32:
    """What a SwiGLU expert computes; matrices are `[H, m]`."""
    hidden = (x @ gate) / (1 + np.exp(-(x @ gate))) * (x @ up)
    return np.asarray(hidden @ down.T, dtype=np.float32)


def test_drift_has_the_size_asked_for_and_leaves_the_cosine_of_it(
    parents: Float32, rng: np.random.Generator
) -> None:
    noise = rng.standard_normal(parents.shape).astype(np.float32)
    child = operators.drifted(parents, noise, 2.0)
    left = child - parents
    for one, other in zip(left, parents, strict=True):
        assert np.std(one) / np.sqrt(np.mean(other**2)) == pytest.approx(2.0, rel=0.02)
    cosine = np.sum(child * parents) / np.linalg.norm(child) / np.linalg.norm(parents)
    assert cosine == pytest.approx(1 / np.sqrt(5), abs=0.03)


def test_neurons_of_an_even_drift_are_equally_long(
    parents: Float32, rng: np.random.Generator
) -> None:
    noise = draw_layer(ROWS, NEURONS, rng).draw(EXPERTS, rng)
    moved = operators.drifted(parents, operators.evened(noise), 0.5) - parents
    lengths = np.linalg.norm(moved, axis=1)
    np.testing.assert_allclose(lengths, np.repeat(lengths[:, :1], NEURONS, axis=1), rtol=1e-3)
    assert np.linalg.norm(moved) / np.linalg.norm(parents) == pytest.approx(0.5, rel=1e-3)


def test_a_mask_takes_exactly_the_fraction_of_every_expert(rng: np.random.Generator) -> None:
    assert operators.neuron_mask(EXPERTS, NEURONS, 0.25, rng).sum(axis=1).tolist() == [40] * EXPERTS


def test_neurons_outside_the_mask_are_the_parents(
    parents: Float32, rng: np.random.Generator
) -> None:
    mask = operators.neuron_mask(EXPERTS, NEURONS, 0.5, rng)
    child = operators.replaced(parents, np.zeros_like(parents), mask)
    kept = np.any(child != 0, axis=1)
    assert np.array_equal(kept, ~mask)
    assert np.array_equal(child[:, 0][~mask], parents[:, 0][~mask])


@pytest.mark.parametrize("change", ["flip", "permute", "shift"])
def test_what_all_three_matrices_share_leaves_the_function_as_it_was(
    change: str, rng: np.random.Generator
) -> None:
    layer = draw_layer(ROWS, NEURONS, rng)
    gate, up, down = (layer.draw(1, rng) for _ in range(3))
    x = rng.standard_normal((5, ROWS)).astype(np.float32)
    before = outputs(gate[0], up[0], down[0], x)
    if change == "flip":
        signs = operators.neuron_signs(1, NEURONS, rng)
        up, down = (operators.sign_flipped(matrix, signs) for matrix in (up, down))
    elif change == "permute":
        orders = operators.neuron_orders(1, NEURONS, rng)
        gate, up, down = (operators.permuted(matrix, orders) for matrix in (gate, up, down))
    else:
        gate, up, down = (operators.shifted(matrix, 7) for matrix in (gate, up, down))
    after = outputs(gate[0], up[0], down[0], x)
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-3 * np.abs(before).max())


def test_orders_are_permutations_and_say_where_a_neuron_came_from(
    parents: Float32, rng: np.random.Generator
) -> None:
    orders = operators.neuron_orders(EXPERTS, NEURONS, rng)
    assert np.array_equal(np.sort(orders, axis=1), np.tile(np.arange(NEURONS), (EXPERTS, 1)))
    child = operators.permuted(parents, orders)
    assert np.array_equal(child[1, :, 3], parents[1, :, orders[1, 3]])


def test_a_chimera_has_its_border_and_an_interpolation_its_weights(parents: Float32) -> None:
    one, other = parents[:1], parents[1:2]
    child = operators.chimera(one, other, 100)
    assert np.array_equal(child[..., :100], one[..., :100])
    assert np.array_equal(child[..., 100:], other[..., 100:])
    mixed = operators.interpolated(one, other, 0.6)
    np.testing.assert_allclose(mixed, 0.6 * one + 0.4 * other, rtol=1e-6)


def test_a_rotation_keeps_products_of_neurons(parents: Float32, rng: np.random.Generator) -> None:
    basis = np.linalg.qr(rng.standard_normal((ROWS, ROWS)))[0].astype(np.float32)
    turned = operators.rotated(parents, basis)
    assert not np.allclose(turned, parents, atol=0.1)
    np.testing.assert_allclose(turned[0].T @ turned[0], parents[0].T @ parents[0], atol=1e-3)


def test_sorted_neurons_fall_in_length(parents: Float32) -> None:
    lengths = np.linalg.norm(operators.sorted_by_norm(parents), axis=1)
    assert np.all(np.diff(lengths, axis=1) <= 1e-6)


def test_codes_fill_their_range_and_values_are_within_half_a_step(parents: Float32) -> None:
    codes, values = fp8_codes(parents), fp8_values(parents)
    assert np.abs(codes[:, :, :128]).max(axis=(1, 2)).tolist() == [448.0] * EXPERTS
    largest = np.abs(parents[:, :, :128]).max(axis=(1, 2), keepdims=True)
    limit = np.maximum(np.abs(parents[:, :, :128]) / 16, largest / 448 / 512)
    assert np.all(np.abs(values - parents)[:, :, :128] <= 1.01 * limit)


def tail_weight(values: npt.NDArray[np.float32]) -> float:
    """Fourth moment over the squared second: 3 for a normal."""
    return float(np.mean(values**4) / np.mean(values**2) ** 2)


def test_simulated_experts_have_heavy_tails_and_directions_in_common(
    rng: np.random.Generator,
) -> None:
    layer = draw_layer(64, 512, rng)
    experts = np.asarray(layer.draw(8, rng) / layer.row_scales[:, None], dtype=np.float32)
    assert tail_weight(experts) > 6
    grams = np.einsum("ekm,elm->ekl", experts, experts).reshape(8, -1)
    assert np.corrcoef(grams).min() > 0.5


@pytest.mark.parametrize("relation", CHANGES)
def test_every_change_gives_children_of_the_parents_shape(
    relation: str, parents: Float32, rng: np.random.Generator
) -> None:
    scene = Scene(parents, lambda count, rng: draw_layer(ROWS, NEURONS, rng).draw(count, rng))
    figures = {"scale": 0.7, "shift": 3, "weight": 0.5, "sigma": 0.1}
    children = make_children(scene, np.arange(EXPERTS), {"relation": relation, **figures}, rng)
    assert children.shape == parents.shape
    assert not np.array_equal(children, parents)


def test_a_proportional_drift_turns_every_neuron_equally_far() -> None:
    rng = np.random.default_rng(12)
    parents = rng.standard_normal((2, 16, 30)).astype(np.float32)
    parents *= np.exp(rng.standard_normal((2, 1, 30))).astype(np.float32)
    noise = rng.standard_normal(parents.shape).astype(np.float32)
    moved = operators.drifted(parents, operators.proportional(noise, parents), 0.5) - parents
    ratio = np.linalg.norm(moved, axis=1) / np.linalg.norm(parents, axis=1)
    np.testing.assert_allclose(ratio, 0.5, rtol=1e-4)


def test_an_undirected_drift_is_as_large_in_each_row_as_the_parent() -> None:
    rng = np.random.default_rng(13)
    parents = rng.standard_normal((2, 16, 4000)).astype(np.float32)
    parents *= np.exp(rng.standard_normal((2, 16, 1))).astype(np.float32)
    noise = rng.standard_normal(parents.shape).astype(np.float32)
    moved = operators.drifted(parents, operators.undirected(noise, parents), 0.5) - parents
    ratio = np.linalg.norm(moved, axis=2) / np.linalg.norm(parents, axis=2)
    np.testing.assert_allclose(ratio, 0.5, rtol=0.05)
