"""What `check` writes, in every format: the answer first, all findings, no trick of a name."""

import csv
import io
import json
import re
from pathlib import Path

import jsonschema
import pytest

from inspector.analysis.integrity import CheckDocument
from inspector.render.document import schema_of
from tests.checkpoint.shards import series, shard_of, weight_map, write_checkpoint
from tests.cli.running import ROOT, S1, answer, invoke
from tests.cli.test_formats import Page
from tests.hostile.build import SINGLE, shard, tensor
from tests.hostile.extreme import EXTREME

FIRST, SECOND, THIRD = series(3)
NEVER = ("--fail-on", "never")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three errors and two warnings in three files."""
    directory = tmp_path_factory.mktemp("broken")
    write_checkpoint(directory, series(3), index={**weight_map(series(3)), "t1.c": FIRST})
    (directory / SECOND).write_bytes(shard_of(["t2.a", "t2.b"])[:-3])
    (directory / THIRD).write_bytes(shard({"t3.a": tensor(0, 4), "t3.b": tensor(3, 7)}, bytes(7)))
    (directory / "extra.safetensors").write_bytes(
        shard(b' {"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', bytes(1))
    )
    return str(directory)


RULES = ["truncated", "overlap", "index_tensor_absent", "header_padding", "shard_not_in_index"]


def data_start(path: Path) -> int:
    """Where the bytes of tensors begin in a file."""
    return 8 + int.from_bytes(path.read_bytes()[:8], "little")


def told(location: str, *options: str) -> str:
    return answer("check", "-m", location, *NEVER, *options)


def test_json_is_one_document_that_keeps_its_schema(broken: str) -> None:
    found = json.loads(told(broken, "--json"))
    schema = schema_of(CheckDocument, "check")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(found)
    assert found["schema"] == schema["$id"] == "s1inspect/check/1"
    assert (found["model"]["location"], found["model"]["files"]) == (broken, 4)
    assert [one["rule"] for one in found["findings"]] == RULES
    assert [one["rule"] for one in found["readers"]] == RULES
    assert found["cost"]["bytes"] > 0
    content = (Path(broken) / THIRD).read_bytes()
    assert found["files"][3] == {
        "file": THIRD, "bytes": len(content), "header_bytes": len(content) - 8 - 7, "tensors": 2
    }  # fmt: skip


def test_rows_are_findings_in_every_flat_format(broken: str) -> None:
    header, *lines = [line.split("\t") for line in told(broken, "-f", "tsv").splitlines()]
    assert header == [
        *["rule", "severity", "shard", "tensor", "offset", "message", "expected", "found"]
    ]
    assert [line[0] for line in lines] == RULES
    assert {len(line) for line in lines} == {len(header)}
    assert told(broken) == told(broken, "-f", "tsv")
    assert list(csv.reader(io.StringIO(told(broken, "-f", "csv")))) == [header, *lines]
    rows = [json.loads(line) for line in told(broken, "-f", "jsonl").splitlines()]
    assert [list(row) for row in rows] == [header] * len(lines)
    header_stops = [data_start(Path(broken) / name) for name in (SECOND, THIRD)]
    ends_early, overlaps = header_stops[0] + 5, header_stops[1] + 3
    assert [row["offset"] for row in rows] == [ends_early, overlaps, None, 8, None]


def test_a_sound_checkpoint_has_no_rows_and_says_so_to_people() -> None:
    assert len(answer("check", "-m", S1).splitlines()) == 1
    assert answer("check", "-m", S1, "-q") == ""
    assert answer("check", "-m", S1, "-f", "jsonl") == ""
    first, *others = answer("check", "-m", S1, "-f", "table").splitlines()
    assert first == f"{S1}: sound, 5 files, 448 tensors, 13.1 MB" or first.startswith(S1)
    assert "sound, 5 files, 448 tensors, 13.1 MB" in " ".join([first, *others])


def test_a_table_has_the_answer_first_then_rules_then_findings_then_readers(broken: str) -> None:
    text = told(broken, "-f", "table")
    assert "3 errors, 2 warnings in 4 files" in " ".join(text.split("\n\n")[0].split())
    places = [text.index(f"\n{rule}: ") for rule in RULES]
    assert places == sorted(places)
    assert text.index("severity") < places[0]
    assert text.index("what other readers do") > places[-1]
    assert re.search(r"overlap +refuses +accepts +accepts +accepts", text)
    assert "\x1b" not in text


@pytest.mark.parametrize("form", ["md", "html"])
def test_a_report_for_reading_has_every_rule_and_the_readers(broken: str, form: str) -> None:
    text = told(broken, "-f", form).replace("\\", "")
    assert all(rule in text for rule in RULES)
    assert "huggingface_js" in text
    assert "3 errors, 2 warnings in 4 files" in text


def test_html_has_the_document_inside(broken: str) -> None:
    embedded = json.loads(Page(told(broken, "-f", "html")).script)
    same = json.loads(told(broken, "--json"))
    assert {**embedded, "cost": None} == {**same, "cost": None}


def test_quiet_prints_the_files_with_findings_once(broken: str) -> None:
    assert told(broken, "-q").splitlines() == [SECOND, THIRD, FIRST, "extra.safetensors"]


def test_findings_are_not_said_again_on_stderr(broken: str) -> None:
    result = invoke("check", "-m", broken)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert " read (" in result.stderr


@pytest.mark.parametrize("limit", [0, 1, 2, 9])
def test_limit_bounds_the_findings_and_neither_answer_nor_exit_code(
    broken: str, limit: int
) -> None:
    result = invoke("check", "-m", broken, "--json", "--limit", str(limit))
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [one["rule"] for one in found["findings"]] == RULES[:limit]
    assert len(found["files"]) == 4
    text = told(broken, "-f", "table", "--limit", str(limit))
    assert "3 errors, 2 warnings" in text
    assert (f"{5 - limit} more finding" in text) == (limit < 5)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("many")
    EXTREME["index of 60 MB"].write(directory)
    return str(directory)


def test_a_hundred_thousand_findings_of_one_rule_are_a_screen_for_people(many: str) -> None:
    lines = told(many, "-f", "table").splitlines()
    assert len(lines) < 50
    assert "... and 99,995 more" in "\n".join(lines)
    assert re.search(r"error +index_tensor_absent +100,000 +1 ", "\n".join(lines))


def test_a_hundred_thousand_findings_are_all_there_for_programs(many: str) -> None:
    """In JSON they are counted in `test_check.py`."""
    assert len(told(many, "-f", "tsv").splitlines()) == 100_001
    assert told(many, "-q") == f"{SINGLE}\n"


@pytest.mark.parametrize("form", ["table", "tsv", "csv", "md", "html", "json", "jsonl"])
def test_names_of_strangers_reach_no_terminal_as_they_are(tmp_path: Path, form: str) -> None:
    name = "\x1b[31mred\u202e=1+1"
    members = f"{json.dumps(name)}:{json.dumps(tensor(0, 1))}"
    (tmp_path / SINGLE).write_bytes(shard(f"{{{members},{members}}}".encode(), bytes(1)))
    text = told(str(tmp_path), "-f", form)
    assert "duplicate" in text
    assert not set(text) & {"\x1b", "\u202e"}


def test_the_page_shows_what_a_truncated_shard_says(tmp_path: Path) -> None:
    """docs/commands/check.md has this table; the sample is cut as the page says."""
    for path in Path(S1).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    cut = tmp_path / "model-00002-of-00005.safetensors"
    cut.write_bytes(cut.read_bytes()[:2_000_000])
    (tmp_path / "model-00004-of-00005.safetensors").unlink()
    real = told(str(tmp_path), "-f", "table").replace(str(tmp_path), "damaged")
    page = (ROOT / "docs/commands/check.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```text\n(damaged: .*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown.split() == real.split()
