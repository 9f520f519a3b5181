"""Documents that commands have written: files, and the reports of runs in folders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspector.analysis.documents import Answer, parse_answer
from inspector.errors import ObjectNotFound, UsageError
from inspector.run.find import REPORT_FILE, find_runs


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """A document, and the text of the file that it was read from."""

    file: Path
    text: str
    document: Answer


def read_answers(paths: Sequence[Path]) -> list[FoundAnswer]:
    """The documents of files, and of folders the reports of their runs, in the order given.

    Raises:
        ObjectNotFound: there is no such file or folder, or it cannot be read.
        UsageError: a file is no document of a command, or no run in a folder is finished.
    """
    return [_read(file) for path in paths for file in _files(path)]


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    runs = find_runs(path)
    finished = [Path(one.folder) / REPORT_FILE for one in runs if one.finished]
    if not finished:
        hint = f"go on with: {runs[0].command}" if runs else "name files, or folders of --out"
        what = "no run that is finished" if runs else "no run"
        raise UsageError(f"{path}: {what}: expected {REPORT_FILE}", hint=hint)
    yield from finished


def _read(file: Path) -> FoundAnswer:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ObjectNotFound(f"{file}: cannot be read: {error.strerror}") from error
    document = parse_answer(content, file=str(file))
    return FoundAnswer(file, content.decode(), document)
