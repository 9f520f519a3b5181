import os
import stat
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.errors import OutputError
from inspector.source import shelf as module
from inspector.source.shelf import Label, Shelf

LABEL = Label(kind="catalog", subject="https://hub/org/name", version="c0ffee/")
OTHER = Label(kind="catalog", subject="https://hub/org/name-2", version="c0ffee/")
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "assets" / "s1inspect")


def loaded(shelf: Shelf, label: Label = LABEL) -> bytes | None:
    kept = shelf.load(label)
    return None if kept is None else kept.content


def only_file(shelf: Shelf) -> Path:
    (path,) = shelf.folder.iterdir()
    return path


def test_what_was_saved_is_loaded_and_nothing_else(shelf: Shelf) -> None:
    assert loaded(shelf) is None
    assert not shelf.folder.exists()
    shelf.save(LABEL, CONTENT)
    assert loaded(shelf) == CONTENT
    assert loaded(shelf, OTHER) is None
    shelf.save(LABEL, b"")
    assert loaded(shelf) == b""
    assert len(list(shelf.folder.iterdir())) == 1


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(texts, texts, st.binary(max_size=300))
def test_any_label_and_content_come_back(subject: str, version: str, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder) / "s1inspect")
        label = Label(kind="file", subject=subject, version=version)
        shelf.save(label, content)
        assert loaded(shelf, label) == content
        assert only_file(shelf).parent == shelf.folder


def test_no_changed_byte_of_an_entry_is_believed(shelf: Shelf) -> None:
    shelf.save(LABEL, b"content")
    path = only_file(shelf)
    sound = path.read_bytes()
    for position in range(len(sound)):
        damaged = bytearray(sound)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        assert loaded(shelf) is None, position
    path.write_bytes(sound)
    assert loaded(shelf) == b"content"


def test_no_entry_that_is_cut_short_or_longer_is_believed(shelf: Shelf) -> None:
    shelf.save(LABEL, b"content")
    path = only_file(shelf)
    sound = path.read_bytes()
    for length in range(len(sound)):
        path.write_bytes(sound[:length])
        assert loaded(shelf) is None, length
    path.write_bytes(sound + b"x")
    assert loaded(shelf) is None


def test_an_entry_under_anothers_name_is_not_believed(shelf: Shelf) -> None:
    shelf.save(LABEL, b"mine")
    mine = only_file(shelf)
    shelf.save(OTHER, b"its")
    (its,) = set(shelf.folder.iterdir()) - {mine}
    its.replace(mine)
    assert loaded(shelf) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("__version__", "0.0.0"), ("MAGIC", b"s1inspect shelf 1\n")],
    ids=["version of the program", "number of the format"],
)
def test_an_entry_of_another_version_is_as_good_as_absent_and_replaced(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    with monkeypatch.context() as past:
        past.setattr(module, name, value)
        shelf.save(LABEL, b"old")
        assert loaded(shelf) == b"old"
    assert loaded(shelf) is None
    assert [entry.label for entry in shelf.entries()] == [None]
    shelf.save(LABEL, b"new")
    assert loaded(shelf) == b"new"
    assert len(list(shelf.folder.iterdir())) == 1


def test_folder_and_entries_are_their_owners_alone(shelf: Shelf) -> None:
    before = os.umask(0)
    try:
        shelf.save(LABEL, CONTENT)
    finally:
        os.umask(before)
    assert stat.S_IMODE(shelf.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(only_file(shelf).stat().st_mode) == 0o600


def test_a_link_in_place_of_an_entry_is_replaced_and_its_target_left_alone(
    shelf: Shelf, tmp_path: Path
) -> None:
    shelf.save(LABEL, b"first")
    path = only_file(shelf)
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    path.unlink()
    path.symlink_to(target)
    assert loaded(shelf) is None
    assert shelf.clear() == (0, 0)
    shelf.save(LABEL, b"second")
    assert (target.read_bytes(), loaded(shelf)) == (b"precious", b"second")
    assert not path.is_symlink()


def test_a_folder_that_is_a_link_is_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "s1inspect").symlink_to(tmp_path / "elsewhere")
    shelf = Shelf(tmp_path / "s1inspect")
    shelf.save(LABEL, CONTENT)
    assert loaded(shelf) == CONTENT
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "s1inspect").write_text("a file")
    shelf = Shelf(tmp_path / "s1inspect")
    with pytest.raises(OutputError, match="cannot be written"):
        shelf.save(LABEL, CONTENT)
    assert loaded(shelf) is None
    assert shelf.entries() == []
    assert shelf.clear() == (0, 0)


def test_a_write_that_fails_leaves_what_was_there(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.save(LABEL, b"old")
    with monkeypatch.context() as full:
        full.setattr(os, "fdopen", raise_no_space)
        with pytest.raises(OutputError, match="No space left"):
            shelf.save(LABEL, b"new")
    assert loaded(shelf) == b"old"
    assert len(list(shelf.folder.iterdir())) == 1


def raise_no_space(descriptor: int, mode: str) -> None:
    os.close(descriptor)
    raise OSError(28, "No space left on device")


WRITER = """
import sys
from pathlib import Path
from inspector.source.shelf import Label, Shelf
shelf, letter = Shelf(Path(sys.argv[1])), sys.argv[2].encode()
label = Label(kind="catalog", subject="shared")
seen = set()
for _ in range(150):
    shelf.save(label, letter * 50_000)
    kept = shelf.load(label)
    assert kept is not None and len(set(kept.content)) == 1 and len(kept.content) == 50_000
"""


def test_processes_that_write_at_once_never_read_a_mixture(shelf: Shelf) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(shelf.folder), letter])  # noqa: S603
        for letter in "abc"
    ]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert loaded(shelf, Label(kind="catalog", subject="shared")) is not None
    assert len(list(shelf.folder.iterdir())) == 1


def test_entries_say_what_they_are_and_clear_removes_them_all(shelf: Shelf) -> None:
    shelf.save(LABEL, CONTENT)
    shelf.save(OTHER, b"")
    (shelf.folder / "catalog-x.entry").write_bytes(b"damaged")
    (shelf.folder / ".catalog-x.entry.abc").write_bytes(b"left by a broken run")
    (shelf.folder / "README").write_text("not ours")
    entries = shelf.entries()
    assert {entry.label for entry in entries} == {LABEL, OTHER, None}
    assert [entry.bytes for entry in entries] == [one.path.stat().st_size for one in entries]
    assert shelf.clear() == (4, sum(entry.bytes for entry in entries))
    assert [path.name for path in shelf.folder.iterdir()] == ["README"]
    assert shelf.clear() == (0, 0)


@pytest.mark.parametrize("name", ["org/name", "name", "https://hub/org/name", "/hub/org/name/"])
def test_one_checkpoint_is_cleared_by_whole_components_of_its_name(shelf: Shelf, name: str) -> None:
    one_file = Label(kind="catalog", subject="https://hub/org/name/a.safetensors")
    for label in (LABEL, OTHER, one_file):
        shelf.save(label, CONTENT)
    assert {entry.label for entry in shelf.entries(name)} == {LABEL, one_file}
    assert shelf.clear(name)[0] == 2
    assert [entry.label for entry in shelf.entries()] == [OTHER]
