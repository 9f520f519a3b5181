import numpy as np
import pytest
from scipy.stats import kstest

from inspector.stats.layer_alignment import align_layers
from inspector.stats.shared_basis import Float64


def gains(rng: np.random.Generator, layers: int) -> Float64:
    """Gains of a model: those of all its layers are alike."""
    return np.exp(rng.standard_normal(200) + 0.3 * rng.standard_normal((layers, 200)))


def test_layers_find_themselves_although_all_are_alike() -> None:
    rng = np.random.default_rng(0)
    theirs = gains(rng, 9)
    ours = theirs[[4, 2, 7, 8]] * np.exp(0.1 * rng.standard_normal((4, 200)))
    found = align_layers(ours, theirs)
    assert found is not None
    assert found.nearest.tolist() == [4, 2, 7, 8]
    assert found.is_clear(-3).all()
    assert (found.effect > 0.7).all()
    assert (found.runner_up < 0.4).all()


def test_layers_of_models_apart_have_no_small_p() -> None:
    rng = np.random.default_rng(1)
    p = []
    for _ in range(200):
        found = align_layers(gains(rng, 5), gains(rng, 6))
        assert found is not None
        assert not found.is_clear(-3).any()
        p.append(10 ** found.log10_p.min())
    assert np.mean(np.array(p) < 0.05) < 0.1
    assert kstest(np.minimum(p, 1), "uniform", alternative="greater").pvalue > 1e-4


def test_twins_are_no_clear_match() -> None:
    """Two layers of the reference that are equal: neither is nearer."""
    rng = np.random.default_rng(2)
    theirs = gains(rng, 6)
    theirs[1] = theirs[0] * np.exp(0.001 * rng.standard_normal(200))
    found = align_layers(theirs * np.exp(0.1 * rng.standard_normal(theirs.shape)), theirs)
    assert found is not None
    assert found.is_clear(-3).tolist() == [False, False, True, True, True, True]


@pytest.mark.parametrize("layers", [1, 2])
def test_too_few_layers_have_nothing_of_their_own(layers: int) -> None:
    rng = np.random.default_rng(3)
    assert align_layers(gains(rng, layers), gains(rng, 5)) is None
