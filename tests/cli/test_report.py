import json
from pathlib import Path

import pytest

from tests.cli.running import FUSED, QWEN3, S1, answer, invoke

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e\x1b[31m"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit, a comparison and a check; a run that is finished and one that is not."""
    folder = tmp_path_factory.mktemp("documents")
    for name, *command in (
        ("audit.json", "audit", "-m", S1, "--sample", "1", "--fail-on", "never"),
        ("compare.json", "compare", "-m", S1, "-r", FUSED, "--no-weights", "--fail-on", "never"),
        ("check.json", "check", "-m", QWEN3),
    ):
        answer(*command, "-o", str(folder / name))
    answer(
        "expert-similarity", "-m", S1, "-r", QWEN3, "--layers", "0", "--experts", "0..3",
        "-q", "--out", str(folder / "runs/experts"),
    )  # fmt: skip
    (folder / "runs/stopped").mkdir()
    facts = (folder / "runs/experts/run.json").read_bytes()
    (folder / "runs/stopped/run.json").write_bytes(facts)
    return folder


def test_the_page_has_every_answer_first_then_each_report_and_its_document(written: Path) -> None:
    files = [str(written / name) for name in ("audit.json", "compare.json", "runs")]
    page = answer("report", *files, "--format", "html")
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")
    top, *reports = page.split("<article ")
    assert [one.partition('id="')[2].partition('"')[0] for one in reports] == [
        "audit",
        "compare",
        "expert-similarity",
    ]
    for told in ("declares fp8", "config fields differ", "experts descend from"):
        assert told in top
    embedded = [one.partition('id="document-')[2].partition(">")[2] for one in reports]
    for text, command in zip(embedded, ("audit", "compare", "expert-similarity"), strict=True):
        found = json.loads(text.partition("</script>")[0])
        assert found["schema"] == f"s1inspect/{command}/1"


def test_two_reports_of_a_command_have_two_places_on_the_page(written: Path) -> None:
    file = str(written / "check.json")
    page = answer("report", file, file, "--format", "html")
    assert page.count('<article data-report id="check"') == 1
    assert page.count('<article data-report id="check-2"') == 1


def test_the_answers_alone_in_the_other_formats(written: Path) -> None:
    files = [str(written / name) for name in ("audit.json", "check.json")]
    found = json.loads(answer("report", *files, "--json"))
    assert [(one["command"], one["findings"]) for one in found["reports"]] == [
        ("audit", {"warning": 1}),
        ("check", {}),
    ]
    assert found["reports"][1]["answer"].startswith(f"{QWEN3}: sound, 2 files")
    lines = answer("report", *files).splitlines()
    assert lines[0].split("\t")[-3:] == ["errors", "warnings", "infos"]
    assert lines[1].split("\t")[-3:] == ["0", "1", "0"]
    assert answer("report", *files, "-q").split() == files


def test_a_page_is_written_whole_to_a_name_in_html(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    result = invoke("report", str(written / "check.json"), "-o", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"wrote {path}: 1 report\n"
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    assert list(tmp_path.iterdir()) == [path]


def test_names_of_strangers_do_not_end_an_element(written: Path, tmp_path: Path) -> None:
    document = json.loads((written / "audit.json").read_text(encoding="utf-8"))
    document["model"]["location"] = HOSTILE
    document["observed"]["quantized"][0]["name"] = HOSTILE
    document["tool_version"] = HOSTILE
    path = tmp_path / f"{HOSTILE.replace('/', '_')}.json"
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    page = answer("report", str(path), "--format", "html")
    assert "<img" not in page
    assert not {"\u202e", "\x1b"}.intersection(page)
    assert page.count("</script>") == 2


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, 3, "cannot be read: No such file"),
        ("[1]", 2, "no document of s1inspect"),
        ('{"schema":"s1inspect/runs/1"}', 2, "found schema 's1inspect/runs/1'"),
        ('{"schema":"s1inspect/audit/2"}', 2, "found schema 's1inspect/audit/2'"),
        ('{"schema":"s1inspect/audit/1","model":5}', 2, "not as s1inspect/audit/1 describes"),
    ],
    ids=["missing", "no document", "of runs", "a later version", "another shape"],
)
def test_what_cannot_be_joined_is_named(
    tmp_path: Path, content: str | None, code: int, said: str
) -> None:
    path = tmp_path / "found.json"
    if content is not None:
        path.write_text(content)
    result = invoke("report", str(path), "-o", str(tmp_path / "report.html"))
    assert result.exit_code == code
    assert str(path) in result.stderr
    assert said in result.stderr
    assert not (tmp_path / "report.html").exists()


def test_a_run_that_is_not_finished_says_how_to_go_on(written: Path, tmp_path: Path) -> None:
    result = invoke("report", str(written / "runs/stopped"))
    assert result.exit_code == 2
    assert "no run that is finished" in result.stderr
    assert "hint: go on with: s1inspect expert-similarity" in result.stderr
    assert "no run: expected report.json" in invoke("report", str(tmp_path)).stderr
