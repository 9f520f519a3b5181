import threading
import time
from collections.abc import Iterator

import pytest

from inspector.source.pool import map_ordered


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.002 * (10 - item % 10))
        return item

    assert list(map_ordered(slow_first, range(30), jobs=8)) == list(range(30))


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_than_jobs_run_at_a_time(jobs: int) -> None:
    lock = threading.Lock()
    running, most = 0, 0

    def work(item: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1
        return item

    list(map_ordered(work, range(12), jobs=jobs))
    assert most == jobs


def test_an_error_is_raised_in_its_place_and_stops_the_rest() -> None:
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


def test_items_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = map_ordered(lambda item: item, items(), jobs=2)
    next(results)
    assert len(taken) <= 5
    results.close()  # type: ignore[attr-defined]  # a generator


def test_nothing_gives_nothing() -> None:
    assert list(map_ordered(lambda item: item, [], jobs=4)) == []
