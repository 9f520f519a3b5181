import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inspector.catalog.names import NameColumns, NameColumnsBuilder
from inspector.errors import NameNotFound, UsageError
from inspector.layout.select import (
    nearest_names,
    not_found,
    parse_numbers,
    select,
    select_one_place,
)
from tests.strategies import dotted_names

LANGUAGE = [
    f"model.language_model.layers.{layer}.mlp.experts.{expert}.{part}_proj.weight"
    for layer in range(5)
    for expert in (0, 2, 20, 200)
    for part in ("gate", "up", "down")
]
VISION = [f"model.visual.layers.{layer}.mlp.linear_fc1.weight" for layer in range(3)]
MODEL = [*LANGUAGE, *VISION, "lm_head.weight"]


def columns_of(names: Sequence[str]) -> NameColumns:
    builder = NameColumnsBuilder()
    builder.add(names)
    return builder.build()


def selected(names: Sequence[str], pattern: str) -> list[str]:
    columns = columns_of(names)
    return columns.texts(select(columns, pattern))


def naive_select(names: Sequence[str], pattern: str) -> list[str]:
    """The rule, on whole strings: a name of that spelling, or components found anywhere."""
    if pattern.startswith("re:"):
        return [name for name in names if re.search(pattern[3:], name)]
    if pattern in names:
        return [pattern]
    parts = re.findall(r"(?:\{[^{}]*\}|[^.])+|(?<=\.)(?=\.|$)|^(?=\.|$)", pattern)
    return [
        name
        for name in names
        if any(begins(name.split(".")[start:], parts) for start in range(name.count(".") + 1))
    ]


def begins(components: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether the components begin as the parts say."""
    if not parts:
        return True
    if parts[0] == "**":
        return any(begins(components[skip:], parts[1:]) for skip in range(len(components) + 1))
    return (
        bool(components)
        and any(fnmatchcase(components[0], word) for word in words(parts[0]))
        and begins(components[1:], parts[1:])
    )


def words(part: str) -> list[str]:
    """A part without braces: every choice written out."""
    found = re.search(r"\{([^{}]*)\}", part)
    if found is None:
        return [part]
    choices: list[str] = []
    for choice in found[1].split(","):
        first, dots, last = choice.partition("..")
        choices += [str(n) for n in range(int(first), int(last) + 1)] if dots else [choice]
    return [w for one in choices for w in words(part[: found.start()] + one + part[found.end() :])]


plain = st.sampled_from(
    ["layers", "mlp", "experts", "up_proj", "weight", "0", "2", "20", "200", "3"]
)
wild = st.sampled_from(
    [
        "*",
        "**",
        "?",
        "2*",
        "*_proj",
        "{0..7}",
        "{0..2,20}",
        "{0..2}0",
        "{gate,up}_proj",
        "{a,b}{0..1}",
        "[0-2]",
        "x?",
    ]
)
patterns = st.lists(plain | wild, min_size=1, max_size=6).map(".".join)
names_of_models = st.lists(
    st.lists(plain | st.sampled_from(["gate_proj", "x1", "a0", "007", "b"]), min_size=1, max_size=6)
    .map(".".join),
    max_size=12,
    unique=True,
)  # fmt: skip


@given(names_of_models, patterns)
@example(["a.0.b"], "a.**.b")
@example(["a.b"], "a.**.b")
@example(["a"], "**.**")
def test_patterns_select_what_the_rule_on_strings_selects(names: list[str], pattern: str) -> None:
    assert selected(names, pattern) == naive_select(names, pattern)


@given(patterns)
def test_patterns_select_alike_in_a_model(pattern: str) -> None:
    assert selected(MODEL, pattern) == naive_select(MODEL, pattern)


@given(st.lists(dotted_names, min_size=1, max_size=8, unique=True), st.data())
def test_every_full_name_selects_itself_alone(names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names))
    if name.strip() and not name.startswith("re:"):
        assert selected(names, name) == [name]


@given(st.data())
def test_some_components_of_a_name_find_it(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(MODEL))
    parts = name.split(".")
    start = data.draw(st.integers(0, len(parts) - 1))
    stop = data.draw(st.integers(start + 1, len(parts)))
    assert name in selected(MODEL, ".".join(parts[start:stop]))


def test_a_list_may_hold_ranges() -> None:
    """`{0..2,20}`, as collapsed listings print it, selected 20 alone."""
    found = selected(MODEL, "layers.3.mlp.experts.{0..2,20}.up_proj")
    assert [name.split(".")[6] for name in found] == ["0", "2", "20"]


def test_expert_20_is_not_expert_200() -> None:
    found = selected(MODEL, "layers.3.mlp.experts.20")
    assert len(found) == 3
    assert all(".layers.3.mlp.experts.20." in name for name in found)


@pytest.mark.parametrize("expression", [r"experts\.2\.", r"^lm_head", r"\.weight$", "no such"])
def test_re_searches_the_whole_name(expression: str) -> None:
    assert selected(MODEL, f"re:{expression}") == [n for n in MODEL if re.search(expression, n)]


@pytest.mark.parametrize("pattern", ["", "  ", "re:(", "{0..999999}", "{0..999}" * 3])
def test_a_pattern_that_means_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        selected(MODEL, pattern)


def test_a_target_in_two_towers_lists_both() -> None:
    columns = columns_of(MODEL)
    with pytest.raises(UsageError) as refused:
        select_one_place(columns, "layers.2")
    assert str(refused.value) == (
        "'layers.2' is in several places: model.language_model.layers.2, model.visual.layers.2"
    )


def test_choices_beyond_five_are_not_listed() -> None:
    columns = columns_of([f"{tower}.norm.weight" for tower in "abcdefgh"])
    with pytest.raises(UsageError, match=r"e\.norm, \.\.\.$") as refused:
        select_one_place(columns, "norm")
    assert str(refused.value).count(".norm") == 5


@pytest.mark.parametrize(
    ("target", "count"),
    [("layers.3", 12), ("layers.3.mlp.experts.20.up_proj", 1), ("lm_head.weight", 1),
     ("layers.*", 63), ("layers.{2..2}", 13), ("re:layers.2", 13), ("layers.9", 0)],
)  # fmt: skip
def test_a_target_in_one_place_or_with_wildcards_is_taken(target: str, count: int) -> None:
    columns = columns_of(MODEL)
    assert columns.texts(select_one_place(columns, target)) == naive_select(MODEL, target)
    assert len(select_one_place(columns, target)) == count


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("layers.3.mlp.experts.20.upproj.weight",
      "model.language_model.layers.3.mlp.experts.20.up_proj.weight"),
     ("layers.3.mlp.experts.19.up_proj",
      "model.language_model.layers.3.mlp.experts.20.up_proj.weight"),
     ("lm_hed.weight", "lm_head.weight"),
     ("visual.layers.7.mlp.linear_fc1", "model.visual.layers.2.mlp.linear_fc1.weight")],
)  # fmt: skip
def test_a_name_that_is_not_there_is_told_the_nearest(wrong: str, right: str) -> None:
    error = not_found(columns_of(MODEL), wrong, "here")
    assert isinstance(error, NameNotFound)
    assert str(error) == f"here: nothing matches {wrong!r}"
    assert error.hint.startswith(f"nearest: {right}")


def test_nothing_is_near_in_an_empty_checkpoint() -> None:
    assert not_found(columns_of([]), "x", "here").hint == "the checkpoint has no tensors"


@given(names_of_models.filter(bool), patterns)
def test_nearest_names_exist(names: list[str], pattern: str) -> None:
    near = nearest_names(columns_of(names), pattern)
    assert 1 <= len(near) <= 3
    assert set(near) <= set(names)
    assert len(set(near)) == len(near)


ranges = st.tuples(st.integers(0, 300), st.integers(0, 40)).map(lambda pair: (pair[0], sum(pair)))


@given(st.lists(ranges, min_size=1, max_size=5), st.sampled_from(["..", "-"]))
def test_numbers_and_ranges_are_read(parts: list[tuple[int, int]], dots: str) -> None:
    texts = [str(a) if a == b else f"{a}{dots}{b}" for a, b in parts]
    expected = {n for a, b in parts for n in range(a, b + 1)}
    assert parse_numbers(" , ".join(texts), option="--layers") == expected


@pytest.mark.parametrize(
    "text", ["", ",", "1,", "a", "-1", "1..", "..3", "1...3", "1 2", "7..3", "1.5"]
)
def test_what_is_no_number_or_range_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--experts {text!r}")):
        parse_numbers(text, option="--experts")
