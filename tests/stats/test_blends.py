import numpy as np
import pytest

from inspector.stats.blends import Blend, fit_blend
from tests.stats.simulated import draw_layer, drifted, quantized


@pytest.mark.parametrize("share", [0.5, 0.6, 0.8])
@pytest.mark.parametrize("sigma", [0.1, 0.3])
@pytest.mark.parametrize("order", ["blocks", "scattered"])
def test_both_blends_are_told_apart_with_their_shares(
    share: float, sigma: float, order: str
) -> None:
    """Weights to .02 at 8 rows, as the study asks."""
    rng = np.random.default_rng([int(10 * share), int(10 * sigma), len(order)])
    layer = draw_layer(8, 1536, rng)
    one, other = layer.draw(2, rng)
    mixed = drifted((share * one + (1 - share) * other)[None], layer, sigma, rng)
    place = np.arange(1536) if order == "blocks" else rng.permutation(1536)
    chosen = drifted(np.where(place < share * 1536, one, other)[None], layer, sigma, rng)
    for made, blend in ((mixed, Blend.INTERPOLATION), (chosen, Blend.CHIMERA)):
        found = fit_blend(quantized(made)[0], one, other)
        assert found.blend is blend
        assert found.share.estimate == pytest.approx(share, abs=0.02)
        assert found.share.low - 0.01 <= share <= found.share.high + 0.01
        assert found.gain > 100


def test_a_factor_for_each_block_of_neurons_changes_nothing() -> None:
    """So FP8 codes serve: each block of 128 columns has a scale of its own."""
    rng = np.random.default_rng(0)
    layer = draw_layer(8, 512, rng)
    one, other = layer.draw(2, rng)
    mixed = drifted((0.7 * one + 0.3 * other)[None], layer, 0.2, rng)[0]
    scales = np.repeat(2.0 ** rng.integers(-6, 6, 4), 128).astype(np.float32)
    plain, scaled = fit_blend(mixed, one, other), fit_blend(mixed * scales, one, other)
    assert scaled.share.estimate == pytest.approx(plain.share.estimate, abs=1e-3)


def test_a_partial_block_and_zero_neurons_are_taken() -> None:
    rng = np.random.default_rng(1)
    layer = draw_layer(8, 200, rng)
    one, other = layer.draw(2, rng)
    made = (0.6 * one + 0.4 * other).copy()
    made[:, 7] = 0
    found = fit_blend(made, one, other)
    assert found.blend is Blend.INTERPOLATION
    assert found.share.estimate == pytest.approx(0.6, abs=0.02)
