"""Clients that read ranges of one URL from a pool of threads, each run a process of its own.

`python -m benchmarks.range_clients CLIENT URL JOBS LENGTH COUNT` prints wall seconds and processor
seconds of `COUNT` reads: imports and connections are made before the clocks start.
"""

import http.client
import importlib
import importlib.util
import resource
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from benchmarks.range_server import FILE_BYTES
from inspector.format.spans import Span
from inspector.source.pool import map_ordered

Read = Callable[[int, int], bytes]
"""Gives the bytes `[start, stop)` of the file; called by many threads at once."""

_FILE: Final = "model.safetensors"
_WARM_UP: Final = 8
"""Reads of each thread before the clocks start."""

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class RangeRun:
    """Reads of one process: wall and processor seconds."""

    reads: int
    wall: float
    processor: float


def run_client(client: str, url: str, *, jobs: int, length: int, count: int) -> RangeRun:
    """Read `count` ranges of `length` bytes in a fresh process, `jobs` at a time."""
    options = [str(jobs), str(length), str(count)]
    command = [sys.executable, "-m", "benchmarks.range_clients", client, url, *options]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    wall, processor = found.stdout.split()
    return RangeRun(count, float(wall), float(processor))


def available_clients() -> list[str]:
    """The clients whose libraries are installed, ours first."""
    return [name for name in _CLIENTS if importlib.util.find_spec(_NEEDS.get(name, "inspector"))]


def _s1inspect(url: str, jobs: int) -> Read:
    from inspector.source.base import Ledger
    from inspector.source.http import HttpSource

    del jobs
    source = HttpSource(url, Ledger(), only=_FILE)
    return lambda start, stop: source.read(_FILE, Span(start, stop))


def _httpx2(url: str, jobs: int) -> Read:
    httpx2 = importlib.import_module("httpx2")
    limits = httpx2.Limits(max_connections=jobs, max_keepalive_connections=jobs)
    client = httpx2.Client(limits=limits)

    def read(start: int, stop: int) -> bytes:
        answer = client.get(f"{url}/{_FILE}", headers=_range(start, stop))
        return _checked(answer.status_code, answer.content)

    return read


def _urllib3(url: str, jobs: int) -> Read:
    pool = importlib.import_module("urllib3").PoolManager(maxsize=jobs, block=True)

    def read(start: int, stop: int) -> bytes:
        answer = pool.request("GET", f"{url}/{_FILE}", headers=_range(start, stop))
        return _checked(answer.status, answer.data)

    return read


def _http_client(url: str, jobs: int) -> Read:
    del jobs
    connection = _per_thread(lambda: http.client.HTTPConnection(urlsplit(url).netloc))

    def read(start: int, stop: int) -> bytes:
        connection().request("GET", f"/{_FILE}", headers=_range(start, stop))
        answer = connection().getresponse()
        return _checked(answer.status, answer.read())

    return read


def _socket(url: str, jobs: int) -> Read:
    """No HTTP library: nearly what the server and the pool of threads cost by themselves."""
    del jobs
    parts = urlsplit(url)
    connection = _per_thread(
        lambda: socket.create_connection((parts.hostname or "", parts.port or 0))
    )

    def read(start: int, stop: int) -> bytes:
        asked = f"GET /{_FILE} HTTP/1.1\r\nHost: x\r\nRange: bytes={start}-{stop - 1}\r\n\r\n"
        connection().sendall(asked.encode())
        found = b""
        while True:
            part = connection().recv(1 << 20)
            if not part:
                raise ConnectionError(f"closed after {len(found)} bytes")
            found += part
            head, end, body = found.partition(b"\r\n\r\n")
            if end and len(body) >= stop - start:
                return _checked(int(head[9:12]), body)

    return read


_CLIENTS: Final[Mapping[str, Callable[[str, int], Read]]] = MappingProxyType(
    {
        "s1inspect": _s1inspect,
        "httpx2": _httpx2,
        "urllib3": _urllib3,
        "http.client": _http_client,
        "bare sockets": _socket,
    }
)
_NEEDS: Final = MappingProxyType({"httpx2": "httpx2", "urllib3": "urllib3"})


def _per_thread(make: Callable[[], _Made]) -> Callable[[], _Made]:
    local = threading.local()

    def of_thread() -> _Made:
        if not hasattr(local, "made"):
            local.made = make()
        made: _Made = local.made
        return made

    return of_thread


def _range(start: int, stop: int) -> dict[str, str]:
    return {"Range": f"bytes={start}-{stop - 1}"}


def _checked(status: int, body: Any) -> bytes:
    if status != 206:
        raise ValueError(f"expected 206, got {status}")
    return bytes(body)


def _measure(read: Read, *, jobs: int, length: int, count: int) -> tuple[float, float]:
    """Wall and processor seconds of `count` reads; one pool of threads, warm before the clocks."""
    warm_up = _WARM_UP * jobs
    content = bytes(range(256)) * (length // 256 + 2)
    started = threading.Event()

    def read_one(number: int) -> bytes:
        if number >= warm_up:
            started.wait()
        start = number * 4099 * 4096 % (FILE_BYTES - length - 256) + number % 256
        body = read(start, start + length)
        assert len(body) == length, f"expected {length} bytes, got {len(body)}"
        first = start % 256
        assert number >= warm_up or body == content[first : first + length], "wrong bytes"
        return body

    bodies = map_ordered(read_one, range(warm_up + count), jobs=jobs)
    deque(islice(bodies, warm_up), maxlen=0)
    wall, processor = time.perf_counter(), _processor()
    started.set()
    deque(bodies, maxlen=0)
    return time.perf_counter() - wall, _processor() - processor


def _processor() -> float:
    """User and system seconds of this process, all threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure one client."""
    client, url, *numbers = sys.argv[1:]
    jobs, length, count = (int(number) for number in numbers)
    print(*_measure(_CLIENTS[client](url, jobs), jobs=jobs, length=length, count=count))


if __name__ == "__main__":
    main()
