"""The page of several reports in Chromium: led through, folded, downloaded, inert to bad names."""

import json
from pathlib import Path
from typing import Any

import pytest

from inspector.analysis.documents import parse_answer
from inspector.render.joined import Part, render_joined
from tests.browser.conftest import Open
from tests.cli.running import FUSED, QWEN3, S1, answer

pytestmark = pytest.mark.servers

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e<b>"


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Documents by command."""
    return {
        "audit": answer("audit", "-m", S1, "--sample", "1", "--fail-on", "never", "--json"),
        "compare": answer(
            "compare", "-m", S1, "-r", FUSED, "--no-weights", "--fail-on", "never", "--json"
        ),
        "expert-similarity": answer("expert-similarity", "-m", S1, "-r", QWEN3, "--json"),
    }


def joined(texts: dict[str, str], path: Path) -> Path:
    parts = [
        Part(f"{command}.json", text, parse_answer(text.encode(), file=command))
        for command, text in texts.items()
    ]
    path.write_text("".join(render_joined(parts)), encoding="utf-8")
    return path


@pytest.fixture
def page(texts: dict[str, str], page_of: Open, tmp_path: Path) -> Any:
    return page_of(joined(texts, tmp_path / "report.html"))


def test_every_answer_is_seen_at_once_and_leads_to_its_report(page: Any) -> None:
    cards = page.locator(".answers li")
    assert cards.count() == 3
    assert "experts descend from" in cards.nth(2).inner_text()
    box = cards.nth(2).bounding_box()
    assert box["y"] + box["height"] < 800
    cards.nth(2).locator("a").click()
    page.wait_for_function(
        "document.querySelector('#expert-similarity').getBoundingClientRect().top < 80"
    )
    here = page.locator("nav li.here > a")
    here.wait_for()
    assert here.inner_text() == "expert-similarity"
    assert here.get_attribute("aria-current") == "true"


def test_keys_alone_reach_a_report_fold_a_title_and_sort_a_table(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.locator(".skip:focus").inner_text() == "to the reports"
    button = page.locator("#compare h3 button").first
    rows = page.locator("#compare section").first.locator("tbody tr")
    assert rows.first.is_visible()
    button.press("Enter")
    assert button.get_attribute("aria-expanded") == "false"
    assert not rows.first.is_visible()
    button.press("Enter")
    assert rows.first.is_visible()
    heading = page.locator("#compare th button").first
    heading.press("Enter")
    names = rows.locator("td:first-child").all_text_contents()
    assert names == sorted(names)


def test_the_map_of_a_report_tells_and_its_tables_filter(page: Any) -> None:
    page.locator("#expert-similarity canvas").first.press("ArrowRight")
    assert page.locator("#expert-similarity .said").first.inner_text().startswith("layer 0, expert")
    page.locator("#compare input[type=search]").first.fill("hidden_size")
    shown = page.locator("#compare section").first.locator("tbody tr:visible")
    assert 0 < shown.count() < 5


@pytest.mark.parametrize("command", ["audit", "compare", "expert-similarity"])
def test_each_document_is_downloaded_as_it_was_written(
    command: str, page: Any, texts: dict[str, str], tmp_path: Path
) -> None:
    with page.expect_download() as waiting:
        page.click(f"#download-{command}")
    assert waiting.value.suggested_filename == f"s1inspect-{command}.json"
    waiting.value.save_as(tmp_path / "found.json")
    assert (tmp_path / "found.json").read_text(encoding="utf-8") == texts[command]


def test_names_of_strangers_are_text_in_every_part(
    texts: dict[str, str], page_of: Open, tmp_path: Path
) -> None:
    document = json.loads(texts["audit"])
    document["model"]["location"] = HOSTILE
    document["observed"]["quantized"][0]["name"] = HOSTILE
    document["loaders"]["vllm"]["refuses"] = HOSTILE
    page = page_of(joined({"audit": json.dumps(document)}, tmp_path / "report.html"))
    page.wait_for_timeout(100)
    assert page.locator("img, b").count() == 0
    assert page.locator("h1").inner_text().startswith("</script><img")
    assert "onerror" in page.locator("td").filter(has_text="onerror").first.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_reads_it_without_scrolling_sideways(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 380, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert ink != paper
    page.evaluate("scrollTo(0, 4000)")
    assert page.locator("nav").bounding_box()["y"] == 0
