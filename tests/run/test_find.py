from pathlib import Path

import pytest

from inspector.errors import ObjectNotFound
from inspector.run.find import REPORT_FILE, find_runs
from inspector.run.folder import RunFolder, open_run
from inspector.run.identity import Identity


def begun(path: Path) -> RunFolder:
    identity = Identity(command="expert-similarity", inputs={}, parameters={})
    return open_run(path, identity, ["expert-similarity", "-m", "a b"])


def test_runs_are_found_at_a_folder_and_just_below_it(tmp_path: Path) -> None:
    begun(tmp_path / "one").save("rows/1", b"123")
    begun(tmp_path / "two").save(REPORT_FILE, b"{}")
    (tmp_path / "no run").mkdir()
    rows = find_runs(tmp_path)
    assert [Path(row.folder).name for row in rows] == ["one", "two"]
    assert [(row.finished, row.results, row.bytes) for row in rows] == [(False, 1, 3), (True, 1, 2)]
    assert rows[0].command == "s1inspect expert-similarity -m 'a b'"
    assert find_runs(tmp_path / "one") == rows[:1]


def test_a_folder_without_runs_has_none_and_no_folder_is_an_error(tmp_path: Path) -> None:
    assert find_runs(tmp_path) == []
    with pytest.raises(ObjectNotFound):
        find_runs(tmp_path / "absent")
