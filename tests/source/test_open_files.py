"""Few files of a local checkpoint are open at a time, and what is read is right all the same."""

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from inspector.errors import ObjectNotFound, SourceChanged
from inspector.format.spans import Span
from inspector.source.base import Ledger
from inspector.source.local import LocalSource
from inspector.source.open_files import MOST_OPEN, OpenFile, OpenFiles

LENGTH = 100
FILES = [f"{number:03}.safetensors" for number in range(3 * MOST_OPEN)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that each hold their own name, again and again."""
    for name in FILES:
        (tmp_path / name).write_text(name * LENGTH)
    return tmp_path


def opener(folder: Path) -> Callable[[str], int]:
    return lambda path: os.open(folder / path, os.O_RDONLY)


def is_open(file: OpenFile) -> bool:
    try:
        os.fstat(file.descriptor)
    except OSError:
        return False
    return True


def used(files: OpenFiles, path: str) -> OpenFile:
    """The file after it was taken and given back."""
    file = files.take(path)
    files.give_back(file)
    return file


def test_the_files_that_were_used_last_stay_open(folder: Path) -> None:
    files = OpenFiles(opener(folder), most=3)
    first, second, third = (used(files, name) for name in FILES[:3])
    assert used(files, FILES[0]) is first
    fourth = used(files, FILES[3])
    assert len(files) == 3
    assert used(files, FILES[0]) is first
    assert used(files, FILES[2]) is third
    assert used(files, FILES[3]) is fourth
    assert used(files, FILES[1]) is not second
    files.close()
    assert not any(map(is_open, (first, third, fourth)))


def test_a_file_that_is_read_is_not_closed_before_it_is_given_back(folder: Path) -> None:
    files = OpenFiles(opener(folder), most=2)
    read = [files.take(name) for name in FILES[:4]]
    twice = files.take(FILES[0])
    assert twice is read[0]
    assert all(map(is_open, read))
    files.give_back(twice)
    assert is_open(read[0])
    for file in read:
        files.give_back(file)
    assert len(files) == 2
    assert [is_open(file) for file in read] == [False, False, True, True]
    files.close()


def test_a_file_that_cannot_be_opened_is_not_held(folder: Path) -> None:
    files = OpenFiles(opener(folder), most=2)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            files.take("none.safetensors")
    assert len(files) == 0


def test_threads_that_read_more_files_than_stay_open_each_get_their_own(folder: Path) -> None:
    def read(number: int) -> None:
        rng = random.Random(number)
        for _ in range(500):
            name, start = rng.choice(FILES), rng.randrange(LENGTH)
            span = Span(start * len(name), (start + 1) * len(name))
            assert source.read(name, span) == name.encode()

    source = LocalSource(folder, Ledger())
    with closing(source), ThreadPoolExecutor(8) as threads:
        list(threads.map(read, range(8)))
        assert len(source._open) == MOST_OPEN


def closed(source: LocalSource) -> None:
    """Read all others, so that the first file is open no more."""
    for name in FILES[1:]:
        source.read(name, Span(0, 1))


@pytest.mark.parametrize("text", ["longer" * LENGTH, FILES[1] * LENGTH], ids=["size", "time"])
def test_a_file_that_was_replaced_while_it_was_closed_is_noticed(folder: Path, text: str) -> None:
    with closing(LocalSource(folder, Ledger())) as source:
        source.read(FILES[0], Span(0, 8))
        (folder / "new").write_text(text)
        os.utime(folder / "new", (1, 1))
        (folder / "new").rename(folder / FILES[0])
        closed(source)
        with pytest.raises(SourceChanged, match="changed while it was read"):
            source.read(FILES[0], Span(0, 8))


def test_sizes_and_stamps_are_those_of_the_first_time(folder: Path) -> None:
    os.utime(folder / FILES[0], (1, 1))
    with closing(LocalSource(folder, Ledger())) as source:
        size, stamp = source.size(FILES[0]), source.stamp(FILES[0])
        (folder / FILES[0]).unlink()
        closed(source)
        assert (source.size(FILES[0]), source.stamp(FILES[0])) == (size, stamp)


def test_a_file_that_is_gone_is_said_to_be(folder: Path) -> None:
    with closing(LocalSource(folder, Ledger())) as source:
        source.read(FILES[0], Span(0, 8))
        (folder / FILES[0]).unlink()
        closed(source)
        with pytest.raises(ObjectNotFound, match=FILES[0]):
            source.read(FILES[0], Span(0, 8))
