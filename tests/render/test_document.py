import json

import jsonschema
import msgspec
import pytest

from inspector.analysis.report import Cost, Document, Model
from inspector.render.document import render_json, schema_of


class Row(msgspec.Struct, frozen=True):
    name: str
    count: int


class Report(Document, frozen=True, kw_only=True):
    rows: list[Row]


class Odd(Document, frozen=True, kw_only=True):
    summary: str


MODEL = Model(location="here", kind="directory", commit=None, files=1)
COST = Cost(requests=1, bytes=2, seconds=0.5)


def report(rows: list[Row]) -> Report:
    return Report(schema="s1inspect/test/1", model=MODEL, cost=COST, findings=[], rows=rows)


@pytest.mark.parametrize("count", [0, 1, 2, 4096, 4097, 10_000])
def test_streamed_rows_give_the_document_that_held_rows_give(count: int) -> None:
    rows = [Row(f"t{number}", number) for number in range(count)]
    streamed = "".join(render_json(report([]), iter(rows)))
    assert streamed == "".join(render_json(report(rows)))
    loaded = json.loads(streamed)
    assert len(loaded["rows"]) == count
    assert loaded["rows"] == [{"name": row.name, "count": row.count} for row in rows]


def test_each_row_has_a_line() -> None:
    text = "".join(render_json(report([Row("a", 1), Row("b", 2)])))
    assert text.splitlines()[1:] == ['{"name":"a","count":1},', '{"name":"b","count":2}', "]}"]


def test_a_document_keeps_the_schema_of_its_type() -> None:
    schema = schema_of(Report, "test")
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads("".join(render_json(report([Row("a", 1)]))))
    jsonschema.validate(document, schema)
    document["rows"][0]["count"] = "1"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_a_document_whose_last_field_is_no_list_is_refused() -> None:
    odd = Odd(schema="x", model=MODEL, cost=COST, findings=[], summary="s")
    with pytest.raises(TypeError, match="not a list"):
        "".join(render_json(odd, []))
