"""What goes to stdout, in every format, for every command."""

import csv
import io
import json
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest

from inspector.analysis.expert_report import SimilarityDocument
from inspector.analysis.listing import ListingDocument
from inspector.analysis.report import Document
from inspector.analysis.values import DequantDocument
from inspector.render.document import schema_of
from tests.cli.running import FUSED, QWEN3, S1, answer, invoke

LIST = ("list-tensors", "layers.0.mlp.experts.{0..1}", "-m", S1)
DEQUANT = ("dequant", "layers.0.mlp.experts.2", "-m", S1)
SIMILARITY = ("expert-similarity", "-m", S1, "--ref", QWEN3, "--layers", "0", "--experts", "0..3")
COMMANDS = {"list-tensors": LIST, "dequant": DEQUANT, "expert-similarity": SIMILARITY}
DOCUMENTS: dict[str, tuple[type[Document], str]] = {
    "list-tensors": (ListingDocument, "tensors"),
    "dequant": (DequantDocument, "tensors"),
    "expert-similarity": (SimilarityDocument, "experts"),
}


each_command = pytest.mark.parametrize("name", COMMANDS)


def document(*arguments: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(answer(*arguments, "--json"))
    return loaded


@each_command
def test_json_is_one_document_that_keeps_its_schema(name: str) -> None:
    found = document(*COMMANDS[name])
    kind, rows = DOCUMENTS[name]
    schema = schema_of(kind, name)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(found)
    assert found["schema"] == schema["$id"] == f"s1inspect/{name}/1"
    assert found["model"]["location"] == S1
    assert found["cost"]["bytes"] > 0
    assert found[rows]


def test_json_numbers_are_raw_integers() -> None:
    found = document(*LIST)
    for tensor in found["tensors"]:
        numbers = [tensor[name] for name in ("count", "bytes", "start", "stop")]
        assert all(type(number) is int for number in numbers)
        assert tensor["stop"] - tensor["start"] == tensor["bytes"]
    totals = found["totals"]
    assert totals["bytes"] == sum(one["bytes"] for one in totals["by_dtype"].values())
    assert totals["tensors"] == len(found["tensors"]) == 12


@each_command
def test_tsv_has_a_header_and_as_many_cells_in_every_row(name: str) -> None:
    lines = answer(*COMMANDS[name], "--format", "tsv").splitlines()
    assert len(lines) > 1
    assert {line.count("\t") for line in lines} == {lines[0].count("\t")}


@each_command
def test_tsv_is_what_a_pipe_gets(name: str) -> None:
    assert answer(*COMMANDS[name]) == answer(*COMMANDS[name], "-f", "tsv")


@each_command
def test_csv_has_the_cells_of_tsv(name: str) -> None:
    table = list(csv.reader(io.StringIO(answer(*COMMANDS[name], "-f", "csv"))))
    lines = answer(*COMMANDS[name], "-f", "tsv").splitlines()
    assert table == [line.split("\t") for line in lines]


@each_command
def test_json_lines_have_the_columns_of_tsv(name: str) -> None:
    rows = [json.loads(line) for line in answer(*COMMANDS[name], "-f", "jsonl").splitlines()]
    header, *lines = answer(*COMMANDS[name], "-f", "tsv").splitlines()
    assert len(rows) == len(lines)
    assert all(list(row) == header.split("\t") for row in rows)


@each_command
def test_markdown_tables_are_rectangular(name: str) -> None:
    text = answer(*COMMANDS[name], "-f", "md")
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert tables
    for lines in tables:
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
        assert set(lines[1]) <= set("|-: ")


class Page(HTMLParser):
    """Collects the tags of a page, the scripts that would run, and the document in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.script = ""
        self.programs = 0
        self._is_document = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.programs += tag == "script" and "type" not in dict(attrs)
        self._is_document = ("id", "document") in attrs
        assert not {name for name, _ in attrs} & {"src", "href", "onload", "onclick"}

    def handle_data(self, data: str) -> None:
        if self._is_document:
            self.script += data


@each_command
def test_html_is_one_page_with_the_document_inside(name: str) -> None:
    page = Page(answer(*COMMANDS[name], "-f", "html"))
    assert {"table", "script", "style"} <= set(page.tags)
    assert page.programs == 1
    embedded = json.loads(page.script)
    same = document(*COMMANDS[name])
    assert {**embedded, "cost": None} == {**same, "cost": None}


@each_command
def test_a_table_has_the_answer_first(name: str) -> None:
    lines = answer(*COMMANDS[name], "-f", "table").splitlines()
    assert lines[0].strip()
    assert not any("\x1b" in line for line in lines)


@each_command
def test_quiet_prints_names_only(name: str) -> None:
    lines = answer(*COMMANDS[name], "-q").splitlines()
    rows = document(*COMMANDS[name])[DOCUMENTS[name][1]]
    assert len(lines) == len(rows)
    if name != "expert-similarity":
        assert lines == [row["name"] for row in rows]


@each_command
def test_data_is_on_stdout_and_the_cost_on_stderr(name: str) -> None:
    result = invoke(*COMMANDS[name])
    assert " read (" in result.stderr
    assert " read (" not in result.stdout


def test_an_expert_inside_a_fused_tensor_has_the_name_of_a_separate_one() -> None:
    target = "layers.0.mlp.experts.7.up_proj"
    (tensor,) = document("dequant", target, "-m", FUSED)["tensors"]
    assert tensor["name"] == f"model.language_model.{target}.weight"


@pytest.mark.parametrize("limit", [0, 1, 5, 10_000])
def test_limit_bounds_the_rows_and_not_the_totals(limit: int) -> None:
    found = document("list-tensors", "-m", S1, "--limit", str(limit))
    assert len(found["tensors"]) == min(limit, found["totals"]["tensors"])
    assert len(answer("list-tensors", "-m", S1, "--limit", str(limit), "-q").split()) == len(
        found["tensors"]
    )


@pytest.mark.parametrize("key", ["bytes", "count", "shard", "name"])
def test_sort_orders_the_rows(key: str) -> None:
    rows = document("list-tensors", "-m", S1, "--sort", key)["tensors"]
    if key in ("bytes", "count"):
        assert [row[key] for row in rows] == sorted((row[key] for row in rows), reverse=True)
    elif key == "shard":
        places = [(row["shard"], row["start"]) for row in rows]
        assert places == sorted(places)
    assert len(rows) == len({row["name"] for row in rows})


@pytest.mark.parametrize("by", ["dtype", "layer", "module", "shard"])
def test_groups_add_up_to_the_totals(by: str) -> None:
    totals = document("list-tensors", "-m", S1)["totals"]
    lines = answer("list-tensors", "-m", S1, "--by", by, "-f", "jsonl").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len({row[by] for row in rows}) == len(rows) > 1
    for name in ("tensors", "parameters", "bytes"):
        assert sum(row[name] for row in rows) == totals[name]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--layers", "1"), r".layers.1."),
        (("--experts", "0..2"), ".mlp.experts."),
        (("--layers", "0,1", "--experts", "5"), ".experts.5."),
    ],
    ids=["layers", "experts", "both"],
)
def test_layers_and_experts_select(options: tuple[str, ...], says: str) -> None:
    names = answer("list-tensors", "-m", S1, "-q", *options).split()
    every = answer("list-tensors", "-m", S1, "-q").split()
    assert 0 < len(names) < len(every)
    assert all(says in name for name in names)


def test_a_table_of_groups_is_shorter_than_a_flat_one() -> None:
    grouped = answer("list-tensors", "-m", S1, "-f", "table").splitlines()
    flat = answer("list-tensors", "-m", S1, "-f", "table", "--flat").splitlines()
    assert 2 * len(grouped) < len(flat)
