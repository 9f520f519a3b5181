"""How an expert is made from another: the operators of upcycling, one function each.

Experts are `[E, k, m]`: k rows of `down_proj`, or k hidden dimensions of `gate_proj` or `up_proj`
transposed; the last axis is neurons. What is drawn (an order, a mask, signs) is an argument, so the
three matrices of an expert can share it, as a function-preserving change does, or not share it.
Drift and re-initialised values are drawn by the caller.
"""

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def drifted(parents: Float32, noise: Float32, sigma: float) -> Float32:
    """`parents + sigma * noise`, the noise brought to the rms of the parent first."""
    ratio = _rms(parents) / _rms(noise)
    return np.asarray(parents + sigma * ratio * noise, dtype=np.float32)


def evened(noise: Float32) -> Float32:
    """Every neuron of a drift as long as the others: no heavy tail of lengths."""
    lengths = np.sqrt(np.mean(np.square(noise, dtype=np.float64), axis=1, keepdims=True))
    return np.asarray(noise / lengths, dtype=np.float32)


def proportional(noise: Float32, parents: Float32) -> Float32:
    """Every neuron of a drift as long as that of the parent: all turn equally far."""
    lengths = np.sqrt(np.mean(np.square(parents, dtype=np.float64), axis=1, keepdims=True))
    return np.asarray(evened(noise) * lengths, dtype=np.float32)


def undirected(normal: Float32, parents: Float32) -> Float32:
    """Normal numbers, in each row as large as the parent: no directions, no heavy tail."""
    rows = np.sqrt(np.mean(np.square(parents, dtype=np.float64), axis=2, keepdims=True))
    return np.asarray(normal * rows, dtype=np.float32)


def neuron_mask(experts: int, neurons: int, fraction: float, rng: np.random.Generator) -> Mask:
    """`[E, m]`: which neurons a re-initialisation takes, exactly `fraction` of each expert's."""
    count = round(fraction * neurons)
    ranks = rng.permuted(np.tile(np.arange(neurons), (experts, 1)), axis=1)
    return np.asarray(ranks < count)


def replaced(parents: Float32, fresh: Float32, mask: Mask) -> Float32:
    """`parents` with the neurons of `mask` `[E, m]` taken from `fresh`."""
    return np.where(mask[:, None, :], fresh, parents)


def neuron_signs(experts: int, neurons: int, rng: np.random.Generator) -> Float32:
    """`[E, m]` of +1 and -1."""
    return rng.choice(np.array([-1, 1], dtype=np.float32), size=(experts, neurons))


def sign_flipped(parents: Float32, signs: Float32) -> Float32:
    """Each neuron times its sign; with the same signs on up and down the function is unchanged."""
    return parents * signs[:, None, :]


def shifted(parents: Float32, by: int) -> Float32:
    """Neuron j of the parent becomes neuron j + `by`, cyclically."""
    return np.roll(parents, by, axis=2)


def neuron_orders(experts: int, neurons: int, rng: np.random.Generator) -> Ints:
    """`[E, m]`: one permutation for each expert."""
    return rng.permuted(np.tile(np.arange(neurons), (experts, 1)), axis=1)


def permuted(parents: Float32, orders: Ints) -> Float32:
    """Neuron `orders[e, j]` of the parent becomes neuron j."""
    return np.take_along_axis(parents, orders[:, None, :], axis=2)


def interpolated(first: Float32, second: Float32, weight: float) -> Float32:
    """`weight * first + (1 - weight) * second`."""
    return np.asarray(weight * first + (1 - weight) * second, dtype=np.float32)


def chimera(first: Float32, second: Float32, border: int) -> Float32:
    """The neurons of `first` before `border`, those of `second` from it on."""
    return np.concatenate([first[:, :, :border], second[:, :, border:]], axis=2)


def sliced(parents: Float32, start: int, stop: int) -> Float32:
    """The neurons `[start, stop)`: an expert of a smaller intermediate size."""
    return parents[:, :, start:stop]


def rotated(parents: Float32, basis: Float32) -> Float32:
    """Hidden dimensions in another orthogonal `basis` `[k, k]`; k must be all of them."""
    return np.asarray(np.matmul(basis, parents), dtype=np.float32)


def sorted_by_norm(experts: Float32) -> Float32:
    """Each expert's neurons by falling norm, as pruning tools leave them."""
    order = np.argsort(-np.einsum("ekm,ekm->em", experts, experts), axis=1, kind="stable")
    return permuted(experts, order)


def _rms(experts: Float32) -> Float32:
    squares = np.mean(np.square(experts, dtype=np.float64), axis=(1, 2), keepdims=True)
    return np.asarray(np.sqrt(squares), dtype=np.float32)
