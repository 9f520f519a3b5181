"""Plans of independent tasks, done by threads here or by workers elsewhere, with results on disk.

A task is a value that can be sent: it names its inputs and what to do with them. Its result is
bytes that depend on nothing else, so that it does not matter who makes it, or when, or twice.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import msgspec

from inspector.errors import AccessDenied, DeviceNotThere, ObjectNotFound, OutputError
from inspector.run.folder import TASKS, RunFolder
from inspector.run.recipe import OpenSources, Recipe, TaskInput
from inspector.source.base import Ledger, Source
from inspector.source.pool import threads

Value = TypeVar("Value")

TASK_BYTES: Final = 256_000_000
"""Stored bytes that one task reads, if it can be cut so: some seconds of work."""

TASK_ITEMS: Final = 64
"""Weights of one task, at most."""

SMALL_TASK: Final = 32_000_000
"""Up to so many bytes, all weights of a task may be read at once."""


class Task(Protocol):
    """Independent work. It can be pickled; `name` tells it from all others of its run."""

    @property
    def name(self) -> str:
        """A file name: what the task does, and a digest of what it reads."""

    @property
    def inputs(self) -> Sequence[TaskInput]:
        """What it reads."""

    @property
    def size(self) -> int:
        """Stored bytes that it reads, for progress."""

    def run(self, sources: Sequence[Source]) -> bytes:
        """The result, given the sources of its inputs."""


@dataclass(frozen=True, slots=True)
class Made:
    """A result, and what reading for it took."""

    content: bytes
    requests: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Crew:
    """Who does tasks: an executor, what it calls with one, and how many it may be given at a time.

    `ledger` is told of what its members read, where they do not count there themselves.
    """

    executor: Executor
    call: Callable[[Task], Made]
    width: Callable[[], int]
    ledger: Ledger


@contextmanager
def crew_here(sources: Mapping[Recipe, Source], ledger: Ledger, *, jobs: int) -> Iterator[Crew]:
    """So many threads of this process, reading from sources that are open already."""

    def call(task: Task) -> Made:
        return Made(task.run([sources[wanted.recipe] for wanted in task.inputs]))

    with threads(jobs) as executor:
        yield Crew(executor, call, lambda: 2 * jobs, ledger)


_ELSEWHERE: Final = OpenSources()

_OWN_RIGHTS: Final = (
    "workers open the checkpoint themselves: each needs the same path, or credentials of its own"
)


def call_at_worker(task: Task) -> Made:
    """Do a task in a process that shares nothing but the task with the one that planned it.

    Raises:
        InspectorError: as the task does; of what is not there or not given, whose matter that is.
    """
    try:
        content = task.run([_ELSEWHERE.open(wanted) for wanted in task.inputs])
    except (ObjectNotFound, AccessDenied) as error:
        raise type(error)(f"at a worker: {error}", hint=_OWN_RIGHTS) from error
    except DeviceNotThere as error:
        raise DeviceNotThere(f"at a worker: {error}", hint=error.hint) from error
    requests, byte_count = _ELSEWHERE.ledger.take()
    return Made(content, requests, byte_count)


def results_of(
    tasks: Sequence[Task],
    crew: Crew,
    folder: RunFolder | None,
    decode: Callable[[bytes], Value | None],
    tell: Callable[[int], None] = lambda _: None,
) -> list[Value]:
    """The result of every task, in order.

    Args:
        tasks: what is to be done.
        crew: who does it.
        folder: where results are found, and kept as soon as they are there; None for nowhere.
        decode: reads a result; None for one that is damaged, which is made again.
        tell: is told the bytes of the tasks that are done.
    """
    if folder is not None:
        folder.keep_plan(len(tasks))
    found: dict[int, Value] = {}
    waiting: deque[int] = deque()
    for number, task in enumerate(tasks):
        kept = None if folder is None else folder.load(f"{TASKS}/{task.name}")
        value = None if kept is None else decode(kept)
        if value is None:
            waiting.append(number)
        else:
            found[number] = value
    done_bytes = sum(tasks[number].size for number in found)
    tell(done_bytes)
    pending: dict[Future[Made], int] = {}
    while waiting or pending:
        for _ in range(min(len(waiting), crew.width() - len(pending))):
            number = waiting.popleft()
            pending[crew.executor.submit(crew.call, tasks[number])] = number
        for future in wait(pending, return_when=FIRST_COMPLETED).done:
            number = pending.pop(future)
            found[number] = _taken(tasks[number], future.result(), crew, folder, decode)
            done_bytes += tasks[number].size
        tell(done_bytes)
    return [found[number] for number in range(len(tasks))]


def _taken(
    task: Task,
    made: Made,
    crew: Crew,
    folder: RunFolder | None,
    decode: Callable[[bytes], Value | None],
) -> Value:
    value = decode(made.content)
    if value is None:
        raise OutputError(
            f"{task.name}: what was made of it is not to be found",
            hint="--out must be a folder that every worker has under the same name",
        )
    if folder is not None:
        folder.save(f"{TASKS}/{task.name}", made.content)
    crew.ledger.add_all(requests=made.requests, byte_count=made.bytes)
    return value


def batches(sizes: Sequence[int], *, max_bytes: int, max_items: int) -> Iterator[slice]:
    """Runs of items of at most so many bytes and items, or of one that is larger.

    >>> [(one.start, one.stop) for one in batches([5, 5, 20, 1], max_bytes=10, max_items=9)]
    [(0, 2), (2, 3), (3, 4)]
    """
    start, held = 0, 0
    for at, size in enumerate(sizes):
        if at > start and (held + size > max_bytes or at - start == max_items):
            yield slice(start, at)
            start, held = at, 0
        held += size
    if start < len(sizes):
        yield slice(start, len(sizes))


def digest_of(*facts: object) -> str:
    """A short name for what a task reads and does."""
    return hashlib.blake2b(msgspec.json.encode(facts), digest_size=8).hexdigest()


def jobs_inside(task: Task, jobs: int) -> int:
    """Weights that a task looks into at a time: one is read while another is worked on."""
    return jobs if task.size <= SMALL_TASK else 2
