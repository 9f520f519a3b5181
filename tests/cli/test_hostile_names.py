"""Tensor names are a stranger's text: none of them acts on a terminal, a spreadsheet or a page."""

import csv
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.cli.running import answer, invoke
from tests.hostile.build import shard, tensor

NAMES = [
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b31mc1",
    "line\nbreak",
    "carriage\rreturn",
    "tab\there",
    "bidi\u202eoverride",
    "zero\u200bwidth",
    "para\u2029graph",
    "=cmd|' /C calc'!A1",
    "+1",
    "-1",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "pipe|pipe",
    "`code` *bold* [link](x)",
    "[bold red]markup[/]",
    'quote"comma,',
    "names.é.stay",
]
UNSAFE = "\x1b\x07\x9b\r\u202e\u200b\u2029"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("hostile")
    header = {name: tensor(4 * i, 4 * i + 4, shape=[4]) for i, name in enumerate(NAMES)}
    content = shard(header, bytes(4 * len(NAMES)))
    (directory / "model.safetensors").write_bytes(content)
    return str(directory)


@pytest.mark.parametrize("form", ["table", "tsv", "csv", "md", "html"])
@pytest.mark.parametrize("command", ["list-tensors", "dequant"])
def test_no_control_character_reaches_the_output(hostile: str, command: str, form: str) -> None:
    options = ("--flat",) if command == "list-tensors" else ("**",)
    text = answer(command, *options, "-m", hostile, "-f", form)
    assert not set(text) & set(UNSAFE)
    assert "\\x1b" in text
    assert "é" in text


def test_names_alone_are_escaped_too(hostile: str) -> None:
    lines = answer("list-tensors", "-q", "-m", hostile).splitlines()
    assert len(lines) == len(NAMES)
    assert "line\\nbreak" in lines
    assert not set("".join(lines)) & set(UNSAFE)


def test_every_row_of_tsv_is_a_line(hostile: str) -> None:
    lines = answer("list-tensors", "-f", "tsv", "-m", hostile).split("\n")
    assert len(lines) == len(NAMES) + 2
    assert {line.count("\t") for line in lines[:-1]} == {7}


def test_no_cell_of_csv_is_a_formula(hostile: str) -> None:
    rows = list(csv.reader(io.StringIO(answer("list-tensors", "-f", "csv", "-m", hostile))))
    assert len(rows) == len(NAMES) + 1
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert 'quote"comma,' in {row[0] for row in rows}


def test_markdown_has_no_markup_of_a_name(hostile: str) -> None:
    text = answer("list-tensors", "--flat", "-f", "md", "-m", hostile)
    for raw in ("<script>", "|pipe", "`code`", "*bold*", "[link]"):
        assert not any(line.replace("\\" + raw[0], "").count(raw) for line in text.splitlines()), (
            raw
        )
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def test_a_page_has_no_tag_of_a_name(hostile: str) -> None:
    text = answer("list-tensors", "--flat", "-f", "html", "-m", hostile)
    tags = Tags(text).tags
    document_and_our_own = 2
    assert (tags.count("script"), tags.count("img")) == (document_and_our_own, 0)
    assert text.count("</script>") == document_and_our_own
    script = text.partition('id="document">')[2].partition("</script>")[0]
    assert sorted(row["name"] for row in json.loads(script)["tensors"]) == sorted(NAMES)


def test_rich_markup_in_a_name_is_text(hostile: str) -> None:
    text = answer("list-tensors", "--flat", "-f", "table", "-m", hostile)
    assert "[bold red]markup[/]" in text.replace("\n", "").replace(" ", "").replace(
        "[boldred]", "[bold red]"
    )


def test_json_gives_the_names_as_they_are(hostile: str) -> None:
    rows = json.loads(answer("list-tensors", "--json", "-m", hostile))["tensors"]
    assert sorted(row["name"] for row in rows) == sorted(NAMES)


def test_errors_escape_what_was_typed_and_what_is_near(hostile: str) -> None:
    result = invoke("list-tensors", "\x1b[31mre", "-m", hostile)
    assert result.exit_code == 2
    assert not set(result.stderr) & set(UNSAFE)
    assert "\\x1b[31mre" in result.stderr


def test_a_malformed_file_of_a_hostile_name_is_described_safely(tmp_path: Path) -> None:
    header = {"\x1b[31mred\n": tensor(0, 9, shape=[4])}
    (tmp_path / "model.safetensors").write_bytes(shard(header, bytes(4)))
    result = invoke("list-tensors", "-m", str(tmp_path))
    assert result.exit_code == 4
    assert "\x1b" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_json_has_no_control_character_in_the_raw(hostile: str, form: str) -> None:
    """C1 controls and bidirectional overrides, which JSON permits, reached the terminal."""
    assert not set(answer("list-tensors", "-m", hostile, "-f", form)) & set(UNSAFE)
