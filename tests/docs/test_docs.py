import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from docs.console import CUT, ROOT, Example, examples, run, without_times, workplace
from docs.contents import CONTENTS, pages_in
from docs.generate import DOCS, commands, pages_with_examples, stale_pages
from docs.python import session, statements
from docs.site import loaded_from_elsewhere
from inspector.analysis.compare.rules import COMPARE_RULES
from inspector.analysis.documents import DOCUMENTS
from inspector.analysis.quant.rules import AUDIT_RULES
from inspector.config.rules import CONFIG_RULES
from inspector.format.rules import RULES
from tests.cli.running import answer

PAGES = pages_with_examples()
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(#[^)\s]*)?\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

FRACTION = re.compile(r"(-?\d+\.\d+(?:e-?\d+)?)")

QUESTIONS = {
    "compare": (
        "compare -m sample_shards/s1-pro-mini -r sample_shards/qwen3-vl-mini --fail-on never"
    ),
    "params": "params sample_shards/qwen3-vl-mini -m sample_shards/s1-pro-mini",
    "list-tensors": "list-tensors -m sample_shards/s1-pro-mini",
    "dequant": "dequant layers.0 -m sample_shards/s1-pro-mini-e8m0 -o out.safetensors",
    "check": "check -m sample_shards/s1-pro-mini",
    "expert-similarity": (
        "expert-similarity -m sample_shards/s1-pro-mini --ref sample_shards/qwen3-mini"
    ),
    "audit": "audit -m sample_shards/s1-pro-mini --fail-on error",
    "cache": "cache",
    "report": "report check.json",
    "runs": "runs .",
    "plan": "dequant layers.0 -m sample_shards/s1-pro-mini --plan",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings have on the web."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {f"#{heading.replace(' ', '-')}" for heading in plain}


def test_generated_pages_are_current() -> None:
    assert stale_pages() == [], "run: python -m docs.generate"


@pytest.mark.parametrize("command", commands())
def test_every_command_has_a_page_a_schema_and_its_help_in_the_reference(command: str) -> None:
    assert (DOCS / "commands" / f"{command}.md").is_file()
    assert command in DOCUMENTS
    assert f"## s1inspect {command}\n" in (DOCS / "reference/cli.md").read_text(encoding="utf-8")
    assert f"(commands/{command}.md)" in (DOCS / "index.md").read_text(encoding="utf-8")


def test_every_rule_has_a_row() -> None:
    text = (DOCS / "reference/rules.md").read_text(encoding="utf-8")
    rules = (*RULES, *CONFIG_RULES, *AUDIT_RULES, *COMPARE_RULES)
    assert [slug for slug in rules if f"| `{slug}` |" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_examples_run_and_write_what_is_shown(page: Path) -> None:
    with workplace() as folder:
        for example in examples(page.read_text(encoding="utf-8")):
            if example.can_run:
                check_example(example, run(example.command, folder))


def check_example(example: Example, real: list[str]) -> None:
    check_lines(example.command, example.shown, real)


def check_lines(what: str, shown: Sequence[str], real: list[str]) -> None:
    """The lines shown are lines of the real output, in their order.

    Durations may differ, and fractions by what another processor rounds differently.
    """
    remaining = iter(real)
    for line in shown:
        found = line == CUT or any(is_alike(line, other) for other in remaining)
        assert found, f"{what}: not written: {line!r}, but {real}"


PYTHON_PAGES = [page for page in PAGES if statements(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=name_of)
def test_statements_run_and_write_what_is_shown(page: Path) -> None:
    with session() as running:
        for one in statements(page.read_text(encoding="utf-8")):
            real = running.run(one)
            check_lines(one.source, one.shown, real)
            assert bool(one.shown) == bool(real), f"{one.source}: writes {real}"


def test_there_are_statements_that_run() -> None:
    found = [one for page in PYTHON_PAGES for one in statements(page.read_text(encoding="utf-8"))]
    assert sum(bool(one.shown) for one in found) > 15


def is_alike(line: str, other: str) -> bool:
    words, others = (FRACTION.split(without_times(text)) for text in (line, other))
    return words[::2] == others[::2] and [float(word) for word in words[1::2]] == pytest.approx(
        [float(word) for word in others[1::2]], rel=5e-3
    )


def test_there_are_examples_that_run() -> None:
    found = [example for page in PAGES for example in examples(page.read_text(encoding="utf-8"))]
    assert sum(example.can_run and bool(example.shown) for example in found) > 15


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "CHANGELOG.md", DOCS / "reference/cli.md"], ids=name_of
)
def test_internal_links_lead_somewhere(page: Path) -> None:
    for target, fragment in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        if fragment:
            assert fragment in anchors(path), f"{target}{fragment}"


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    listed = {page for pages in CONTENTS.values() for page in pages}
    below = {f"{one.rpartition('/')[0]}/{page}" for one in listed for page in pages_of(one)}
    there = {str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.rglob("*.md")}
    assert listed | below | {"index"} == there


def pages_of(page: str) -> list[str]:
    folder, _, name = page.rpartition("/")
    return pages_in(folder) if name == "index" else []


def test_what_a_page_of_the_site_would_load_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<script src="own.js"></script><a href="https://e.org">e</a><img src="//e.org/p.png">'
    )
    (tmp_path / "a.css").write_text("p{background:url(own.svg)} @import 'https://e.org/font.css';")
    assert loaded_from_elsewhere(tmp_path) == [
        'a.html: <img src="//e.org/p.png',
        "a.css: @import 'https://e.org/font.css",
    ]


@pytest.mark.parametrize("command", DOCUMENTS)
def test_a_real_document_has_the_shape_of_its_schema(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sample_shards").symlink_to(ROOT / "sample_shards")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    if command == "report":
        answer("check", "-m", "sample_shards/s1-pro-mini", "-o", "check.json")
    document = json.loads(answer(*QUESTIONS[command].split(), "--json"))
    schema: dict[str, Any] = json.loads(
        (DOCS / f"reference/schemas/{command}.json").read_text(encoding="utf-8")
    )
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(document)
