"""The parts of `docs/guide/intern-s1-pro-against-qwen3-vl.md` that are made from the two models.

`python -m tests.docs.published_comparison` writes them into the page; a test holds the page
against them. Figures of the public comparison are those of the README of
muyaostudio/intern-s1-pro-vs-qwen3-235b-a22b at 4591d649.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from inspector.analysis.compare.report import compare_document
from inspector.analysis.name_lists import Names
from inspector.analysis.report import Cost
from inspector.render.compare import compare_view
from inspector.render.tables import Column, Table, render_markdown
from tests.analysis.compare.both import both, intern, qwen

PAGE: Final = Path(__file__).resolve().parents[2] / "docs/guide/intern-s1-pro-against-qwen3-vl.md"
NAMES: Final = ("figures", "comparison")


class Figure(NamedTuple):
    """A figure of the public comparison, and the same from the files."""

    what: str
    public: str
    found: str
    verdict: str


def figures() -> list[Figure]:
    """Every figure that the public comparison computes, in its order."""
    total, activated = _pair("parameters"), _pair("parameters_activated")
    text, vision = _pair("text_parameters"), _pair("vision_parameters")
    return [
        _figure("total, Intern-S1-Pro", "~920 B, 0.92 T", f"{_billions(total[0])} B", "rounded up"),
        _figure(
            "total, Qwen3-VL", "235.51 B in the tree, 235.09 B in the results",
            f"{_billions(total[1])} B",
            "235.09 B is the text model; the vision model has more than the tree gives it",
        ),
        _agreeing("text model, Intern-S1-Pro", "916.56 B", f"{_billions(text[0])} B"),
        _agreeing("text model, Qwen3-VL", "235.09 B", f"{_billions(text[1])} B"),
        _figure(
            "vision model, Intern-S1-Pro", "0.31 B", f"{_billions(vision[0])} B",
            "the merger, patch and position embeddings are left out",
        ),
        _figure(
            "vision model, Qwen3-VL", "0.42 B", f"{_billions(vision[1])} B",
            "the merger and the three mergers of DeepStack are left out",
        ),
        _agreeing("activated, Intern-S1-Pro", "22.36 B", f"{_billions(activated[0])} B"),
        _agreeing("activated, Qwen3-VL", "22.19 B", f"{_billions(activated[1])} B"),
        *_shares(),
        *_parts(),
        *_experts(),
        _skip_list(),
    ]  # fmt: skip


def _shares() -> Iterator[Figure]:
    share = _pair("text_activated_share")
    for name, public, value in zip(
        ("Intern-S1-Pro", "Qwen3-VL"), ("2.44 %", "9.44 %"), share, strict=True
    ):
        yield _agreeing(
            f"activated share of the text model, {name}", public, f"{100 * value:.2f} %"
        )


def _parts() -> Iterator[Figure]:
    for what, quantity, exact in (
        ("attention a layer", "attention_parameters_a_layer", "71,303,168 / 71,303,168"),
        ("one expert", "expert_parameters", "18,874,368 / 18,874,368"),
    ):
        found = " / ".join(f"{int(value):,}" for value in _pair(quantity))
        yield _agreeing(what, exact, found)
    for what, quantity, public, unit, digits in (
        ("router a layer", "router_parameters_a_layer", "2.10 M / 0.52 M", "M", 2),
        ("experts a layer", "experts_parameters_a_layer", "9.66 B / 2.42 B", "B", 2),
        ("embedding", "embedding_parameters", "0.635 B / 0.622 B", "B", 3),
        ("head", "head_parameters", "0.635 B / 0.622 B", "B", 3),
    ):
        scale = {"M": 1e6, "B": 1e9}[unit]
        words = [f"{value / scale:.{digits}f} {unit}" for value in _pair(quantity)]
        yield _agreeing(what, public, " / ".join(words))


def _experts() -> Iterator[Figure]:
    model, ref = _pair("experts_parameters")
    found = f"{model / 1e9:.0f} B against {ref / 1e9:.0f} B"
    yield _figure(
        "experts, all layers", "681 B against 170 B", found,
        f"{(model - ref) / 1e9:.0f} B is the difference",
    )  # fmt: skip
    used = _pair("parameters_activated")
    yield _agreeing(
        "activated counts differ by", "less than 1 %",
        "less than 1 %" if abs(used[0] / used[1] - 1) < 0.01 else "more",
    )  # fmt: skip
    total = _pair("text_parameters")
    yield _agreeing("text models' ratio", "3.9", f"{total[0] / total[1]:.1f}")


def _skip_list() -> Figure:
    row = next(r for r in both().config if r.path == "quantization.modules_to_not_convert")
    assert isinstance(row.model, Names)
    return _figure(
        "modules_to_not_convert", "698 modules", f"{row.model.entries} entries, all unique",
        "698 is the number of the file's line on which the list ends",
    )  # fmt: skip


def _pair(quantity: str) -> tuple[float, float]:
    row = next(row for row in both().parameters.derived if row.quantity == quantity)
    assert row.model is not None
    assert row.ref is not None
    return row.model, row.ref


def _billions(value: float) -> str:
    return f"{value / 1e9:.2f}"


def _agreeing(what: str, public: str, found: str) -> Figure:
    return Figure(what, public, found, "agrees" if public == found else "DIFFERS")


def _figure(what: str, public: str, found: str, reason: str) -> Figure:
    return Figure(what, public, found, f"corrected: {reason}")


def parts() -> dict[str, str]:
    """The text of each part of the page."""
    columns = [Column(name) for name in ("figure", "public comparison", "from the files", "")]
    models, free = (intern().model, qwen().model), Cost(requests=0, bytes=0, seconds=0)
    view = compare_view(compare_document(both(), models, free, []), differences_only=False)
    tables = "".join("".join(render_markdown(table)) for table in view.tables())
    footer = "\n".join(view.footer)
    return {
        "figures": "".join(render_markdown(Table(columns, figures()))),
        "comparison": f"{view.headline}\n{tables}\n{footer}\n",
    }


def written(text: str) -> str:
    """The page with its parts as they are now."""
    for name, part in parts().items():
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, _, rest = text.partition(start)
        text = f"{before}{start}\n{part}\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
