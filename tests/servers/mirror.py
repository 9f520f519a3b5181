"""olah, a mirror of the Hub, with the test hub behind it; what HF_ENDPOINT is for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.hub import Hub
from tests.servers.process import HOST, python_program, running


@contextmanager
def olah(hub: Hub, folder: Path) -> Iterator[str]:
    """The endpoint of a mirror of `hub` that keeps what it was asked for below `folder`."""
    program = python_program("olah.server")

    def command(port: int) -> list[str]:
        return [
            *program, "--host", HOST, "--port", str(port),
            "--hf-scheme", "http", "--hf-netloc", urlsplit(hub.endpoint).netloc,
            "--hf-lfs-netloc", urlsplit(hub.cdn).netloc,
            "--mirror-netloc", f"{HOST}:{port}", "--mirror-lfs-netloc", f"{HOST}:{port}",
            "--repos-path", str(folder / "repos"), "--log-path", str(folder / "logs"),
        ]  # fmt: skip

    with running(command, folder, env={"HF_HOME": str(folder), "HF_ENDPOINT": ""}) as (port, _):
        yield f"http://{HOST}:{port}"
