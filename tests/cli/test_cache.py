"""`cache`: what is kept, how large and how old it is, and its end."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from inspector.analysis.kept import CacheDocument
from inspector.render.document import schema_of
from tests.checkpoint.shards import series, write_checkpoint
from tests.cli.running import answer, invoke
from tests.hub import COMMIT, Hub
from tests.source.serving import Connect

REPOS = ("org/one", "org/two")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_ASSETS_CACHE", str(tmp_path / "assets"))
    return tmp_path / "assets" / "s1inspect"


@pytest.fixture
def hub(folder: Path, tmp_path: Path, connect: Connect) -> Iterator[Hub]:
    """A hub whose two repositories were listed."""
    for repo in REPOS:
        write_checkpoint(tmp_path / repo, series(2))
    with Hub(tmp_path) as served:
        connect(served)
        for repo in REPOS:
            answer("list-tensors", "-m", repo)
        assert folder.is_dir()
        yield served


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer("cache", *arguments, "--json"))
    schema = schema_of(CacheDocument, "cache")
    Draft202012Validator(schema).validate(found)
    return found


def test_entries_say_what_they_are_how_large_and_how_old(hub: Hub, folder: Path) -> None:
    found = document()
    assert (found["schema"], found["folder"]) == ("s1inspect/cache/1", str(folder))
    kinds = sorted(
        (one["kind"], one["subject"].removeprefix(f"{hub.endpoint}/")) for one in found["entries"]
    )
    assert kinds == [(kind, repo) for kind in ("catalog", "listing", "revision") for repo in REPOS]
    for one in found["entries"]:
        path = Path(one["file"])
        assert path.parent == folder
        assert one["bytes"] == path.stat().st_size
        assert 0 <= one["age_seconds"] <= 60
        assert one["version"] == ("main" if one["kind"] == "revision" else f"{COMMIT}/")
    assert found["totals"] == {
        "entries": 6, "bytes": sum(path.stat().st_size for path in folder.iterdir()),
        "removed": 0, "removed_bytes": 0,
    }  # fmt: skip


def test_a_table_has_sizes_and_ages_for_people(hub: Hub, folder: Path) -> None:
    lines = answer("cache", "--format", "table", "-o", str(folder.parent / "t.txt"))
    assert lines == ""
    text = (folder.parent / "t.txt").read_text()
    assert "6 files" in text
    assert [word for word in text.split() if word == "age"] == ["age"]
    assert text.count(f"{hub.endpoint}/org/one") == 3


def test_names_are_those_of_the_files(hub: Hub, folder: Path) -> None:
    assert hub.log
    assert set(answer("cache", "-q").splitlines()) == {str(path) for path in folder.iterdir()}


def test_one_checkpoint_is_listed_and_cleared_alone(hub: Hub, folder: Path) -> None:
    assert len(document("org/one")["entries"]) == 3
    assert document("org")["totals"]["entries"] == 6
    assert document("org/on")["entries"] == []
    cleared = document("hf://org/one@main", "--clear")
    assert cleared["entries"] == []
    assert cleared["totals"]["removed"] == 3
    assert {one["subject"] for one in document()["entries"]} == {f"{hub.endpoint}/org/two"}
    assert len(list(folder.iterdir())) == 3


def test_clear_removes_everything_and_the_next_run_reads_again(hub: Hub, folder: Path) -> None:
    (folder / "catalog-odd.entry").write_bytes(b"damaged")
    size = sum(path.stat().st_size for path in folder.iterdir())
    result = invoke("cache", "--clear")
    assert result.exit_code == 0
    assert f"removed 7 files, {size / 1000:.3g} kB" in result.stderr
    assert list(folder.iterdir()) == []
    hub.log.clear()
    answer("list-tensors", "-m", f"org/one@{COMMIT}")
    assert sum(one.status == 206 for one in hub.log) == 2


def test_what_no_version_can_use_is_shown_as_that(folder: Path) -> None:
    folder.mkdir(parents=True)
    path = folder / "catalog-odd.entry"
    path.write_bytes(b"s1inspect shelf 1\nof before")
    moment = time.time() - 3 * 86_400 - 60
    os.utime(path, (moment, moment))
    (one,) = document()["entries"]
    assert (one["kind"], one["subject"], one["bytes"]) == ("unusable", path.name, 27)
    assert "3 d" in invoke("cache", "--format", "table").stdout


@pytest.mark.parametrize("clear", [[], ["--clear"]], ids=["list", "clear"])
def test_an_empty_cache_is_an_answer_and_makes_no_folder(folder: Path, clear: list[str]) -> None:
    found = document(*clear)
    assert found["entries"] == []
    assert set(found["totals"].values()) == {0}
    result = invoke("cache", *clear, "--format", "table")
    assert result.exit_code == 0
    assert ("removed 0 files, 0 B" if clear else "0 files, 0 B") in result.stdout
    assert not folder.exists()


def test_foreign_names_are_escaped(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "catalog-\x1b[31m.entry").write_bytes(b"")
    for options in (["--format", "table"], [], ["-q"], ["--json"]):
        assert "\x1b" not in invoke("cache", *options).output


def test_a_folder_that_cannot_be_emptied_is_5(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    assert hub.log
    monkeypatch.setattr(Path, "unlink", refuse)
    result = invoke("cache", "--clear")
    assert result.exit_code == 5
    assert "cannot be removed: Permission denied" in result.stderr
    assert len(list(folder.iterdir())) == 6
