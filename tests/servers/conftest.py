"""Servers that live for the session, and folders of checkpoints below what they serve."""

import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.running import SAMPLES
from tests.servers.web import NAMES, WebServer, web_server
from tests.source.serving import connect

__all__ = ["connect"]

Start = Callable[[str], WebServer]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Says of every skip that it is of this folder: one line a reason, not one a test."""
    report = yield
    if call.when == "setup" and report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (str(Path(__file__).parent), 0, report.longrepr[2])
    return report


@pytest.fixture(autouse=True)
def _plain_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.mktemp("huggingface")))
    for name in ("S1INSPECT_MODEL", "HF_DEBUG", "HF_ENDPOINT", "HF_TOKEN", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def served() -> Iterator[Path]:
    """What the web servers serve; below /tmp, since Apache reads it as another user than root."""
    with tempfile.TemporaryDirectory(prefix="s1inspect-served-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder).resolve()


@pytest.fixture(scope="session")
def start(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a web server the first time it is asked for."""
    with ExitStack() as stack:
        servers: dict[str, WebServer] = {}

        def start_once(name: str) -> WebServer:
            if name not in servers:
                folder = tmp_path_factory.mktemp(name)
                servers[name] = stack.enter_context(web_server(name, served, folder))
            return servers[name]

        yield start_once


@pytest.fixture(scope="session", params=NAMES)
def web(request: pytest.FixtureRequest, start: Start) -> WebServer:
    """Each of the web servers."""
    return start(request.param)


@pytest.fixture(scope="session")
def nginx(start: Start) -> WebServer:
    return start("nginx")


@pytest.fixture
def place(served: Path) -> Iterator[Path]:
    """A folder for one test below what is served."""
    with tempfile.TemporaryDirectory(dir=served) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def sample(place: Path) -> Path:
    """A copy of the sample with five shards and an index."""
    shutil.copytree(SAMPLES / "s1-pro-mini", place, dirs_exist_ok=True)
    return place
