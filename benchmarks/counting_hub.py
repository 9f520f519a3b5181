"""The test hub in a process of its own, which says on request what it was asked for.

`python -m benchmarks.counting_hub ROOT LATENCY_MS [--one-request]` prints its endpoint and its
commit, and for each line on its stdin one line of JSON: what was asked since the last.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from tests.hub import Request


@dataclass(frozen=True, slots=True)
class Counts:
    """What a hub and its CDN answered. `bytes` are those of all bodies, as they were sent.

    `shards` counts those of which a range was sent, `indexes` the index files, whole or not;
    `holes` the ranges of shards, beginnings apart, in which some block was never written to disk.
    """

    requests: int
    redirects: int
    ranges: int
    shards: int
    indexes: int
    bytes: int
    holes: int


class CountingHub:
    """A hub that runs elsewhere."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._stdin: IO[str] = _present(process.stdin)
        self._stdout: IO[str] = _present(process.stdout)
        self.endpoint, self.commit = self._stdout.readline().split()

    def counts(self) -> Counts:
        """What was asked since the last call."""
        self._stdin.write("\n")
        self._stdin.flush()
        return Counts(**json.loads(self._stdout.readline()))


@contextmanager
def counting_hub(
    root: Path, *, latency_ms: int, one_request: bool = False
) -> Iterator[CountingHub]:
    """Serve the repositories below `root`, each request after `latency_ms`.

    With `one_request` it has the endpoint that gives all headers of a repository at once, and has
    built the answers.
    """
    command = [sys.executable, "-m", "benchmarks.counting_hub", str(root), str(latency_ms)]
    command += ["--one-request"] if one_request else []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield CountingHub(process)
        _present(process.stdin).close()


def _present(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise ValueError("the stream is not a pipe")
    return stream


def _counted(log: Iterable["Request"], root: Path) -> Counts:
    requests = list(log)
    ranged = [_path(request) for request in requests if request.status == 206]
    return Counts(
        requests=len(requests),
        redirects=sum(300 <= request.status < 400 for request in requests),
        ranges=len(ranged),
        shards=len({path for path in ranged if path.endswith(".safetensors")}),
        indexes=sum(_is_index(request) for request in requests),
        bytes=sum(request.body_bytes for request in requests),
        holes=_holes(requests, root),
    )


def _holes(requests: Iterable["Request"], root: Path) -> int:
    """Of how many ranges the file system says that part of them is a hole."""
    found = 0
    descriptors: dict[str, int] = {}
    for request in requests:
        path = _path(request)
        if request.status != 206 or request.range is None or not path.endswith(".safetensors"):
            continue
        if path not in descriptors:
            descriptors[path] = os.open(root / path.split("/", 2)[2], os.O_RDONLY)
        start, last = map(int, request.range.removeprefix("bytes=").split("-"))
        found += start > 0 and os.lseek(descriptors[path], start, os.SEEK_HOLE) <= last
    for descriptor in descriptors.values():
        os.close(descriptor)
    return found


def _path(request: "Request") -> str:
    return request.path.partition("?")[0]


def _is_index(request: "Request") -> bool:
    path = _path(request)
    return path.endswith(".index.json") and request.body_bytes > 0 and "/api/models/" not in path


def main() -> None:
    """Serve until stdin ends."""
    from urllib.request import urlopen

    from tests.hub import COMMIT, Hub
    from tests.replica import INDEX_NAME

    root, latency_ms, *options = sys.argv[1:]
    with Hub(
        Path(root), latency=int(latency_ms) / 1000, metadata_endpoint="--one-request" in options
    ) as hub:
        if "--one-request" in options:
            for index in Path(root).glob(f"*/*/{INDEX_NAME}"):
                repository = f"{index.parent.parent.name}/{index.parent.name}"
                place = f"api/models/{repository}/safetensors-metadata/{INDEX_NAME}"
                urlopen(f"{hub.endpoint}/{place}").read()
        print(hub.endpoint, COMMIT, flush=True)
        for _ in sys.stdin:
            log = hub.log[:]
            del hub.log[: len(log)]
            print(json.dumps(asdict(_counted(log, Path(root)))), flush=True)


if __name__ == "__main__":
    main()
