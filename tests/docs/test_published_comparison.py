import json
from pathlib import Path

import pytest

from inspector.analysis.compare.config_diff import config_rows
from tests.analysis.compare.both import both, intern, qwen
from tests.docs.published_comparison import NAMES, PAGE, figures, written

CONFIGS = Path(__file__).resolve().parents[3] / "shared/data/configs"


def test_the_page_shows_what_compare_says_of_the_two_models() -> None:
    """Run `python -m tests.docs.published_comparison` where this fails."""
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"<!-- {name} -->" in text for name in NAMES)
    assert written(text) == text


def test_every_public_figure_agrees_or_is_corrected_with_a_reason() -> None:
    found = figures()
    assert len(found) > 18
    assert [one for one in found if one.verdict == "DIFFERS"] == []
    corrected = {one.what for one in found if one.verdict.startswith("corrected: ")}
    assert {"modules_to_not_convert", "experts, all layers"} <= corrected


@pytest.mark.skipif(not CONFIGS.is_dir(), reason="the published configs are not here")
def test_the_configs_of_the_page_are_the_published_ones() -> None:
    real = [
        json.loads((CONFIGS / f"{name}.config.json").read_text(encoding="utf-8"))
        for name in ("Intern-S1-Pro", "Qwen3-VL-235B-A22B-Instruct")
    ]
    rows = config_rows(real[0], real[1])
    assert {row.path: row.status for row in rows} == {row.path: row.status for row in both().config}
    for ours, published in zip((intern(), qwen()), real, strict=True):
        assert ours.config is not None
        same = config_rows(ours.config.raw, published)
        assert {row.status for row in same} == {"same"}
