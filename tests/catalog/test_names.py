from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.catalog.names import (
    MAX_COMPONENTS,
    NameColumns,
    NameColumnsBuilder,
    Template,
    split_name,
)
from tests.strategies import dotted_names

name_lists = st.lists(dotted_names, max_size=12)


def columns_of(*batches: Sequence[str]) -> NameColumns:
    builder = NameColumnsBuilder()
    for batch in batches:
        builder.add(batch)
    return builder.build()


def as_a_person_counts(name: str) -> list[tuple[int, int, str]]:
    """Component by component; numbers by value and before words, words by code points."""
    template, numbers = split_name(name)
    left = list(numbers)
    return [
        (0, left.pop(0), "") if part is None else (1, 0, part) for part in template.components()
    ]


@given(st.lists(name_lists, max_size=4))
def test_any_names_come_back_in_their_order(batches: list[list[str]]) -> None:
    columns = columns_of(*batches)
    names = [name for batch in batches for name in batch]
    assert len(columns) == len(names)
    assert columns.texts(np.arange(len(names))) == names
    assert [columns.name(row) for row in range(len(names))] == names


@given(dotted_names)
def test_a_name_is_its_template_filled_with_its_numbers(name: str) -> None:
    template, numbers = split_name(name)
    assert template.holes == len(numbers)
    assert template.fill(numbers) == name
    left = iter(numbers)
    parts = [str(next(left)) if part is None else part for part in template.components()]
    assert ".".join(parts) == name


@given(name_lists)
def test_a_batch_is_split_as_each_of_its_names_is(names: list[str]) -> None:
    columns = columns_of(names)
    for row, name in enumerate(names):
        template, numbers = split_name(name)
        padding = [-1] * (columns.numbers.shape[1] - len(numbers))
        assert columns.templates[columns.template_ids[row]] == template
        assert columns.numbers[row].tolist() == [*numbers, *padding]


@pytest.mark.parametrize(
    ("name", "pieces", "numbers"),
    [
        ("layers.3.experts.200.w1", ("layers.", ".experts.", ".w1"), (3, 200)),
        ("0", ("", ""), (0,)),
        ("1.2.3", ("", ".", ".", ""), (1, 2, 3)),
        ("a.999999999", ("a.", ""), (999_999_999,)),
        ("a.1000000000", ("a.1000000000",), ()),
        ("a.007.00.x2.-1.1_0.+1", ("a.007.00.x2.-1.1_0.+1",), ()),
        ("a.\u0663.\u00b2.1\uff11", ("a.\u0663.\u00b2.1\uff11",), ()),
        ("a.1\n", ("a.1\n",), ()),
        ("a.1.\x00", ("a.1.\x00",), ()),
        ("", ("",), ()),
        (".", (".",), ()),
        (".5.", (".", "."), (5,)),
    ],
)
def test_a_number_is_up_to_nine_ascii_digits_without_leading_zeros(
    name: str, pieces: tuple[str, ...], numbers: tuple[int, ...]
) -> None:
    assert split_name(name) == (Template(pieces), numbers)


@given(name_lists, dotted_names)
def test_find_gives_the_first_row_of_a_name_or_none(names: list[str], other: str) -> None:
    columns = columns_of(names)
    for name in [*names, other]:
        assert columns.find(name) == (names.index(name) if name in names else None)


@given(name_lists)
def test_natural_order_is_that_of_a_person(names: list[str]) -> None:
    order = columns_of(names).natural_order().tolist()
    assert order == sorted(range(len(names)), key=lambda row: as_a_person_counts(names[row]))


@given(st.lists(st.lists(st.sampled_from(["0", "2", "10", "00", "a", "b", ""]), max_size=3)))
def test_natural_order_is_that_of_a_person_for_names_that_are_alike(
    parts: list[list[str]],
) -> None:
    names = [".".join(["x", *part]) for part in parts]
    order = columns_of(names).natural_order().tolist()
    assert order == sorted(range(len(names)), key=lambda row: as_a_person_counts(names[row]))


def test_natural_order_counts_layers_and_puts_a_module_before_its_parts() -> None:
    names = ["l.10.w", "l.w", "l.2.w.b", "l.2.w", "l.02.w", "l"]
    expected = ["l", "l.2.w", "l.2.w.b", "l.10.w", "l.02.w", "l.w"]
    columns = columns_of(names)
    assert columns.texts(columns.natural_order()) == expected


@given(name_lists.filter(bool), st.data())
def test_taking_rows_takes_their_names(names: list[str], data: st.DataObject) -> None:
    rows = np.array(data.draw(st.lists(st.integers(0, len(names) - 1))), dtype=np.int64)
    columns = columns_of(names)
    taken = columns.take(rows)
    assert taken.texts(np.arange(len(rows))) == [names[row] for row in rows]
    assert [taken.find(name) is not None for name in names] == [
        row in rows.tolist() or name in [names[row] for row in rows]
        for row, name in enumerate(names)
    ]


@pytest.mark.parametrize("batched", [True, False], ids=["batch", "one by one"])
def test_a_name_of_very_many_components_costs_other_names_nothing(batched: bool) -> None:  # noqa: FBT001
    """Every row got a column for each number and a sort key for each dot of the longest name."""
    names = [*(f"layers.{n}.w" for n in range(100)), "1." * 100_000, ".".join("7" * 64)]
    columns = columns_of(names) if batched else columns_of(*([name] for name in names))
    assert columns.numbers.shape[1] <= MAX_COMPONENTS
    assert columns.texts(np.arange(len(names))) == names
    assert columns.texts(columns.natural_order())[2:] == names[:100]
    assert columns.find(names[-2]) == 100


@pytest.mark.parametrize("dots", range(MAX_COMPONENTS - 2, MAX_COMPONENTS + 2))
def test_batch_and_single_names_agree_on_what_is_too_long(dots: int) -> None:
    name = ".".join("7" * (dots + 1))
    template, numbers = split_name(name)
    assert len(numbers) == (dots + 1 if dots < MAX_COMPONENTS else 0)
    assert columns_of(["a", name]).templates == (Template(("a",)), template)
    assert len(template.components()) == min(dots + 1, MAX_COMPONENTS)


def test_names_without_a_pattern_are_ordered_without_comparing_all_to_all() -> None:
    """For each template all rows were searched: minutes for 100,000 names of distinct words."""
    names = [f"w{n:06d}" for n in range(30_000)]
    columns = columns_of(names[::-1])
    assert columns.texts(columns.natural_order()) == names


def test_no_names_are_no_rows() -> None:
    columns = columns_of([], [])
    assert len(columns) == 0
    assert columns.natural_order().tolist() == []
    assert columns.find("a") is None
