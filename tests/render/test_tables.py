import csv
import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from inspector.render.nesting import outline
from inspector.render.page import render_page
from inspector.render.tables import (
    Cell,
    Column,
    Table,
    plain_cell,
    render_csv,
    render_jsonl,
    render_markdown,
    render_tsv,
    shown_cell,
)
from inspector.render.terminal import render_terminal
from inspector.render.text import decimal_bytes
from inspector.render.view import View

COLUMNS = (Column("name"), Column("bytes", right=True, show=decimal_bytes), Column("shape"))
ROWS: list[tuple[Cell, ...]] = [("a", 1500, (2, 3)), ("b", 0, ()), ("c", None, None)]

cells = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.text())


def table() -> Table:
    return Table(COLUMNS, iter(ROWS))


def terminal(shown: Table, width: int = 100) -> list[str]:
    console = Console(width=width, no_color=True, highlight=False)
    return "".join(render_terminal(shown, console)).splitlines()


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, ""), (True, "true"), (1500, "1500"), ((2, 3), "[2, 3]"), ((), "[]"), ("a\tb", "a\\tb")],
)
def test_a_cell_as_data_is_raw(cell: Cell, text: str) -> None:
    assert plain_cell(cell) == text


def test_a_cell_for_people_is_as_its_column_shows_it() -> None:
    assert shown_cell(Column("x"), 1_234_567) == "1,234,567"
    assert shown_cell(COLUMNS[1], 1_234_567) == "1.23 MB"
    assert shown_cell(COLUMNS[1], None) == ""


def test_tsv_is_raw_and_has_no_quotes() -> None:
    lines = "".join(render_tsv(table())).splitlines()
    assert lines == ["name\tbytes\tshape", "a\t1500\t[2, 3]", "b\t0\t[]", "c\t\t"]


def test_json_lines_keep_types() -> None:
    rows = [json.loads(line) for line in render_jsonl(table())]
    assert rows[0] == {"name": "a", "bytes": 1500, "shape": [2, 3]}
    assert rows[2] == {"name": "c", "bytes": None, "shape": None}


def test_markdown_aligns_numbers_right() -> None:
    lines = "".join(render_markdown(Table(COLUMNS, ROWS, title="a|b"))).strip().splitlines()
    assert lines[0] == "**a\\|b**"
    assert lines[3] == "| --- | ---: | --- |"
    assert lines[4] == "| a | 1.5 kB | \\[2, 3\\] |"


@given(st.lists(st.tuples(cells, cells), max_size=5))
def test_any_cell_keeps_tsv_and_csv_rectangular(rows: list[tuple[Cell, Cell]]) -> None:
    columns = (Column("a"), Column("b"))
    lines = "".join(render_tsv(Table(columns, rows))).split("\n")[:-1]
    assert [line.count("\t") for line in lines] == [1] * (len(rows) + 1)
    read = list(csv.reader(io.StringIO("".join(render_csv(Table(columns, rows))))))
    assert [len(line) for line in read] == [2] * (len(rows) + 1)


@pytest.mark.parametrize("render", [render_tsv, render_csv, render_jsonl, render_markdown])
def test_rows_are_taken_as_they_are_written(render: object) -> None:
    taken = 0

    def rows() -> Iterator[tuple[Cell, ...]]:
        nonlocal taken
        while taken < 100_000:
            taken += 1
            yield ("a", 1, ())

    assert callable(render)
    pieces = render(Table(COLUMNS, rows()))
    for _ in range(5):
        next(pieces)
    assert taken <= 5


def test_a_terminal_table_fits_its_width() -> None:
    rows = [(f"{'long.' * 20}{number}", number, (1, 2)) for number in range(5)]
    for width in (40, 80, 120):
        assert max(map(len, terminal(Table(COLUMNS, rows), width))) <= width


def test_a_terminal_table_shows_markup_as_text() -> None:
    lines = terminal(Table((Column("name"),), [("[red]x[/red]",), (":smile:",)]))
    assert lines[-2:] == ["[red]x[/red]", ":smile:"]


def test_an_empty_table_still_has_its_columns() -> None:
    assert "name" in terminal(Table(COLUMNS, []))[0]
    assert "".join(render_tsv(Table(COLUMNS, []))) == "name\tbytes\tshape\n"


def test_an_outline_keeps_every_name_in_its_order() -> None:
    names = ["a.b.x", "a.b.y", "a.b.z", "a.c", "d.{0..3}.e", "d.{0..3}.f"]
    lines = outline(names)
    assert [line.row for line in lines if line.row is not None] == list(range(len(names)))
    assert [line.label for line in lines if line.row is None]


@given(st.lists(st.text("ab.", min_size=1, max_size=9), max_size=12))
def test_headings_and_labels_add_up_to_the_names(names: list[str]) -> None:
    above: list[str] = []
    for line in outline(names):
        del above[line.depth :]
        if line.row is None:
            above.append(line.label)
        else:
            assert "".join(above) + line.label == names[line.row]


def test_a_page_holds_its_document_and_loads_nothing() -> None:
    title = "<b>&"
    document = json.dumps({"x": "</script><!--"})
    view = View(
        headline="<i>",
        tables=lambda: [table()],
        rows=table,
        names=list,
        document=lambda: iter([document]),
    )
    page = "".join(render_page(title, view))
    assert "<b>" not in page
    assert "<i>" not in page
    assert "Content-Security-Policy" in page
    assert "http://" not in page
    assert "https://" not in page
    embedded = page.partition('id="document">')[2].partition("</script>")[0]
    assert json.loads(embedded) == {"x": "</script><!--"}
