"""Whether codes were clipped: more at the largest value than weights and rounding put there."""

from typing import Final

from scipy.special import betainc

from inspector.stats.rounding import Levels

BFLOAT16_SLACK: Final = 2.0**-7
"""How much larger than its scale says a block may be in parts: a scale and a weight, each rounded
to BF16."""

E4M3_SLACK: Final = 2.0**-4 + 2.0**-8
"""The same where the scale was rounded to a normal number of E4M3."""


def chance_of_top(levels: Levels, most: float) -> float:
    """The largest chance that a code at one of the two largest values is at the largest.

    The null: of the magnitudes of a block other than its largest, which is `most` scales or less,
    each is drawn by itself from a density that does not grow towards the largest. Then the codes of
    the two values are as many as their ranges are wide, or fewer at the top.

    >>> round(chance_of_top((0.0, 400.0, 416.0, 448.0), 448.0), 3)  # 432 to 448, 408 to 448
    0.4
    """
    start = (levels[-1] + levels[-2]) / 2
    below = (levels[-2] + levels[-3]) / 2 if len(levels) > 2 else 0.0
    return max(0.0, most - start) / (max(most, start) - below)


def is_clipped(top: int, second: int, chance: float, level: float) -> bool:
    """Whether `top` codes at the largest value are too many beside `second` at the one below.

    Args:
        top: codes at the largest value, but for one of each block: that of its largest magnitude.
        second: codes at the value below, of blocks that reach the largest.
        chance: of one of these to be at the top (`chance_of_top`).
        level: of the test, one-sided, exact binomial.

    >>> is_clipped(30, 100, 0.5, 1e-6), is_clipped(600, 100, 0.5, 1e-6)
    (False, True)
    """
    count = top + second
    return top > chance * count and bool(betainc(top, second + 1, chance) < level)
