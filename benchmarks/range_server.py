"""A server of byte ranges in a process of its own, made to cost little beside the clients it times.

`python -m benchmarks.range_server LATENCY_MS` prints its URL, and for each line on its stdin the
requests it has answered and the processor seconds it has used so far. It knows one file in memory,
GET with one range, and HEAD.
"""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

FILE_BYTES: Final = 8 << 20

_CONTENT: Final = memoryview(bytes(range(256)) * (FILE_BYTES // 256))
_RANGE: Final = re.compile(rb"\r\nrange: *bytes=(\d+)-(\d+)", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"
_COMMON: Final = (
    b"Content-Type: application/octet-stream\r\nAccept-Ranges: bytes\r\n"
    b'ETag: "1"\r\nLast-Modified: Sun, 01 Nov 2026 00:00:00 GMT\r\n'
)


@dataclass(frozen=True, slots=True)
class Served:
    """What a server has done so far."""

    requests: int
    processor: float


class RangeServer:
    """A server that runs elsewhere."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self.url = stdout.readline().strip()

    def served(self) -> Served:
        """Requests and processor seconds since it started."""
        self._stdin.write("\n")
        self._stdin.flush()
        requests, processor = self._stdout.readline().split()
        return Served(int(requests), float(processor))


@contextmanager
def range_server(*, latency_ms: int) -> Iterator[RangeServer]:
    """Serve one file of `FILE_BYTES`, byte i of which is i modulo 256."""
    command = [sys.executable, "-m", "benchmarks.range_server", str(latency_ms)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise ValueError("the streams are not pipes")
        yield RangeServer(process.stdin, process.stdout)
        process.stdin.close()


class _Connection(asyncio.Protocol):
    """One client, which waits for each answer before it asks again."""

    latency = 0.0
    requests = 0

    def __init__(self) -> None:
        self._asked = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._asked += data
        if not self._asked.endswith(_HEAD_END):
            return
        answer = _answer(self._asked)
        self._asked = b""
        _Connection.requests += 1
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: tuple[bytes, memoryview]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(answer))


def _answer(asked: bytes) -> tuple[bytes, memoryview]:
    wanted = _RANGE.search(asked)
    start, stop = (int(wanted[1]), int(wanted[2]) + 1) if wanted else (0, FILE_BYTES)
    status = b"HTTP/1.1 200 OK\r\n"
    if wanted:
        place = b"Content-Range: bytes %d-%d/%d\r\n" % (start, stop - 1, FILE_BYTES)
        status = b"HTTP/1.1 206 Partial Content\r\n" + place
    head = b"%s%sContent-Length: %d\r\n\r\n" % (status, _COMMON, stop - start)
    return head, _CONTENT[:0] if asked.startswith(b"HEAD") else _CONTENT[start:stop]


async def _serve(latency: float) -> None:
    _Connection.latency = latency
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(_Connection.requests, time.process_time(), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]) / 1000))
