"""The one place with threads: a bounded map over reads, in order, and a read that Ctrl-C ends."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ordered(
    function: Callable[[Item], Result], items: Iterable[Item], *, jobs: int
) -> Iterator[Result]:
    """`function` of every item, in order, at most `jobs` at a time and `2 * jobs` ahead.

    Results are handed over as soon as those before them are; an exception stops the rest.
    """
    with threads(jobs) as executor:
        yield from _in_order(executor, function, items, ahead=2 * jobs)


class Lanes:
    """Threads that several callers share: `jobs` reads are under way at a time, whoever asked.

    What runs in them must not ask them for more: it would wait for threads that wait for it.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._executor = ThreadPoolExecutor(jobs, thread_name_prefix="s1inspect-read")

    def map_ordered(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[Result]:
        """As `map_ordered`, with the threads that are shared."""
        return _in_order(self._executor, function, items, ahead=2 * self._jobs)


def _in_order(
    executor: Executor, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    pending: deque[Future[Result]] = deque()
    waiting = iter(items)
    try:
        for item in islice(waiting, ahead):
            pending.append(executor.submit(function, item))
        while pending:
            result = pending.popleft().result()
            for item in islice(waiting, 1):
                pending.append(executor.submit(function, item))
            yield result
    finally:
        for one in pending:
            one.cancel()


@contextmanager
def threads(jobs: int) -> Iterator[Executor]:
    """So many threads. What has not begun at the end of the block is given up, unwaited for."""
    executor = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="s1inspect-read")
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def begin(function: Callable[[], Result]) -> Callable[[], Result]:
    """`function`, begun in a thread of its own; what is returned waits for what it returns."""
    outcome: Future[Result] = Future()
    _spawn(function, outcome, name="s1inspect-ahead")
    return outcome.result


def call_interruptibly(function: Callable[[], Result]) -> Result:
    """What `function` returns. On the main thread it runs in another, so that Ctrl-C is heard.

    Python hears a signal between its own instructions only; obstore waits outside of them.
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
    outcome: Future[Result] = Future()
    _spawn(function, outcome, name="s1inspect-wait")
    return outcome.result()


def _spawn(function: Callable[[], Result], outcome: Future[Result], *, name: str) -> None:
    """Run `function` in a thread that nothing waits for at the end."""

    def work() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:  # it belongs to the caller, whatever it is
            outcome.set_exception(error)

    threading.Thread(target=work, name=name, daemon=True).start()
