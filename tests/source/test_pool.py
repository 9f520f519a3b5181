import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

import pytest

from inspector.source.pool import Lanes, begin, map_ordered

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_lanes(
    function: Callable[[Item], Result], items: Iterable[Item], *, jobs: int
) -> Iterator[Result]:
    return Lanes(jobs).map_ordered(function, items)


both = pytest.mark.parametrize("map_ordered", [map_ordered, map_in_lanes])


@both
def test_results_come_in_the_order_of_the_items(map_ordered: Callable[..., Iterator[int]]) -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.002 * (10 - item % 10))
        return item

    assert list(map_ordered(slow_first, range(30), jobs=8)) == list(range(30))


class Working:
    """Counts how many of its calls run at a time."""

    def __init__(self) -> None:
        self.lock, self.running, self.most = threading.Lock(), 0, 0

    def __call__(self, item: int) -> int:
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.005)
        with self.lock:
            self.running -= 1
        return item


@both
@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_than_jobs_run_at_a_time(
    map_ordered: Callable[..., Iterator[int]], jobs: int
) -> None:
    work = Working()
    list(map_ordered(work, range(12), jobs=jobs))
    assert work.most == jobs


def test_callers_share_lanes() -> None:
    lanes, work = Lanes(3), Working()
    waited = [begin(partial(_listed, lanes, work, start)) for start in (0, 20, 40)]
    assert [one() for one in waited] == [list(range(s, s + 20)) for s in (0, 20, 40)]
    assert work.most == 3


def test_an_error_of_one_caller_is_none_of_the_others() -> None:
    def work(item: int) -> int:
        time.sleep(0.002)
        if item < 0:
            raise ValueError("below zero")
        return item

    lanes = Lanes(2)
    good = begin(partial(_listed, lanes, work, 0))
    with pytest.raises(ValueError, match="below zero"):
        list(lanes.map_ordered(work, [-1] * 10))
    assert good() == list(range(20))
    assert list(lanes.map_ordered(work, [1, 2])) == [1, 2]


def _listed(lanes: Lanes, work: Callable[[int], int], start: int) -> list[int]:
    return list(lanes.map_ordered(work, range(start, start + 20)))


@both
def test_an_error_is_raised_in_its_place_and_stops_the_rest(
    map_ordered: Callable[..., Iterator[int]],
) -> None:
    started: list[int] = []

    def work(item: int) -> int:
        started.append(item)
        if item == 5:
            raise ValueError("the fifth")
        return item

    results = map_ordered(work, range(1000), jobs=2)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="the fifth"):
        next(results)
    time.sleep(0.05)
    assert len(started) < 20


@both
def test_items_are_taken_as_they_are_needed(map_ordered: Callable[..., Iterator[int]]) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = map_ordered(lambda item: item, items(), jobs=2)
    next(results)
    assert len(taken) <= 5
    results.close()  # type: ignore[attr-defined]  # a generator


@both
def test_nothing_gives_nothing(map_ordered: Callable[..., Iterator[int]]) -> None:
    assert list(map_ordered(lambda item: item, [], jobs=4)) == []
