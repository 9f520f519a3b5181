from pathlib import Path

import pytest
from safetensors import SafetensorError

from inspector.errors import Severity
from inspector.format.rules import RULES
from tests.format.reference import read_with_reference
from tests.hostile.build import HOSTILE, SINGLE, write_hostile
from tests.hostile.examine import problems_of


def test_every_rule_has_a_hostile_checkpoint() -> None:
    assert set(HOSTILE) == set(RULES)


@pytest.mark.parametrize("rule", sorted(HOSTILE))
def test_a_hostile_checkpoint_is_reported_for_its_rule_alone(rule: str) -> None:
    assert [found.rule for found in problems_of(HOSTILE[rule])] == [rule]


@pytest.mark.parametrize("rule", sorted(HOSTILE))
def test_a_problem_says_where_it_is_and_what_was_expected_and_found(rule: str) -> None:
    (found,) = problems_of(HOSTILE[rule])
    assert found.severity == RULES[rule][0]
    assert found.where.shard in {"../a.safetensors", *HOSTILE[rule]} or rule == "missing_shard"
    assert found.message
    assert found.expected
    assert found.found
    assert found.expected != found.found


@pytest.mark.parametrize("rule", [rule for rule in sorted(HOSTILE) if SINGLE in HOSTILE[rule]])
def test_the_reference_refuses_what_is_an_error_except_duplicate_keys(rule: str) -> None:
    content = HOSTILE[rule][SINGLE]
    assert RULES[rule][0] is Severity.ERROR
    if rule == "duplicate_key":
        assert read_with_reference(content) == {}
    else:
        with pytest.raises(SafetensorError):
            read_with_reference(content)


def test_the_written_corpus_is_the_one_in_memory(tmp_path: Path) -> None:
    write_hostile(tmp_path)
    written = {
        rule: {file.name: file.read_bytes() for file in (tmp_path / rule).iterdir()}
        for rule in RULES
    }
    assert written == {rule: dict(files) for rule, files in HOSTILE.items()}
