import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.config.skip_list import SkipList, Syntax

WORDS = st.sampled_from(["a", "b", "ab", "a1", "gate", "gate_proj", "0", "1", "11", "mlp"])
NAMES = st.lists(WORDS, min_size=1, max_size=5).map(".".join)
ENTRIES = st.lists(
    st.one_of(
        NAMES,
        NAMES.map(lambda name: f"{name}."),
        NAMES.map(lambda name: f".{name}"),
        NAMES.map(lambda name: name.replace("a", ".*")),
        st.sampled_from(["1", "_proj", "("]),
    ),
    max_size=5,
)


def by_definition(entry: str, name: str, syntax: Syntax) -> bool:
    """One entry on one name, as its dialect defines it."""
    if syntax is Syntax.GLOB:
        return fnmatchcase(name, entry)
    if syntax is Syntax.NAME:
        if entry.startswith("re:"):
            return re.match(entry.removeprefix("re:"), name) is not None
        return entry == name
    try:
        matches = re.match(rf"(?:{entry})(?:(?<=\.)|(?=\.|$))", name) is not None
    except re.error:
        matches = False
    return matches or name.endswith(entry)


@pytest.mark.parametrize("syntax", list(Syntax), ids=str)
@given(entries=ENTRIES, name=NAMES)
def test_looked_up_entries_cover_what_they_cover_tried_one_by_one(
    syntax: Syntax, entries: list[str], name: str
) -> None:
    expected = [at for at, entry in enumerate(entries) if by_definition(entry, name, syntax)]
    assert SkipList(entries, syntax).covering(name) == expected


@pytest.mark.parametrize(
    ("syntax", "entry", "name", "covers"),
    [
        (Syntax.REGEX, "mlp.gate", "layers.0.mlp.gate", True),
        (Syntax.REGEX, "layers.0.mlp.gate", "layers.0.mlp.gate_proj", False),
        (Syntax.REGEX, "layers.1", "layers.11.mlp", False),
        (Syntax.REGEX, "layers.1", "layers.1.mlp", True),
        (Syntax.REGEX, "layers.*.mlp", "layers.11.mlp.gate", True),
        (Syntax.REGEX, "layers.1", "layersx1.mlp", True),
        (Syntax.REGEX, "proj", "layers.0.q_proj", True),
        (Syntax.NAME, "layers.0.mlp", "layers.0.mlp.gate", False),
        (Syntax.NAME, "re:.*mlp.gate$", "layers.0.mlp.gate", True),
        (Syntax.NAME, "gate", "layers.0.mlp.gate", False),
        (Syntax.GLOB, "layers.0*", "layers.0.mlp.gate", True),
        (Syntax.GLOB, "*.gate", "layers.0.mlp.gate", True),
        (Syntax.GLOB, "gate", "layers.0.mlp.gate", False),
    ],
)
def test_each_syntax_reads_an_entry_in_its_own_way(
    syntax: Syntax, entry: str, name: str, *, covers: bool
) -> None:
    assert bool(SkipList([entry], syntax).covering(name)) == covers


def test_more_parents_than_are_remembered_change_nothing() -> None:
    skip = SkipList(["layers.7.a", "layers.7"], Syntax.REGEX)
    names = [f"layers.{layer}.a.b" for layer in range(5000)]
    assert [name for name in names if skip.covering(name)] == ["layers.7.a.b"]
    assert skip.covering("layers.7.a.b") == [0, 1]
