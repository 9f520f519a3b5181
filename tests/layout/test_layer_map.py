import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.errors import UsageError
from inspector.layout.layer_map import described, parse_layer_map

PAIRS = st.dictionaries(st.integers(0, 30), st.integers(0, 30), min_size=1)


def parsed(text: str, layers: int = 8, references: int = 8) -> dict[int, int]:
    return parse_layer_map(text, range(layers), range(references), option="--layer-map")


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("l", {0: 0, 1: 1, 2: 2, 3: 3}),
        ("l+2", {0: 2, 1: 3}),
        (" l - 1 ", {1: 0, 2: 1, 3: 2}),
        ("2*l", {0: 0, 1: 2}),
        ("2*l+1", {0: 1, 1: 3}),
        ("l//2", {0: 0, 1: 0, 2: 1, 3: 1}),
        ("0:3,1:0", {0: 3, 1: 0}),
        ("0..1:2..3, 3:3", {0: 2, 1: 3, 3: 3}),
    ],
)
def test_what_is_typed_means_these_pairs(text: str, pairs: dict[int, int]) -> None:
    assert parsed(text, 4, 4) == pairs


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no rule and no pair"),
        ("x+1", "'x\\+1' is no rule"),
        ("l+2,3:1", "'l\\+2' is no rule"),
        ("l//0", "is no rule"),
        ("l+8", "no layer of the model has such a layer"),
        ("0:8", "--ref has no experts in layer 8"),
        ("9:0", "the model has no experts in layer 9"),
        ("0..2:3", "pairs 3 layers with 1"),
        ("3..2:3..2", "pairs 0 layers with 0"),
        ("0:1,0:2", "layer 0 is named twice"),
    ],
)
def test_anything_else_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parsed(text)


@given(PAIRS)
def test_a_map_is_described_by_what_gives_it_again(pairs: dict[int, int]) -> None:
    text = described(pairs)
    found = parse_layer_map(text, list(pairs), range(31), option="--layer-map")
    assert found == pairs
