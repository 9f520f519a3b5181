"""A server program as a child of the tests: found or skipped, started, waited for, stopped."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import pytest

HOST: Final = "127.0.0.1"
REQUIRED: Final = "S1INSPECT_REQUIRE_SERVERS"
"""Where this variable is set, as `.ci/run` sets it, a missing server fails instead of skipping."""

_SYSTEM_FOLDERS: Final = ("/usr/sbin", "/usr/local/sbin")
"""Web servers live here on Debian; a person's PATH need not have it."""

_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 5.0
_ATTEMPTS: Final = 3


def find_program(*names: str) -> str:
    """The path of the first of these programs that is installed. Skips or fails without one."""
    folders = os.pathsep.join([os.environ.get("PATH", ""), *_SYSTEM_FOLDERS])
    found = next(filter(None, (shutil.which(name, path=folders) for name in names)), None)
    if found is None:
        report_missing(f"{' or '.join(names)} is not installed")
    return found


def python_program(module: str) -> list[str]:
    """The command that runs a server written in Python. Skips or fails where it is not there."""
    package = module.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        report_missing(f"{package} is not installed: pip install -e '.[servers]'")
    return [sys.executable, "-m", module]


def report_missing(reason: str) -> NoReturn:
    """Skip with a reason; fail where servers are required."""
    if os.environ.get(REQUIRED):
        pytest.fail(f"{REQUIRED} is set, and {reason}")
    pytest.skip(reason)


@contextmanager
def running(
    command_at: Callable[[int], Sequence[str]],
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
) -> Iterator[tuple[int, int]]:
    """Port and process number of a server in the foreground, while the context lasts.

    Args:
        command_at: makes the command for a port, having written what configuration it needs.
        folder: where it runs; its output goes to `output.log` there.
        env: added to the environment.

    Raises:
        RuntimeError: it ended or did not answer in time; with the end of its output.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        port = _free_port()
        with (folder / "output.log").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  a server of this machine
                list(command_at(port)), cwd=folder, env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            if not _answers(process, port):
                if attempt < _ATTEMPTS:
                    continue
                said = (folder / "output.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{folder.name} does not answer on port {port}:\n{said}")
            yield port, process.pid
            return
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether something listens there before the process ends or the time is over."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_SECONDS)
