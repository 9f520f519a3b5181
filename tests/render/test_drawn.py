from collections.abc import Sequence

import numpy as np
import pytest

from inspector.render.charts import HeatMap, Points, Series
from inspector.render.drawn import drawn

HOSTILE = "\x1b[31mred\u202e"


def verdicts(values: list[list[float | None]]) -> HeatMap:
    return HeatMap(
        title="verdicts", row_name="layer", column_name="expert",
        rows=[str(number) for number in range(len(values))],
        columns=[str(number) for number in range(len(values[0]))],
        values=values, categories=["copy", "none"], symbols=["E", "-"],
    )  # fmt: skip


def scores(values: Sequence[Sequence[float | None]]) -> HeatMap:
    return HeatMap(
        title="scores", row_name="reference", column_name="expert",
        rows=[str(number) for number in range(len(values))],
        columns=[str(number) for number in range(len(values[0]))],
        values=values,
    )  # fmt: skip


def test_every_cell_has_its_letter_where_there_is_room() -> None:
    lines = list(drawn(verdicts([[0, 1, None, 0], [1, 1, 0, 0]]), 80))
    assert lines == [
        "verdicts",
        "0 E- E",
        "1 --EE",
        "  expert 0 to 3",
        "E copy, - none",
    ]


def test_several_cells_are_the_most_frequent_of_them_and_it_is_said() -> None:
    row: list[float | None] = [0, 0, 1] * 20
    lines = list(drawn(verdicts([row]), 22))
    assert lines[1] == f"0 {'E' * 20}"
    assert lines[2] == "  expert 0 to 59; a letter is the most frequent of 3 experts"


def test_a_number_is_as_dark_as_a_fifth_of_the_largest() -> None:
    lines = list(drawn(scores([[0, 19, 20, 40], [60, 80, 100, None], [-5, 59, 79, 99]]), 80))
    assert lines[1:4] == ["0   ░▒", "1 ▓██", "2  ▒▓█"]
    assert lines[5] == "░ 20.0, ▒ 40.0, ▓ 60.0, █ 80.0 to 100.0"


def test_a_pattern_is_seen_although_a_layer_is_larger_than_the_terminal() -> None:
    """512 experts against 128, `e mod 128`: four slanted lines on 62 columns and 32 lines."""
    values = np.zeros((128, 512))
    values[np.arange(512) % 128, np.arange(512)] = 30
    lines = list(drawn(scores(values.tolist()), 68))
    picture = [line[4:].ljust(64) for line in lines[1:33]]
    assert all(line.count("█") == 4 for line in picture[:-1])
    starts = [line.index("█") for line in picture]
    assert starts == sorted(starts)
    assert lines[33] == "    expert 0 to 511; a letter is the largest of 4 references x 8 experts"
    assert all(len(line) <= 68 for line in lines[:33])


@pytest.mark.parametrize("width", [20, 80, 200])
def test_points_lie_on_the_line_where_both_coordinates_are_equal(width: int) -> None:
    chart = Points(
        title="QQ", x_name="normal", y_name="z", x_range=(-2.0, 2.0), y_range=(-2.0, 2.0),
        series=[
            Series(name="null", x=[-2.0, 0.0, 2.0], y=[-2.0, 0.0, 2.0]),
            Series(name="own", x=[1.0], y=[99.0]),
        ],
    )  # fmt: skip
    lines = list(drawn(chart, width))
    grid = lines[1:22]
    assert grid[0].startswith("    2.0 ")
    assert grid[20].startswith("   -2.0 o")
    assert grid[10].startswith("    0.0 ")
    assert grid[0].endswith("o")
    assert "x" in grid[0]
    assert sum(line.count("o") for line in grid) == 3
    middle = grid[10].index("o") - 8
    assert middle == round((len(grid[0]) - 9) / 2)
    columns = [line.index(".") for line in grid if "." in line[8:] and "o" not in line]
    assert columns == sorted(columns, reverse=True)


def test_names_of_strangers_are_text() -> None:
    charts = (
        HeatMap(
            title=HOSTILE, row_name=HOSTILE, column_name=HOSTILE, rows=[HOSTILE],
            columns=[HOSTILE], values=[[0]], categories=[HOSTILE], symbols=["E"],
        ),
        HeatMap(
            title=HOSTILE, row_name=HOSTILE, column_name=HOSTILE, rows=[HOSTILE] * 40,
            columns=[HOSTILE], values=[[1.0]] * 40,
        ),
        Points(
            title=HOSTILE, x_name=HOSTILE, y_name="z", x_range=(0, 1), y_range=(0, 1),
            series=[Series(name=HOSTILE, x=[0], y=[0])],
        ),
    )  # fmt: skip
    for chart in charts:
        text = "\n".join(drawn(chart, 80))
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b" in text
