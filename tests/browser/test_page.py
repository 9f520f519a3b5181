"""The page of a report in Chromium: drawn, sorted, filtered, downloaded, and inert to bad names."""

import json
from pathlib import Path
from typing import Any

import pytest

from inspector.render.charts import HeatMap, Points, Series
from inspector.render.page import render_page
from inspector.render.tables import Column, Table
from inspector.render.view import View
from tests.browser.conftest import Open
from tests.cli.running import SAMPLES, invoke

pytestmark = pytest.mark.servers

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e<b>"


def written(path: Path, **parts: Any) -> Path:
    """The page of a view of these parts."""
    empty = {
        "headline": "the answer",
        "tables": list,
        "rows": lambda: Table((), ()),
        "names": list,
        "document": lambda: iter(["{}"]),
    }
    path.write_text("".join(render_page("s1inspect", View(**{**empty, **parts}))), encoding="utf-8")
    return path


def numbers(page: Any, column: int) -> list[str]:
    cells = page.locator(f"tbody tr:visible td:nth-child({column})")
    found: list[str] = cells.all_text_contents()
    return found


@pytest.fixture(scope="module")
def similarity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "similarity.html"
    model, reference = str(SAMPLES / "s1-pro-mini"), str(SAMPLES / "qwen3-mini")
    result = invoke("expert-similarity", "-m", model, "--ref", reference, "-o", str(path))
    assert result.exit_code == 0
    return path


def test_the_answer_comes_first_and_the_map_tells_of_the_expert_under_the_pointer(
    similarity: Path, page_of: Open
) -> None:
    page = page_of(similarity)
    assert "experts descend from" in page.locator(".answer").inner_text()
    box = page.locator("canvas").first.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    said = page.locator(".said").first
    assert said.inner_text().startswith("layer 0, expert 0: exact_copy, from 0 (z*")
    page.mouse.click(box["x"] + 2, box["y"] + 2)
    page.mouse.move(box["x"] + 100, box["y"] + 2)
    assert said.inner_text().startswith("layer 0, expert 0:")
    page.locator("canvas").first.press("ArrowDown")
    assert said.inner_text().startswith("layer 1, expert 0:")


def test_the_document_is_downloaded_as_it_is_in_json(
    similarity: Path, page_of: Open, tmp_path: Path
) -> None:
    page = page_of(similarity)
    with page.expect_download() as waiting:
        page.click("#download")
    waiting.value.save_as(tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["schema"] == "s1inspect/expert-similarity/1"
    assert len(found["experts"]) == 64


def test_a_long_document_is_packed_and_comes_out_whole(page_of: Open, tmp_path: Path) -> None:
    document = json.dumps({"names": [f"é<{number}" for number in range(200_000)]})
    path = written(tmp_path / "long.html", document=lambda: iter([document]))
    assert path.stat().st_size < len(document) / 2
    page = page_of(path)
    with page.expect_download() as waiting:
        page.click("#download")
    waiting.value.save_as(tmp_path / "found.json")
    assert (tmp_path / "found.json").read_text(encoding="utf-8") == document


def test_columns_sort_by_value_both_ways_and_by_keyboard(page_of: Open, tmp_path: Path) -> None:
    columns = (Column("name"), Column("bytes", right=True, show=lambda value: f"{value / 1e3} kB"))
    rows = [("b", 9_000), ("a", 10_000), ("c", None), ("d", 900)]
    page = page_of(written(tmp_path / "p.html", tables=lambda: [Table(columns, rows)]))
    page.click("th:nth-child(2) button")
    assert numbers(page, 1) == ["d", "b", "a", "c"]
    page.locator("th:nth-child(2) button").press("Enter")
    assert numbers(page, 1) == ["a", "b", "d", "c"]
    page.click("th:nth-child(1) button")
    assert numbers(page, 1) == ["a", "b", "c", "d"]
    assert page.locator("th").first.get_attribute("aria-sort") == "ascending"


def test_rows_are_filtered_by_all_words(page_of: Open, tmp_path: Path) -> None:
    rows = [(f"layers.{number}.mlp", number) for number in range(40)]
    table = Table((Column("name"), Column("n", right=True)), rows)
    page = page_of(written(tmp_path / "p.html", tables=lambda: [table]))
    page.fill("input[type=search]", "LAYERS.3 mlp")
    assert numbers(page, 2) == ["3", *(str(number) for number in range(30, 40))]
    assert "11 of 40 rows" in page.locator(".tools").last.inner_text()
    page.fill("input[type=search]", "")
    assert len(numbers(page, 2)) == 40


def test_names_of_strangers_are_text(page_of: Open, tmp_path: Path) -> None:
    chart = HeatMap(
        title=HOSTILE, row_name=HOSTILE, column_name="expert", rows=[HOSTILE], columns=["0"],
        values=[[0]], categories=[HOSTILE], notes=[[HOSTILE]],
    )  # fmt: skip
    path = written(
        tmp_path / "p.html",
        headline=HOSTILE,
        tables=lambda: [Table((Column(HOSTILE),), [(HOSTILE,), (HOSTILE,)], title=HOSTILE)],
        document=lambda: iter([json.dumps({"name": HOSTILE})]),
        charts=lambda: [chart],
        footer=[HOSTILE],
    )
    page = page_of(path)
    page.locator("canvas").press("ArrowRight")
    page.wait_for_timeout(100)
    assert page.locator("img, b").count() == 0
    assert page.locator("td").first.inner_text().startswith("</script><img")
    assert "onerror" in page.locator(".said").inner_text()


def test_points_are_drawn_beside_the_line_of_equality(page_of: Open, tmp_path: Path) -> None:
    """Inline, without a script: a dot for each point, at the edge where it lies outside."""
    chart = Points(
        title="QQ", x_name="expected z", y_name=HOSTILE, x_range=(-1, 1), y_range=(-2, 2),
        series=[
            Series(name="null", x=[-1, 0], y=[-1.1, 0]),
            Series(name=HOSTILE, x=[0, 1], y=[9, 0]),
        ],
    )  # fmt: skip
    page = page_of(written(tmp_path / "p.html", charts=lambda: [chart]))
    frame, line = (page.locator(f"svg.points {name}").bounding_box() for name in ("rect", "line"))
    assert page.locator("svg.points").bounding_box()["width"] == 460
    assert line["x"] == pytest.approx(frame["x"], abs=1)
    assert line["width"] == pytest.approx(frame["width"], abs=2)
    assert line["height"] == pytest.approx(frame["height"] / 2, abs=2)
    assert page.locator("svg.points path").count() == 2
    assert page.locator(".key").first.inner_text() == "null"
    assert "onerror" in page.locator(".key").nth(1).inner_text()
    assert page.locator("img, b").count() == 0


def test_a_click_on_the_scores_of_a_layer_keeps_them_in_view(
    similarity: Path, page_of: Open
) -> None:
    page = page_of(similarity)
    page.locator("canvas").nth(1).wait_for()
    scores, said = page.locator("canvas").nth(1), page.locator(".said").nth(1)
    box = scores.bounding_box()
    cell = box["height"] / 8
    page.mouse.click(box["x"] + 1.5 * cell, box["y"] + 1.5 * cell)
    told = said.inner_text()
    assert told.startswith("reference 1, expert 1: ")
    assert float(told.rpartition(" ")[2]) > 20
    page.mouse.move(box["x"] + 9.5 * cell, box["y"] + 4.5 * cell)
    assert said.inner_text() == told
    page.mouse.click(box["x"] + 9.5 * cell, box["y"] + 4.5 * cell)
    assert said.inner_text().startswith("reference 4, expert 9: ")


def test_the_command_that_gives_the_page_again_is_on_it(similarity: Path, page_of: Open) -> None:
    page = page_of(similarity)
    command = page.locator("code").inner_text()
    assert command.startswith("s1inspect expert-similarity --model ")
    assert command.endswith(" --seed 0")
    assert page.locator("svg.points path").count() == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_reads_it_in_light_and_dark(similarity: Path, page_of: Open, scheme: str) -> None:
    page = page_of(similarity)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 380, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
