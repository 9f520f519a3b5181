import numpy as np
import pytest

from benchmarks.study.generator import draw_layer, fp8_values
from inspector.stats.matching import prepare_references, prepare_targets, z_scores
from inspector.stats.rotation import anchored
from tests.strategies_arrays import float32

HIDDEN, NEURONS, EXPERTS = 128, 64, 20


def test_siblings_in_another_basis_have_standard_scores_and_children_do_not() -> None:
    rng = np.random.default_rng(0)
    layers = [draw_layer(HIDDEN, NEURONS, rng) for _ in range(2)]
    gates = [layer.draw(2 * EXPERTS, rng).transpose(0, 2, 1) for layer in layers]
    turn = float32(np.linalg.qr(rng.standard_normal((HIDDEN, HIDDEN)))[0])
    gate, up = (fp8_values(side @ turn) for side in gates)
    preparation, references = prepare_references(anchored(*(side[:EXPERTS] for side in gates)))
    z = z_scores(prepare_targets(anchored(gate, up), preparation), references)
    own, siblings = np.diagonal(z[:EXPERTS]), z[EXPERTS:]
    assert own.min() > 12
    assert siblings.std() == pytest.approx(1, abs=0.12)
    assert siblings.mean() == pytest.approx(0, abs=0.15)
    assert siblings.max() < 4.5


def test_a_neuron_of_zeros_has_no_direction() -> None:
    gate, up = np.random.default_rng(1).standard_normal((2, 1, 32, 16)).astype(np.float32)
    gate[0, 0] = up[0, -1] = 0
    found = anchored(gate, up)
    assert found.shape == (1, 32, 24)
    assert np.isfinite(found).all()
    assert not found[0, 0].any()
    assert not found[0, 16:, -1].any()
