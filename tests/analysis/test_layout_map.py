import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from inspector.analysis.layout_candidates import NO_PARENT, candidate_maps
from inspector.analysis.layout_map import IN_ORDER, best_layout, find_layout

SIZES = [
    pytest.param(16, 4, 4, id="16 from 4, 4 groups"),
    pytest.param(24, 6, 3, id="24 from 6, 3 groups"),
]
LAYERS = 10_000


def value_of(name: str, expert: int) -> int:
    """What the name of a map says, by Python's own arithmetic."""
    if name.startswith("first "):
        return expert if expert < int(name.split()[1]) else NO_PARENT
    return int(eval(name.replace("mod", "%"), {}, {"e": expert}))  # noqa: S307 - our own names


@given(st.integers(1, 64), st.integers(1, 32), st.none() | st.integers(1, 16))
def test_maps_are_what_their_names_say(experts: int, references: int, groups: int | None) -> None:
    for one in candidate_maps(experts, references, groups):
        assert len(one.values) == experts
        for name in (one.name, *one.identical):
            for expert, reference in enumerate(one.values.tolist()):
                assert reference == value_of(name, expert)
                assert NO_PARENT <= reference < references


@given(st.integers(1, 64), st.integers(1, 32), st.none() | st.integers(1, 16))
def test_no_two_maps_are_the_same(experts: int, references: int, groups: int | None) -> None:
    maps = candidate_maps(experts, references, groups)
    assert len({tuple(one.values.tolist()) for one in maps}) == len(maps)
    names = [name for one in maps for name in (one.name, *one.identical)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("sizes", "name", "identical"),
    [
        ((512, 128, 8), "e mod 128", "(e // 64 mod 2) * 64 + e mod 64"),
        ((32, 8, 4), "e mod 8", "(e mod 8) mod 8"),
        ((32, 8, 8), "e // 4", "((e mod 4) * 8 + e // 4) mod 8"),
        ((256, 256, 8), "e mod 256", "(e // 32) * 32 + e mod 32 mod 32"),
    ],
    ids=str,
)
def test_identical_maps_are_one_with_both_names(
    sizes: tuple[int, int, int], name: str, identical: str
) -> None:
    by_name = {one.name: one for one in candidate_maps(*sizes)}
    assert identical in by_name[name].identical
    assert identical not in by_name


@pytest.mark.parametrize("sizes", [(512, 128, 8), (64, 16, 4), (160, 128, 8)], ids=str)
def test_every_map_that_made_the_parents_is_found(sizes: tuple[int, int, int]) -> None:
    experts, references, groups = sizes
    for one in candidate_maps(experts, references, groups):
        parents = {
            expert: parent
            for expert, parent in enumerate(one.values.tolist())
            if parent != NO_PARENT and expert % 5
        }
        new = {e for e in range(experts) if one.values[e] == NO_PARENT}
        found = find_layout(parents, experts, references, groups, new)
        assert found is not None
        assert (found.map, found.hits, found.of) == (one.name, len(parents), len(parents))
        tried = len(candidate_maps(experts, references, groups)) + 1
        assert found.tried == tried
        expected = -len(parents) * math.log10(references) + math.log10(tried)
        assert found.log10_p == pytest.approx(expected, abs=1e-3)


def test_appended_experts_are_told_from_copies_by_what_was_not_found() -> None:
    """The first 8 in place fit `e mod 8` too, unless the rest was tested and has no parent."""
    parents = {e: e for e in range(8)}
    undecided = find_layout(parents, 32, 8, None)
    assert undecided is not None
    assert (undecided.map, undecided.tied) == ("e mod 8", ["first 8 in place"])
    tested = find_layout(parents, 32, 8, None, new=range(8, 32))
    assert tested is not None
    assert (tested.map, tested.hits, tested.of) == ("first 8 in place", 8, 8)
    assert tested.tied == ["e mod 8"]


def test_parents_of_appended_experts_do_not_count_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    parents = {e: e if e < 16 else int(rng.integers(16)) for e in range(64)}
    found = find_layout(parents, 64, 16, None)
    assert found is not None
    assert (found.map, found.hits, found.of) == ("first 16 in place", 16, 16)


def test_unequal_runs_are_found_by_their_order() -> None:
    """12 references, each used 1 to 8 times: no rule that counts evenly."""
    runs = [5, 1, 8, 2, 3, 7, 1, 6, 2, 8, 4, 1]
    values = [parent for parent, count in enumerate(runs) for _ in range(count)]
    found = find_layout(dict(enumerate(values)), len(values), 12, None)
    assert found is not None
    assert (found.map, found.hits, found.of) == (IN_ORDER, 48, 48)
    orders = sum(math.lgamma(count + 1) for count in runs) - math.lgamma(49)
    expected = orders / math.log(10) + math.log10(found.tried)
    assert found.log10_p == pytest.approx(expected, abs=1e-3)


def test_an_order_does_not_take_the_place_of_the_rule_that_made_it() -> None:
    """`e // 4` is in order too. With 6 % of strays the rule must still be named."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        astray = rng.random(512) < 0.06
        values = np.where(astray, rng.integers(128, size=512), np.arange(512) // 4)
        found = find_layout(dict(enumerate(values.tolist())), 512, 128, 8)
        assert found is not None
        assert found.map == "e // 4"


@pytest.mark.parametrize(("experts", "references", "groups"), SIZES)
def test_p_of_random_parents_holds_its_level(experts: int, references: int, groups: int) -> None:
    """Null: any reference with equal chance. 20,000 layers over both sizes, some of them undecided.

    Without the correction for the number of maps the first level is broken.
    """
    rng = np.random.default_rng(experts)
    log10_p, uncorrected = [], []
    for _ in range(LAYERS):
        known = np.flatnonzero(rng.random(experts) < 0.9).tolist()
        parents = dict(zip(known, rng.integers(references, size=len(known)).tolist(), strict=True))
        found = best_layout(parents, experts, references, groups)
        assert found is not None
        log10_p.append(found.log10_p)
        uncorrected.append(found.log10_p - math.log10(found.tried))
    for level in (1e-2, 1e-3):
        most = binom.ppf(0.999, LAYERS, level)
        assert np.sum(np.array(log10_p) <= math.log10(level)) <= most
    assert np.sum(np.array(uncorrected) <= -2) > binom.ppf(0.999, LAYERS, 1e-2)
    assert np.sum(np.array(log10_p) <= -2) > 0


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


def test_one_parent_of_all_is_no_layout() -> None:
    """All from one reference: no rule that uses every reference, and no order either."""
    assert find_layout(dict.fromkeys(range(64), 5), 64, 16, 4) is None
