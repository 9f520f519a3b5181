from pathlib import Path

import pytest
from safetensors import SafetensorError

from inspector.errors import Severity
from inspector.format.rules import RULES
from tests.format.reference import read_with_reference
from tests.hostile.build import HOSTILE, SINGLE, write_hostile
from tests.hostile.examine import problems_of
from tests.hostile.extreme import EXTREME

WITHOUT_A_FILE = {"unreadable_file"}
"""Its tests need a server that refuses."""


def test_every_rule_has_a_hostile_checkpoint() -> None:
    at_a_limit = {rule for extreme in EXTREME.values() for rule in extreme.rules}
    assert set(HOSTILE) | at_a_limit | WITHOUT_A_FILE == set(RULES)
    assert set(HOSTILE).isdisjoint(WITHOUT_A_FILE)


@pytest.mark.parametrize("rule", sorted(HOSTILE))
def test_a_hostile_checkpoint_is_reported_for_its_rule_alone(rule: str) -> None:
    assert [found.rule for found in problems_of(HOSTILE[rule])] == [rule]


@pytest.mark.parametrize("rule", sorted(HOSTILE))
def test_a_problem_says_where_it_is_and_what_was_expected_and_found(rule: str) -> None:
    (found,) = problems_of(HOSTILE[rule])
    assert found.severity == RULES[rule][0]
    is_there = found.where.shard in {"../a.safetensors", *HOSTILE[rule]}
    assert is_there == (rule not in ("missing_shard", "incomplete_series"))
    assert found.message
    assert found.expected
    assert found.found
    assert found.expected != found.found


@pytest.mark.parametrize("rule", [rule for rule in sorted(HOSTILE) if SINGLE in HOSTILE[rule]])
def test_an_error_in_a_file_is_what_the_reference_refuses_or_a_duplicate(rule: str) -> None:
    refused = RULES[rule][0] is Severity.ERROR and rule != "duplicate_key"
    try:
        read_with_reference(HOSTILE[rule][SINGLE])
    except SafetensorError:
        assert refused
    else:
        assert not refused


def test_the_written_corpus_is_the_one_in_memory(tmp_path: Path) -> None:
    write_hostile(tmp_path)
    written = {
        folder.name: {file.name: file.read_bytes() for file in folder.iterdir()}
        for folder in tmp_path.iterdir()
    }
    assert written == {rule: dict(files) for rule, files in HOSTILE.items()}
