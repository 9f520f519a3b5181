"""A web server that sends exactly what a test says, byte by byte, and keeps what it was asked."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final, Self

SELF_SIGNED: Final = Path(__file__).with_name("self_signed.pem")
"""A key and its certificate for localhost, which nobody trusts."""

_PIECE: Final = 1 << 16


class Then(StrEnum):
    """What comes after the bytes of an answer."""

    NEXT = "next"
    CLOSE = "close"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; header names are in lower case. `connection` counts from 0."""

    method: str
    path: str
    headers: dict[str, str]
    connection: int

    @property
    def range(self) -> tuple[int, int]:
        """The first byte asked for, and the one behind the last."""
        first, _, last = self.headers["range"].removeprefix("bytes=").partition("-")
        return int(first), int(last) + 1


@dataclass(frozen=True, slots=True)
class Said:
    """The bytes of an answer, head and body, and what comes after them."""

    content: bytes
    then: Then = Then.NEXT


def said(status: int, body: bytes = b"", **headers: object) -> Said:
    """An answer of that length; `_` in the names of headers is `-`."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return Said("\r\n".join([*lines, "", ""]).encode() + body)


class Scripted:
    """Answers each request as `answer` says, while its context lasts."""

    def __init__(self, answer: Callable[[Asked], Said], *, tls: bool = False) -> None:
        self.log: list[Asked] = []
        self.pushed = 0
        self._answer = answer
        self._context = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(SELF_SIGNED)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: list[socket.socket] = []
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def connections(self) -> int:
        """Connections that asked for something."""
        return len({asked.connection for asked in self.log})

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for opened in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._open.append(connection)
                number = len(self._open) - 1
                threading.Thread(target=self._talk, args=(connection, number), daemon=True).start()

    def _talk(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as incoming:
                while head := self._head(incoming.readline, number):
                    self.log.append(head)
                    answer = self._answer(head)
                    for start in range(0, len(answer.content), _PIECE):
                        connection.sendall(answer.content[start : start + _PIECE])
                        self.pushed += len(answer.content[start : start + _PIECE])
                    if answer.then is Then.SILENCE:
                        incoming.read()
                    if answer.then is not Then.NEXT:
                        return

    @staticmethod
    def _head(readline: Callable[[], bytes], number: int) -> Asked | None:
        """The next request of a connection; its body is not expected."""
        words = readline().decode().split()
        if len(words) != 3:
            return None
        headers = {}
        while line := readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Asked(words[0], words[1], headers, number)
