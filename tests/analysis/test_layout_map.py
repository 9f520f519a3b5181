import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from inspector.analysis.layout_map import candidate_maps, find_layout, log10_binomial_tail


@given(st.integers(1, 400), st.floats(0.001, 0.9), st.integers(0, 400))
def test_the_tail_is_that_of_the_binomial(trials: int, chance: float, hits: int) -> None:
    expected = binom.logsf(hits - 1, trials, chance) / math.log(10)
    if hits <= trials and expected > -250:
        found = log10_binomial_tail(trials, chance, hits)
        assert found == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(("trials", "hits"), [(359, 344), (512, 512), (512, 400), (32, 31)])
def test_the_tail_is_exact_far_below_the_smallest_float(trials: int, hits: int) -> None:
    chance = Fraction(1, 128)
    exact = sum(
        math.comb(trials, count) * chance**count * (1 - chance) ** (trials - count)
        for count in range(hits, trials + 1)
    )
    log10 = math.log10(exact.numerator) - math.log10(exact.denominator)
    assert log10_binomial_tail(trials, 1 / 128, hits) == pytest.approx(log10, rel=1e-9)


@pytest.mark.parametrize(("trials", "chance", "hits"), [(5, 0.3, 0), (0, 0.3, 0), (5, 1.0, 5)])
def test_a_certain_event_has_p_1(trials: int, chance: float, hits: int) -> None:
    assert log10_binomial_tail(trials, chance, hits) == 0.0


@pytest.mark.parametrize(
    ("experts", "references", "groups", "names"),
    [
        (512, 128, 8, ["e mod 128", "e // 4", "(e mod 64) mod 128"]),
        (512, 128, None, ["e mod 128", "e // 4"]),
        (32, 8, 8, ["e mod 8", "e // 4", "(e mod 4) mod 8"]),
        (32, 8, 4, ["e mod 8", "e // 4"]),
        (8, 8, None, ["e mod 8"]),
        (8, 16, 2, ["e mod 16", "(e mod 4) mod 16"]),
        (10, 4, 3, ["e mod 4"]),
        (6, 1, None, ["e mod 1"]),
    ],
)
def test_identical_maps_are_named_once(
    experts: int, references: int, groups: int | None, names: list[str]
) -> None:
    assert list(candidate_maps(experts, references, groups)) == names


@given(st.integers(1, 64), st.integers(1, 32), st.none() | st.integers(1, 16))
def test_maps_are_what_their_names_say(experts: int, references: int, groups: int | None) -> None:
    maps = candidate_maps(experts, references, groups)
    for name, values in maps.items():
        for expert, reference in enumerate(values.tolist()):
            assert reference == naive_map(name, expert)
            assert 0 <= reference < references
    texts = {tuple(values.tolist()) for values in maps.values()}
    assert len(texts) == len(maps)


def naive_map(name: str, expert: int) -> int:
    """The value of `e mod a`, `e // a` or `(e mod a) mod b`."""
    words = name.replace("(", "").replace(")", "").split()
    value = expert
    for operation, number in zip(words[1::2], words[2::2], strict=True):
        value = value % int(number) if operation == "mod" else value // int(number)
    return value


@pytest.mark.parametrize("name", ["e mod 8", "e // 4", "(e mod 4) mod 8"])
def test_the_map_that_made_the_parents_is_found(name: str) -> None:
    parents = {e: naive_map(name, e) for e in range(32) if e % 5}
    found = find_layout(parents, 32, 8, 8)
    assert found is not None
    assert (found.map, found.hits) == (name, len(parents))
    expected = binom.logpmf(len(parents), len(parents), 1 / 8) / math.log(10) + math.log10(3)
    assert found.log10_p == pytest.approx(expected)


def test_random_parents_follow_no_map() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        parents = dict(enumerate(rng.integers(0, 16, 64).tolist()))
        assert find_layout(parents, 64, 16, 4) is None


def test_a_few_strays_do_not_hide_the_map() -> None:
    parents = {e: e % 8 if e % 4 else 0 for e in range(32)}
    found = find_layout(parents, 32, 8, None)
    assert found is not None
    assert found.map == "e mod 8"
    assert 24 <= found.hits < 32


@pytest.mark.parametrize("parents", [{}, {3: 3}], ids=str)
def test_too_few_parents_say_nothing(parents: dict[int, int]) -> None:
    assert find_layout(parents, 32, 8, None) is None


def test_one_reference_explains_nothing() -> None:
    assert find_layout(dict.fromkeys(range(32), 0), 32, 1, None) is None
