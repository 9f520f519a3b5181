import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.render.text import (
    counted,
    csv_safe,
    decimal_bytes,
    escape,
    json_safe,
    plain_number,
    short_count,
)

HARMFUL = ["\x00", "\x07", "\x1b", "\n", "\r", "\t", "\x7f", "\x9b", "\u200b", "\u202e", "\u2028"]


@pytest.mark.parametrize("letter", [*HARMFUL, "\ud800", "\ue000", "\U000e0041"], ids=ascii)
def test_a_letter_that_acts_is_escaped(letter: str) -> None:
    assert escape(f"a{letter}b").isprintable()
    assert letter not in escape(f"a{letter}b")


@pytest.mark.parametrize("text", ["", "model.layers.0", "é", "専門家", "a b", "😀", "\\x1b", "=1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert escape(text) == text


@given(st.text())
def test_what_is_escaped_acts_on_nothing(text: str) -> None:
    categories = {unicodedata.category(letter) for letter in escape(text)}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert escape(escape(text)) == escape(text)


@given(st.text())
def test_safe_json_says_the_same(text: str) -> None:
    raw = json.dumps([text], ensure_ascii=False)
    assert json.loads(json_safe(raw)) == [text]
    assert escape(json_safe(raw)) == json_safe(raw)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_formula_is_quoted_off(text: str) -> None:
    assert csv_safe(text) == f"'{text}"


def test_other_cells_are_not_quoted() -> None:
    assert csv_safe("a=1") == "a=1"
    assert csv_safe("") == ""


@given(st.integers(0, 10**18))
def test_bytes_are_within_half_a_percent_of_what_is_shown(count: int) -> None:
    number, unit = decimal_bytes(count).split(" ")
    scale = {"B": 0, "kB": 3, "MB": 6, "GB": 9, "TB": 12, "PB": 15}[unit]
    assert "e" not in number
    assert float(number) * 10**scale == pytest.approx(count, rel=0.005)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_499, "999 kB"), (999_500, "1 MB"),
     (10**15, "1 PB"), (10**18, "1000 PB")],
)  # fmt: skip
def test_bytes_at_the_edges_of_a_unit(count: int, text: str) -> None:
    assert decimal_bytes(count) == text


@given(st.integers(0, 10**15))
def test_short_counts_are_within_a_tenth_of_a_percent(count: int) -> None:
    number, _, unit = short_count(count).partition(" ")
    scale = {"": 0, "K": 3, "M": 6, "B": 9, "T": 12}[unit]
    assert float(number.replace(",", "")) * 10**scale == pytest.approx(count, rel=0.001)


def test_a_count_of_one_is_singular() -> None:
    assert [counted(number, "read") for number in (0, 1, 2, 1500)] == [
        "0 reads", "1 read", "2 reads", "1,500 reads"
    ]  # fmt: skip


def test_a_missing_figure_is_blank() -> None:
    assert [plain_number(value) for value in (None, 0.0, 1 / 3, -1e-9)] == [
        "", "0", "0.3333", "-1e-09"
    ]  # fmt: skip
