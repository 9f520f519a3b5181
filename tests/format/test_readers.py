"""The verdicts of the two readers that are installed are what those readers do."""

from pathlib import Path

import pytest
from huggingface_hub import get_local_safetensors_metadata
from safetensors import SafetensorError, safe_open

from inspector.format.index import INDEX_NAME
from inspector.format.readers import ACCEPTS, REFUSES, VERDICTS, verdicts_on
from inspector.format.rules import RULES
from tests.hostile.build import HOSTILE, SINGLE, shard, tensor
from tests.hostile.extreme import EXTREME

ABOUT_ONE_FILE = [rule for rule in sorted(HOSTILE) if SINGLE in HOSTILE[rule]]
AT_A_LIMIT = {"header_over_hub_limit": "header of 25,000,001 bytes"}


def test_every_rule_has_verdicts() -> None:
    assert set(VERDICTS) == set(RULES)
    assert all(one.rule == rule for rule, one in VERDICTS.items())


def write(rule: str, folder: Path) -> Path:
    """The checkpoint of a rule, in a folder of its own."""
    folder.mkdir()
    if rule in AT_A_LIMIT:
        EXTREME[AT_A_LIMIT[rule]].write(folder)
    for name, content in HOSTILE.get(rule, {}).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("rule", [*ABOUT_ONE_FILE, *AT_A_LIMIT])
def test_safetensors_does_what_its_verdict_says(rule: str, tmp_path: Path) -> None:
    folder = write(rule, tmp_path / "checkpoint")
    try:
        with safe_open(folder / SINGLE, framework="np") as file:
            file.keys()
    except SafetensorError:
        assert VERDICTS[rule].safetensors == REFUSES
    else:
        assert VERDICTS[rule].safetensors == ACCEPTS


def test_safetensors_has_no_verdict_on_what_lies_between_files() -> None:
    between = [rule for rule in RULES if rule not in (*ABOUT_ONE_FILE, *AT_A_LIMIT)]
    assert {VERDICTS[rule].safetensors for rule in between} == {None}


@pytest.mark.parametrize("rule", [*sorted(HOSTILE), *AT_A_LIMIT])
def test_huggingface_hub_does_what_its_verdict_says(rule: str, tmp_path: Path) -> None:
    folder = write(rule, tmp_path / "checkpoint")
    (tmp_path / "a.safetensors").write_bytes(shard({"a": tensor(0, 0)}))
    try:
        get_local_safetensors_metadata(folder)
    except Exception:
        assert VERDICTS[rule].huggingface_hub == REFUSES
    else:
        assert VERDICTS[rule].huggingface_hub == ACCEPTS


def test_huggingface_hub_reads_the_file_outside_that_an_index_names(tmp_path: Path) -> None:
    """Why a name that leaves the checkpoint is an error here."""
    folder = write("unsafe_shard_name", tmp_path / "checkpoint")
    (tmp_path / "a.safetensors").write_bytes(shard({"secret": tensor(0, 0)}))
    files = get_local_safetensors_metadata(folder).files_metadata
    assert [list(file.tensors) for file in files.values()] == [["secret"]]
    assert (folder / INDEX_NAME).is_file()


def test_verdicts_are_given_once_a_rule() -> None:
    assert [one.rule for one in verdicts_on(["hole", "overlap", "hole"])] == ["hole", "overlap"]
