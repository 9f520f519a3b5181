"""The test hub in a process of its own, which says on request what it was asked for.

`python -m benchmarks.counting_hub ROOT LATENCY_MS` prints its endpoint, and for each line on its
stdin one line of JSON: the requests since the last, and the bytes of their bodies.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests that a hub and its CDN answered: by kind, and the bytes of all bodies."""

    requests: int
    redirects: int
    ranges: int
    bytes: int


class CountingHub:
    """A hub that runs elsewhere."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._stdin: IO[str] = _present(process.stdin)
        self._stdout: IO[str] = _present(process.stdout)
        self.endpoint = self._stdout.readline().strip()

    def counts(self) -> Counts:
        """What was asked since the last call."""
        self._stdin.write("\n")
        self._stdin.flush()
        return Counts(**json.loads(self._stdout.readline()))


@contextmanager
def counting_hub(root: Path, *, latency_ms: int) -> Iterator[CountingHub]:
    """Serve the repositories below `root`, each request after `latency_ms`."""
    command = [sys.executable, "-m", "benchmarks.counting_hub", str(root), str(latency_ms)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield CountingHub(process)
        _present(process.stdin).close()


def _present(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise ValueError("the stream is not a pipe")
    return stream


def main() -> None:
    """Serve until stdin ends."""
    from tests.hub import Hub

    root, latency_ms = sys.argv[1:]
    with Hub(Path(root), latency=int(latency_ms) / 1000) as hub:
        print(hub.endpoint, flush=True)
        for _ in sys.stdin:
            log = hub.log[:]
            del hub.log[: len(log)]
            found = {
                "requests": len(log),
                "redirects": sum(300 <= request.status < 400 for request in log),
                "ranges": sum(request.status == 206 for request in log),
                "bytes": sum(request.body_bytes for request in log),
            }
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
