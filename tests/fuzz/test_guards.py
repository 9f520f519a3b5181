"""The table of guards fits the source: each edit has its place, each test exists."""

import ast
from pathlib import Path

import pytest

from fuzz.guard_table import GUARDS, Guard
from fuzz.guards import ROOT, edited


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_can_be_taken_out(guard: Guard) -> None:
    source = edited(guard)
    assert source is not None, f"{guard.file} does not hold this once: {guard.text}"
    ast.parse(source)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_the_tests_of_a_guard_exist(guard: Guard) -> None:
    for test in guard.tests:
        file, _, name = test.partition("::")
        assert f"def {name}" in Path(ROOT / file).read_text()


def test_no_two_guards_have_one_name() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
