import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector import errors
from inspector.errors import FormatError, InspectorError, OutputError, Place, Problem, Severity
from inspector.run.folder import RunFolder, open_run
from inspector.run.identity import Identity
from inspector.run.packing import packed, unpacked
from inspector.run.tasks import Made, Task, batches, call_at_worker, crew_here, results_of
from inspector.source.base import Ledger
from tests.run.counting import Square

COUNT = 9


class Killed(BaseException):
    """What ends a run in the middle."""


class Mortal(RunFolder):
    """A folder that takes only so many results."""

    left = 10**9

    def save(self, name: str, content: bytes) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1
        super().save(name, content)


def folder_at(path: Path) -> Mortal:
    opened = open_run(path, Identity(command="c", inputs={}, parameters={}), [])
    return Mortal(opened.path, opened.facts)


def number_of(content: bytes) -> int | None:
    return unpacked(content, int)


def squares(
    folder: RunFolder | None, tasks: Sequence[Task] | None = None, told: list[int] | None = None
) -> list[int]:
    tasks = [Square(number) for number in range(COUNT)] if tasks is None else tasks
    with crew_here({}, Ledger(), jobs=2) as crew:
        return results_of(tasks, crew, folder, number_of, (told if told is not None else []).append)


def files(path: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in (path / "tasks").iterdir()}


def test_results_come_in_the_order_of_the_tasks_and_are_kept(tmp_path: Path) -> None:
    folder, told = folder_at(tmp_path), list[int]()
    assert squares(folder, told=told) == [number**2 for number in range(COUNT)]
    assert squares(None) == [number**2 for number in range(COUNT)]
    assert files(tmp_path) == {f"square-{n}.json": b"%d" % n**2 for n in range(COUNT)}
    assert (told[0], told[-1]) == (0, COUNT)
    assert told == sorted(told)
    assert folder.planned() == COUNT


@pytest.mark.parametrize("after", range(COUNT + 1))
def test_a_run_killed_after_any_result_makes_the_others_alone(after: int, tmp_path: Path) -> None:
    first = folder_at(tmp_path)
    first.left = after
    try:
        squares(first)
    except Killed:
        assert first.made == after
    second, told = folder_at(tmp_path), list[int]()
    assert squares(second, told=told) == [number**2 for number in range(COUNT)]
    assert (second.found, second.made) == (after, COUNT - after)
    assert told[0] == after
    assert len(files(tmp_path)) == COUNT


def test_a_damaged_result_is_made_again(tmp_path: Path) -> None:
    squares(folder_at(tmp_path))
    for name, content in {"square-3.json": b"", "square-5.json": b"[2"}.items():
        (tmp_path / "tasks" / name).write_bytes(content)
    again = folder_at(tmp_path)
    assert squares(again)[3:6] == [9, 16, 25]
    assert again.made == 2


def test_a_task_that_fails_ends_the_run_and_what_was_made_stays(tmp_path: Path) -> None:
    folder = folder_at(tmp_path)
    with pytest.raises(ZeroDivisionError):
        squares(folder, [Square(1), Square(2), *(Square(-n) for n in range(1, 9))])
    assert squares(folder_at(tmp_path), [Square(1), Square(2)]) == [1, 4]


def test_a_result_that_is_lost_on_its_way_is_said_to_be(tmp_path: Path) -> None:
    with crew_here({}, Ledger(), jobs=1) as crew, pytest.raises(OutputError, match="square-1"):
        results_of([Square(1)], crew, folder_at(tmp_path), lambda _: None)


def test_what_workers_read_is_counted_here() -> None:
    ledger = Ledger()
    with crew_here({}, ledger, jobs=1) as crew:
        far = type(crew)(crew.executor, lambda task: Made(b"1", 3, 50), crew.width, crew.ledger)
        results_of([Square(1), Square(2)], far, None, number_of)
    assert (ledger.requests, ledger.bytes) == (6, 100)


def test_a_task_says_the_same_after_it_was_sent() -> None:
    assert call_at_worker(_sent(Square(7))) == Made(b"49")


def _sent(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301  our own values


@pytest.mark.parametrize(
    "value",
    [[1.0, float("inf"), -0.0, 5e-324, 0.1 + 0.2], {"a": [True, None]}, [float(2**70), 1e308]],
)
def test_results_come_back_bit_for_bit(value: object) -> None:
    content = packed(value)
    back = unpacked(content, type(value))
    assert packed(back) == content
    assert repr(back) == repr(value)


def test_errors_come_back_from_a_worker_as_they_were() -> None:
    problem = Problem(
        rule="r", severity=Severity.ERROR, where=Place(), message="m", expected="e", found="f"
    )
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    ours = [kind for kind in kinds if issubclass(kind, InspectorError) and kind is not FormatError]
    assert len(ours) > 8
    for error in [FormatError([problem]), *(kind("what", hint="how") for kind in ours)]:
        back = _sent(error)
        assert (type(back), str(back), back.hint) == (type(error), str(error), error.hint)


@given(st.lists(st.integers(0, 50), max_size=30), st.integers(1, 100), st.integers(1, 10))
def test_batches_cover_all_items_in_order_within_the_limits(
    sizes: list[int], most: int, items: int
) -> None:
    cuts = list(batches(sizes, max_bytes=most, max_items=items))
    assert [at for cut in cuts for at in range(cut.start, cut.stop)] == list(range(len(sizes)))
    for cut in cuts:
        inside = sizes[cut]
        assert 0 < len(inside) <= items
        assert sum(inside) <= most or len(inside) == 1
