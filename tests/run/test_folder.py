from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inspector.errors import OutputError, UsageError
from inspector.run.folder import RUN_FILE, open_run, read_facts
from inspector.run.identity import Identity, Input, input_of
from inspector.source.base import Ledger, MemorySource
from inspector.source.local import LocalSource
from inspector.source.replacing import replacing
from tests.checkpoint.settled import date, settle

ARGUMENTS = ["expert-similarity", "-m", "a"]


def identity(**changes: Any) -> Identity:
    facts: dict[str, Any] = {
        "command": "expert-similarity",
        "inputs": {"model": Input(location="a/b", version="c" * 40)},
        "parameters": {"seed": 0, "layers": [1, 2]},
    }
    return Identity(**{**facts, **changes})


def test_a_result_is_there_for_the_next_run(tmp_path: Path) -> None:
    first = open_run(tmp_path / "run", identity(), ARGUMENTS)
    assert first.load("rows/1") is None
    first.save("rows/1", b"values")
    again = open_run(tmp_path / "run", identity(), ["other", "words"])
    assert again.load("rows/1") == b"values"
    assert (first.made, again.made, again.found) == (1, 0, 1)
    assert again.facts.arguments == ARGUMENTS
    assert [str(path) for path in again.results()] == ["rows/1"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": {"seed": 1, "layers": [1, 2]}}, "seed 0 there, 1 now"),
        ({"parameters": {"seed": 0}}, "layers [1, 2] there, None now"),
        ({"command": "audit"}, "command 'expert-similarity' there, 'audit' now"),
        ({"tool_version": "0"}, "tool_version"),
        (
            {"inputs": {"model": Input(location="a/b", version="d" * 40)}},
            "model a/b at cccccccccccc there, a/b at dddddddddddd now",
        ),
    ],
    ids=["seed", "layers", "command", "version", "commit"],
)
def test_results_of_another_run_are_never_mixed_in(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    open_run(tmp_path, identity(), ARGUMENTS).save("r", b"1")
    with pytest.raises(UsageError) as refusal:
        open_run(tmp_path, identity(**changes), ARGUMENTS)
    assert said in str(refusal.value)
    assert "s1inspect expert-similarity -m a" in (refusal.value.hint or "")
    assert (tmp_path / "r").read_bytes() == b"1"


def test_a_folder_with_files_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError):
        open_run(tmp_path, identity(), ARGUMENTS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_run_that_was_killed_before_it_said_what_it_is_begins_anew(tmp_path: Path) -> None:
    """It was refused: its folder had a file, and no run.json."""
    with replacing(tmp_path / RUN_FILE):
        (unfinished,) = tmp_path.iterdir()
    (tmp_path / RUN_FILE).unlink()
    unfinished.write_bytes(b'{"ident')
    open_run(tmp_path, identity(), ARGUMENTS).save("r", b"1")
    assert open_run(tmp_path, identity(), ARGUMENTS).load("r") == b"1"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"identity": 1}'])
def test_a_broken_run_file_is_said_to_be_one(content: bytes, tmp_path: Path) -> None:
    (tmp_path / RUN_FILE).write_bytes(content)
    with pytest.raises(UsageError, match=RUN_FILE):
        read_facts(tmp_path)


def test_what_is_no_folder_of_a_run_has_no_facts(tmp_path: Path) -> None:
    assert read_facts(tmp_path) is None
    assert read_facts(tmp_path / "absent") is None


def test_a_result_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    folder = open_run(tmp_path, identity(), ARGUMENTS)
    (tmp_path / "rows").write_text("a file in the place of a folder")
    with pytest.raises(OutputError):
        folder.save("rows/1", b"values")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows", RUN_FILE]


@dataclass
class Sized(MemorySource):
    """Files in memory that have stamps."""

    def __init__(self, stamp: str) -> None:
        super().__init__({"a.safetensors": b"12"})
        self._stamp = stamp

    def stamp(self, path: str) -> str | None:
        return self._stamp


def test_a_checkpoint_without_a_commit_is_told_by_sizes_and_stamps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    assert input_of(Sized("1")) == input_of(Sized("1"))
    assert input_of(Sized("1")) != input_of(Sized("2"))
    (tmp_path / "a.safetensors").write_bytes(b"12")
    (tmp_path / "notes.txt").write_bytes(b"1")
    before = input_of(LocalSource(tmp_path, Ledger()))
    (tmp_path / "notes.txt").write_bytes(b"2 and more")
    assert input_of(LocalSource(tmp_path, Ledger())) == before
    date(tmp_path / "a.safetensors", age=7200)
    assert input_of(LocalSource(tmp_path, Ledger())) != before


def test_a_file_whose_change_would_go_unnoticed_is_no_input(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"12")
    with pytest.raises(UsageError, match="written just now"):
        input_of(LocalSource(tmp_path, Ledger()))
    with pytest.raises(UsageError, match="no ETag"):
        input_of(MemorySource({"a.safetensors": b"12"}))


def test_what_a_killed_writer_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    open_run(tmp_path, identity(), ARGUMENTS).save("rows/1", b"1")
    for name in (".old.x", ".young.x"):
        (tmp_path / "rows" / name).write_bytes(b"")
    date(tmp_path / "rows" / ".old.x", age=7200)
    open_run(tmp_path, identity(), ARGUMENTS)
    assert sorted(path.name for path in (tmp_path / "rows").iterdir()) == [".young.x", "1"]


def test_the_run_file_says_what_it_is_a_run_of(tmp_path: Path) -> None:
    open_run(tmp_path, identity(), ARGUMENTS)
    found = msgspec.json.decode((tmp_path / RUN_FILE).read_bytes())
    assert found["identity"]["schema"] == "s1inspect/run/1"
    assert found["arguments"] == ARGUMENTS
