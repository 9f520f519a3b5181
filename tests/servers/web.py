"""Four web servers with directories of checkpoints, each in the same five manners."""

import os
import pwd
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

from tests.servers.asked import Asked, parse_line
from tests.servers.process import HOST, find_program, report_missing, running

_CONFIGURATION: Final = Path(__file__).parent / "configuration"
_LOG_SECONDS: Final = 10.0
_APACHE_MODULE_FOLDERS: Final = (Path("/usr/lib/apache2/modules"), Path("/usr/lib64/httpd/modules"))
_APACHE_MODULES: Final = (
    "mpm_event", "unixd", "log_config", "logio", "authz_core", "alias", "mime", "env", "filter",
    "deflate",
)  # fmt: skip
"""Some of them are part of the program itself, as it is built on Debian."""


class Manner(StrEnum):
    """How a directory is served; the first word of the path."""

    PLAIN = "plain"
    NO_RANGES = "no-ranges"
    """Every answer is the whole file."""
    NO_ETAGS = "no-etags"
    COMPRESSED = "compressed"
    """JSON and weights are compressed on the fly, for clients that accept it."""
    ALWAYS_COMPRESSED = "always-compressed"
    """The same for clients that did not say they accept it; nginx sends the `.gz` beside a file."""


@dataclass(frozen=True, slots=True)
class WebServer:
    """One running server. `root` is what it serves, `url` its origin."""

    name: str
    url: str
    root: Path
    log: Path
    process_number: int
    sentinels: Iterator[int]

    def at(self, folder: Path, manner: str = Manner.PLAIN) -> str:
        """The URL of a folder or file below the root."""
        return f"{self.url}/{manner}/{quote(folder.relative_to(self.root).as_posix())}"

    def asked(self, folder: Path, *, at_least: int = 0) -> list[Asked]:
        """The requests below a folder in the order in which they were written down.

        Waits for `at_least` of them, and until a request that is sent now is written down too.
        """
        sentinel = f"/{Manner.PLAIN}/sentinel-{next(self.sentinels)}"
        try:
            urlopen(self.url + sentinel, timeout=_LOG_SECONDS).close()
        except HTTPError as absent:
            absent.close()
        inside = f"/{quote(folder.relative_to(self.root).as_posix())}/"
        deadline = time.monotonic() + _LOG_SECONDS
        while True:
            written = self._written()
            found = [one for one in written if inside in one.target]
            if len(found) >= at_least and any(one.target == sentinel for one in written):
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} wrote down {len(found)} requests of {at_least}")
            time.sleep(0.01)

    def _written(self) -> list[Asked]:
        if self.name == "lighttpd":
            os.kill(self.process_number, signal.SIGHUP)  # it holds its log back for 4 s
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return [parse_line(line) for line in text[: text.rfind("\n") + 1].splitlines()]


@contextmanager
def web_server(name: str, root: Path, folder: Path) -> Iterator[WebServer]:
    """A server of `root`, with its configuration and log in `folder`."""
    command = _COMMANDS[name](root, folder)
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with running(command, folder, env=home) as (port, process_number):
        log = folder / "access.log"
        yield WebServer(name, f"http://{HOST}:{port}", root, log, process_number, count())


def _nginx(root: Path, folder: Path) -> Callable[[int], list[str]]:
    program = find_program("nginx")
    write = _configuration("nginx.conf", root, folder)
    return lambda port: [program, "-p", str(folder), "-c", write(port)]


def _caddy(root: Path, folder: Path) -> Callable[[int], list[str]]:
    program = find_program("caddy")
    write = _configuration("Caddyfile", root, folder)
    return lambda port: [program, "run", "--adapter", "caddyfile", "--config", write(port)]


def _apache(root: Path, folder: Path) -> Callable[[int], list[str]]:
    program = find_program("apache2", "httpd")
    modules = next((path for path in _APACHE_MODULE_FOLDERS if path.is_dir()), None)
    if modules is None:
        report_missing("the modules of Apache are not where Debian or Fedora put them")
    load = "\n".join(
        f"LoadModule {name}_module {modules}/mod_{name}.so"
        for name in _APACHE_MODULES
        if (modules / f"mod_{name}.so").exists()
    )
    write = _configuration("apache.conf", root, folder, modules=load, user=_user_below_root())
    return lambda port: [program, "-D", "FOREGROUND", "-f", write(port)]


def _user_below_root() -> str:
    """Apache's children refuse to be root; other users need no directive."""
    if os.geteuid():
        return ""
    nobody = pwd.getpwnam("nobody")
    return f"User #{nobody.pw_uid}\nGroup #{nobody.pw_gid}"


def _lighttpd(root: Path, folder: Path) -> Callable[[int], list[str]]:
    program = find_program("lighttpd")
    write = _configuration("lighttpd.conf", root, folder)
    return lambda port: [program, "-D", "-f", write(port)]


_COMMANDS: Final = {"nginx": _nginx, "caddy": _caddy, "apache": _apache, "lighttpd": _lighttpd}

NAMES: Final = tuple(_COMMANDS)


def _configuration(template: str, root: Path, folder: Path, **more: str) -> Callable[[int], str]:
    """Writes a configuration for a port, and gives its path."""
    text = (_CONFIGURATION / template).read_text(encoding="utf-8")
    for name, value in {"root": str(root), "folder": str(folder), **more}.items():
        text = text.replace(f"@{name}@", value)

    def write(port: int) -> str:
        path = folder / template
        path.write_text(text.replace("@port@", str(port)), encoding="utf-8")
        return str(path)

    return write
