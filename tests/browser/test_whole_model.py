"""The page of a whole model in Chromium, 94 x 512 x 128: small, drawn, and pointed at."""

from pathlib import Path

import pytest

from inspector.render.page import render_page
from inspector.render.similarity import similarity_view
from tests.browser.conftest import Open
from tests.render.whole_model import EXPERTS, REFERENCES, whole_model_document


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "whole.html"
    view = similarity_view(whole_model_document(), limit=None)
    path.write_text("".join(render_page("s1inspect", view)), encoding="utf-8")
    return path


def test_the_page_of_a_whole_model_is_below_5_mb(whole: Path) -> None:
    assert whole.stat().st_size < 5_000_000


@pytest.mark.servers
def test_both_maps_of_a_whole_model_answer_the_pointer(whole: Path, page_of: Open) -> None:
    page = page_of(whole)
    maps = page.locator("canvas")
    page.locator("canvas").nth(1).wait_for()
    verdicts, scores = (maps.nth(number).bounding_box() for number in range(2))
    assert verdicts["width"] >= EXPERTS
    assert scores["width"] >= EXPERTS
    assert scores["height"] >= REFERENCES
    maps.nth(1).press("ArrowRight")
    maps.nth(1).press("ArrowDown")
    value = whole_model_document().heat_map
    assert value is not None
    said = page.locator(".said").nth(1)
    assert said.inner_text() == f"reference 1, expert 0: {value.z_star[0][1]:g}"
    maps.nth(1).press("ArrowRight")
    assert said.inner_text() == f"reference 1, expert 1: {value.z_star[1][1]:g}"
    first = [one for one in whole_model_document().experts if one.expert == 0]
    match = next(one for one in first if one.layer and one.parents)
    maps.nth(0).press("ArrowRight")
    for _ in range(match.layer):
        maps.nth(0).press("ArrowDown")
    parent = match.parents[0]
    expected = f"{match.verdict}, from {parent.expert} (z* {parent.z_star:.1f})"
    assert page.locator(".said").first.inner_text() == f"layer {match.layer}, expert 0: {expected}"
