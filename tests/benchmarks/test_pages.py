"""The committed tables: they parse, they judge as they say, and their smallest line comes again."""

import re
from pathlib import Path

import pytest

from benchmarks import calibration, power
from benchmarks.study.command import Job, study_rows
from benchmarks.study.page import Row, rows_of, section, with_section
from benchmarks.study.plans import Setting, Study, studies
from benchmarks.study.tasks import Shelf
from benchmarks.table import reaches

JOBS = [
    pytest.param(calibration.JOB, calibration.CHECK, id="calibration"),
    pytest.param(power.JOB, power.CHECK, id="power"),
]
ORIGIN = re.compile(r"--setting (\w+) --seed (\d+).* at commit `[0-9a-f]{12}`")


def committed(job: Job) -> str:
    return section(job.page.read_text(encoding="utf-8"), Setting.SMALL)


@pytest.mark.parametrize(("job", "check"), JOBS)
def test_the_page_says_setting_seed_and_commit(job: Job, check: Study) -> None:
    del check
    found = ORIGIN.search(committed(job))
    assert found is not None
    assert found[1] == Setting.SMALL


@pytest.mark.parametrize(("job", "check"), JOBS)
def test_the_page_has_a_line_for_every_figure_of_the_table(job: Job, check: Study) -> None:
    del check
    wanted = [
        (study.title, figure.name, figure.demand)
        for study in studies(job.table)
        if study.repeats.small
        for figure in study.figures
    ]
    assert wanted
    assert [(row.what, row.figure, row.demand) for row in rows_of(committed(job))] == wanted


@pytest.mark.parametrize(("job", "check"), JOBS)
def test_a_line_lies_in_its_interval_and_passes_where_it_keeps_its_bound(
    job: Job, check: Study
) -> None:
    del check
    for row in rows_of(committed(job)):
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
    text = committed(job)
    found = ORIGIN.search(text)
    assert found is not None
    again = study_rows(check, job.measures, Shelf(tmp_path), Setting(found[1]), int(found[2]))
    assert again == [row for row in rows_of(text) if row.what == check.title]


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


def test_only_the_section_between_its_marks_is_replaced() -> None:
    page = "before\n<!-- small -->\nold\n<!-- end of small -->\nafter"
    assert with_section(page, Setting.SMALL, "new") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no <!-- full -->"):
        section(page, Setting.FULL)
