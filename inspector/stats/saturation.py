"""Whether codes were clipped: more at the largest value than the shape of weights can put there."""

from typing import Final

from scipy.stats import binom

_SURE: Final = 1e-6
"""A chance below this is taken for no chance: a checkpoint has thousands of families."""


def is_clipped(top: int, second: int) -> bool:
    """Whether `top` codes at the largest value are too many beside `second` at the one below.

    The null: weights are no denser at their largest magnitudes than just below, so that each code
    of the two is at the top with a chance of at most one half. `top` leaves out one code of each
    block whose scale puts its largest value there. One-sided, exact binomial.

    >>> is_clipped(30, 100), is_clipped(600, 100)
    (False, True)
    """
    return bool(binom.sf(top - 1, top + second, 0.5) < _SURE) if top > second else False
