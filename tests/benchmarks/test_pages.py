"""The committed tables: they parse, they judge as they say, and their smallest line comes again."""

import re
from pathlib import Path

import pytest

from benchmarks import calibration, power
from benchmarks.study.command import Job, study_rows
from benchmarks.study.page import Row, rows_of, sections, with_sections
from benchmarks.study.plans import Setting, Study, studies
from benchmarks.study.tasks import Shelf
from benchmarks.table import reaches

JOBS = [
    pytest.param(calibration.JOB, calibration.CHECK, id="calibration"),
    pytest.param(power.JOB, power.CHECK, id="power"),
]
ORIGIN = re.compile(r"^Setting (\w+), seed (\d+), commit `[0-9a-f]{12}`\.$", re.MULTILINE)


def committed(job: Job, setting: Setting) -> dict[str, str]:
    return sections(job.page.read_text(encoding="utf-8"), setting)


@pytest.mark.parametrize("setting", Setting)
@pytest.mark.parametrize(("job", "check"), JOBS)
def test_every_table_says_setting_seed_and_commit(job: Job, check: Study, setting: Setting) -> None:
    del check
    for text in committed(job, setting).values():
        found = ORIGIN.search(text)
        assert found is not None, text.partition("\n")[0]
        assert found[1] == setting


@pytest.mark.parametrize(("job", "check"), JOBS)
def test_the_page_has_a_line_for_every_figure_of_the_small_setting(job: Job, check: Study) -> None:
    del check
    found = committed(job, Setting.SMALL)
    assert list(found) == list(job.table)
    for heading, group in job.table.items():
        assert [(row.what, row.figure, row.demand) for row in rows_of(found[heading])] == [
            (study.title, figure.name, figure.demand)
            for study in group
            if study.repeats.small
            for figure in study.figures
        ]


@pytest.mark.parametrize(("job", "check"), JOBS)
def test_what_the_page_has_of_the_full_setting_is_of_the_table(job: Job, check: Study) -> None:
    del check
    for heading, text in committed(job, Setting.FULL).items():
        repeated = {one.title for one in job.table[heading] if one.repeats.of(Setting.FULL)}
        assert {row.what for row in rows_of(text)} == repeated


@pytest.mark.parametrize("setting", Setting)
@pytest.mark.parametrize(("job", "check"), JOBS)
def test_a_line_lies_in_its_interval_and_passes_where_it_keeps_its_bound(
    job: Job, check: Study, setting: Setting
) -> None:
    del check
    for row in rows_of("\n".join(committed(job, setting).values())):
        low, high = (float(end) for end in row.interval.split(" to "))
        assert low <= float(row.reached) <= high, row
        if row.demand:
            passed = reaches(float(row.reached), row.demand)
            assert row.verdict == ("pass" if passed else "**missed**"), row
        else:
            assert row.verdict == ""


@pytest.mark.parametrize(("job", "check"), JOBS)
def test_the_smallest_study_gives_the_committed_line_again(
    job: Job, check: Study, tmp_path: Path
) -> None:
    text = committed(job, Setting.SMALL)["Check"]
    found = ORIGIN.search(text)
    assert found is not None
    again = study_rows(check, job.measures, Shelf(tmp_path), Setting(found[1]), int(found[2]))
    assert again == list(rows_of(text))


@pytest.mark.parametrize(("job", "check"), JOBS)
def test_every_study_names_a_measure_of_its_table(job: Job, check: Study) -> None:
    assert check in list(studies(job.table))
    assert {study.measure for study in studies(job.table)} == set(job.measures)


def test_a_line_is_read_as_it_was_written() -> None:
    row = Row("copy", "found", "1", "0.97 to 1", "128", ">= 0.99", "pass")
    assert list(rows_of(row.markdown())) == [row]


def test_a_line_with_a_cell_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 7 cells, found 3"):
        list(rows_of("| a | b | c |"))


def test_sections_come_back_and_nothing_else_of_the_page_changes() -> None:
    page = "before\n<!-- small -->\n<!-- end of small -->\nafter"
    content = {"One": "a\n\nb", "Two": "c"}
    written = with_sections(page, Setting.SMALL, content)
    assert sections(written, Setting.SMALL) == content
    assert with_sections(written, Setting.SMALL, content) == written
    assert written.startswith("before\n<!-- small -->\n")
    assert written.endswith("\n<!-- end of small -->\nafter")


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no <!-- full -->"):
        sections("<!-- small --><!-- end of small -->", Setting.FULL)
