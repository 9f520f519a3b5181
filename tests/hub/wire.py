"""HTTP/1.1 as values: what a client asked, what it is answered. Nothing here touches a socket."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote

Origin = Literal["hub", "cdn"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request; header names are in lower case, `target` is the request line's second word."""

    origin: Origin
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> dict[str, str]:
        values = parse_qs(self.target.partition("?")[2], keep_blank_values=True)
        return {name: value[-1] for name, value in values.items()}

    def without(self, header: str) -> "Ask":
        """The same request as if `header` had not been sent."""
        kept = {name: value for name, value in self.headers.items() if name != header}
        return replace(self, headers=kept)

    @property
    def accepts_gzip(self) -> bool:
        """Whether `Accept-Encoding` names gzip; its weight is not looked at."""
        return "gzip" in self.headers.get("accept-encoding", "")

    @property
    def bearer(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else None


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes `[start, stop)` of a file, read only when they are sent."""

    path: Path
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


class Delivery(StrEnum):
    """How a reply leaves: `promised` sends as many bytes as the body has, whatever was promised.

    `chunked` says no length; `gzip` packs on the fly what `chunked` would send as it is.
    """

    PROMISED = "promised"
    CHUNKED = "chunked"
    GZIP = "gzip"
    STALL = "stall"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `promised` is the Content-Length, where it is not the length of the body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Slice = b""
    promised: int | None = None
    delivery: Delivery = Delivery.PROMISED

    @property
    def content_length(self) -> int:
        return len(self.body) if self.promised is None else self.promised

    def head(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.delivery is Delivery.GZIP:
            lines += ["Content-Encoding: gzip", "Transfer-Encoding: chunked"]
        elif self.delivery is Delivery.CHUNKED:
            lines.append("Transfer-Encoding: chunked")
        else:
            lines.append(f"Content-Length: {self.content_length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


Answer = Callable[[Ask], Reply]


class Refused(Exception):
    """Carries the reply that ends a request early."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def parse_ask(origin: Origin, head: bytes) -> Ask:
    """Read a request head, without its body.

    Raises:
        ValueError: The request line does not have three words.
    """
    request_line, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = request_line.split(" ")
    headers: dict[str, str] = {}
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Ask(origin, method, target, headers)


def text_reply(status: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
    """A reply of plain text."""
    kind = {"Content-Type": "text/plain; charset=utf-8"}
    return Reply(status, kind | dict(headers or {}), text.encode())


def json_reply(document: object, headers: Mapping[str, str] | None = None) -> Reply:
    """A 200 with `document` as compact JSON."""
    kind = {"Content-Type": "application/json; charset=utf-8"}
    body = json.dumps(document, separators=(",", ":")).encode()
    return Reply(200, kind | dict(headers or {}), body)
