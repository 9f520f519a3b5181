"""`s1inspect` in this process, watched from outside: what each phase of a match waits for.

`python -m benchmarks.phases OUT.json ARGUMENT...` runs the command and writes, by phase, seconds
of waiting for reads, of computing while others read and of computing alone. Nothing of the package
knows that it is watched: its functions are wrapped here.
"""

import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.timing import RSS_UNIT

FIRST: Final = "finding the experts"
LAST: Final = "verdicts and the report"


@dataclass(slots=True)
class Phase:
    """Seconds by what happened meanwhile, and what was read.

    `waiting` and `computing` are of the main thread and add up to the wall; `both` is the part of
    `computing` during which reads were under way. `in_reads` adds up the seconds of all requests;
    `decoding` and `processor` are of the processor, of decoding in all threads, and of everything.
    `peak_rss` is that of the process so far.
    """

    waiting: float = 0.0
    computing: float = 0.0
    both: float = 0.0
    in_reads: float = 0.0
    decoding: float = 0.0
    processor: float = 0.0
    requests: int = 0
    bytes: int = 0
    peak_rss: int = 0

    @property
    def wall(self) -> float:
        return self.waiting + self.computing


@dataclass(slots=True)
class Watch:
    """Adds up time by phase; told of each change of what is under way."""

    phases: dict[str, Phase] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _name: str = FIRST
    _reads: int = 0
    _waits: int = 0
    _since: float = field(default_factory=time.perf_counter)
    _processor: float = field(default_factory=time.process_time)

    @property
    def now(self) -> Phase:
        return self.phases.setdefault(self._name, Phase())

    def _settle(self) -> None:
        """Count what passed since the last change."""
        moment, processor = time.perf_counter(), time.process_time()
        passed, phase = moment - self._since, self.now
        if self._waits:
            phase.waiting += passed
        else:
            phase.computing += passed
            phase.both += passed if self._reads else 0.0
        phase.processor += processor - self._processor
        self._since, self._processor = moment, processor

    def enter(self, name: str) -> None:
        """Another phase from here on."""
        with self._lock:
            self._settle()
            self.now.peak_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
            self._name = name

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While the main thread waits."""
        with self._lock:
            self._settle()
            self._waits += 1
        try:
            yield
        finally:
            with self._lock:
                self._settle()
                self._waits -= 1

    @contextmanager
    def reading(self) -> Iterator[Callable[[int], None]]:
        """While a request is under way, in any thread; takes the bytes of its answer."""
        started = time.perf_counter()
        with self._lock:
            self._settle()
            self._reads += 1
        size = 0

        def note(count: int) -> None:
            nonlocal size
            size = count

        try:
            yield note
        finally:
            with self._lock:
                self._settle()
                self._reads -= 1
                self.now.requests += 1
                self.now.bytes += size
                self.now.in_reads += time.perf_counter() - started

    def decoded(self, seconds: float) -> None:
        """Seconds of the processor that decoding took."""
        with self._lock:
            self.now.decoding += seconds


def watch_package(watch: Watch) -> None:
    """Wrap what waits, what reads, what decodes, and what begins each phase."""
    from inspector.analysis import expert_match
    from inspector.checkpoint import hidden, reader
    from inspector.source import ranges

    wait, read, decode = Future.result, ranges.UrlReader.read, reader._decoded

    def result(future: "Future[Any]", timeout: float | None = None) -> object:
        if threading.current_thread() is not threading.main_thread() or future.done():
            return wait(future, timeout)
        with watch.waiting():
            return wait(future, timeout)

    def reading(source: object, *asked: Any, **options: Any) -> bytes:
        with watch.reading() as note:
            found: bytes = read(source, *asked, **options)  # type: ignore[arg-type]
            note(len(found))
            return found

    def decoding(*asked: Any) -> object:
        started = time.thread_time()
        try:
            return decode(*asked)
        finally:
            watch.decoded(time.thread_time() - started)

    Future.result = result  # type: ignore[method-assign, assignment]
    ranges.UrlReader.read = reading  # type: ignore[method-assign, assignment]
    reader._decoded = decoding  # type: ignore[assignment]
    for owner, name, phase in (
        (hidden.HiddenBasis, "read", "stage 0"),
        (expert_match, "without_outliers", "choice of rows"),
        (expert_match._Run, "_pilot_agrees", "trial of 32 rows"),
        (expert_match._Run, "_look", "look at {} rows"),
        (expert_match._Run, "_look_at_gates", "rows of gate and up"),
    ):
        _in_phase(watch, owner, name, phase)


def _in_phase(watch: Watch, owner: object, name: str, phase: str) -> None:
    """Wrap a function: while it runs, and after it until the next one, it is another phase."""
    inner: Callable[..., object] = getattr(owner, name)

    def wrapped(*asked: Any, **options: Any) -> object:
        watch.enter(phase.format(*asked[1:2]))
        try:
            return inner(*asked, **options)
        finally:
            watch.enter(LAST)

    setattr(owner, name, wrapped)


def main() -> None:
    """Run the command line watched; its exit code is passed on."""
    out, *arguments = sys.argv[1:]
    from inspector.cli.machine import multiply_in_one_thread

    multiply_in_one_thread()  # as the command does, before anything here loads numpy
    watch = Watch()
    watch_package(watch)
    from inspector.cli.app import app

    code = 0
    try:
        app(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    watch.enter(LAST)
    Path(out).write_text(json.dumps({name: asdict(one) for name, one in watch.phases.items()}))
    sys.exit(code)


if __name__ == "__main__":
    main()
