import math
from collections import Counter
from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.stats.ordered import log10_ordered_bound, longest_ordered

SHORT = st.lists(st.integers(0, 3), max_size=7)


def naive_longest(values: tuple[int, ...]) -> int:
    """Over all subsequences."""
    return max(
        size
        for size in range(len(values) + 1)
        for chosen in combinations(values, size)
        if all(a <= b for a, b in pairwise(chosen))
    )


@given(SHORT)
def test_the_longest_is_that_of_all_subsequences(values: list[int]) -> None:
    assert longest_ordered(values) == naive_longest(tuple(values))


@pytest.mark.parametrize(
    "counts", [(1, 1, 1, 1, 1), (3, 1, 2), (0, 4, 2), (2, 2, 2), (5,)], ids=str
)
def test_the_bound_is_the_expected_number_of_ordered_subsequences(counts: tuple[int, ...]) -> None:
    """Over all orders, counted; at the full length it is the share of orders that do not fall."""
    values = [value for value, count in enumerate(counts) for _ in range(count)]
    orders = list(permutations(values))
    for length in range(2, len(values) + 1):
        found = sum(
            all(a <= b for a, b in pairwise(chosen))
            for order in orders
            for chosen in combinations(order, length)
        )
        expected = min(1.0, found / len(orders))
        assert 10 ** log10_ordered_bound(counts, length) == pytest.approx(expected)
        at_least = sum(longest_ordered(order) >= length for order in orders) / len(orders)
        assert at_least <= expected + 1e-12
    full = sum(longest_ordered(order) == len(values) for order in orders) / len(orders)
    assert 10 ** log10_ordered_bound(counts, len(values)) == pytest.approx(full)


def test_a_whole_layer_in_order_is_as_unlikely_as_one_order_of_all() -> None:
    counts = Counter(e // 4 for e in range(512))
    exact = 128 * math.log10(24) - math.lgamma(513) / math.log(10)
    assert log10_ordered_bound(list(counts.values()), 512) == pytest.approx(exact)


def test_it_does_not_matter_which_value_comes_how_often() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 5, 12)
    bounds = {log10_ordered_bound(rng.permutation(counts).tolist(), 9) for _ in range(5)}
    assert len(bounds) == 1
