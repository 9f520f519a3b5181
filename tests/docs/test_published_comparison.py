from tests.docs.published_comparison import NAMES, PAGE, figures, written


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
