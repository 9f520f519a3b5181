"""The two origins on loopback ports, in a thread, with a log of every request."""

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from tests.hub.cdn import Cdn, Signer
from tests.hub.delivery import Connection, deliver
from tests.hub.faults import FaultPlan
from tests.hub.pauses import Pause
from tests.hub.routes import Site, Terms
from tests.hub.wire import Answer, Ask, Delivery, Origin, Reply, parse_ask, text_reply

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
"""The commit of every repository, unless the hub is told another."""

_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived, and how it was answered.

    `path` includes the query. `status` is 0 where no answer was sent. `body_bytes` is what was
    handed to the socket: less than promised when the client left. `arrived` and `answered` are
    moments of `time.monotonic`; the latency that a hub adds lies between them.
    """

    origin: Origin
    method: str
    path: str
    range: str | None
    authorization: str | None
    user_agent: str | None
    status: int
    body_bytes: int
    arrived: float
    answered: float


class Answers(Protocol):
    """One origin's answers."""

    def answer(self, ask: Ask) -> Reply: ...


class Hub:
    """Serves `root/{organisation}/{repository}/` like huggingface.co, while its context lasts.

    Args:
        root: Directory of organisations.
        latency: Seconds added to each request; requests wait side by side.
        token: Opens the repositories of the organisation `gated`.
        faults: From a pattern to a fault's name or to a `Pause`, see `FaultPlan`.
        commit: The one commit, which `main` names.
        ttl: Lifetime of signed URLs in seconds; below zero they are born expired.
        page_size: Entries of one page of a tree listing; None for all in one.
        metadata_endpoint: Offer `/api/models/{repository}/safetensors-metadata/{index}`, which
            huggingface.co has and its mirrors have not: they answer 404.
        port: Of the hub; the CDN takes the next. 0 lets the system choose both.
    """

    def __init__(
        self,
        root: Path,
        *,
        latency: float = 0.0,
        token: str | None = None,
        faults: Mapping[str, str | Pause] | None = None,
        commit: str = COMMIT,
        ttl: float = 3600.0,
        page_size: int | None = None,
        metadata_endpoint: bool = False,
        port: int = 0,
    ) -> None:
        self.log: list[Request] = []
        self._latency = latency
        self._port = port
        self._signer = Signer(secrets.token_bytes(16), ttl)
        self._faults = FaultPlan(faults or {})
        self._cdn = Cdn(root, self._signer, self._faults)
        self._terms = Terms(
            root=root,
            commit=commit,
            token=token,
            page_size=page_size,
            metadata_endpoint=metadata_endpoint,
        )
        self._sockets: dict[Origin, socket.socket] = {}
        self._answers: dict[Origin, Answer] = {}
        self._talks: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> str:
        """Origin of the hub, what HF_ENDPOINT would hold."""
        return _url(self._sockets["hub"])

    @property
    def cdn(self) -> str:
        """Origin of the CDN."""
        return _url(self._sockets["cdn"])

    def signed_url(self, repository: str, name: str, ttl: float | None = None) -> str:
        """A CDN URL as the hub would redirect to, without asking it."""
        return self.cdn + self._cdn.signed_target(repository, name, ttl)

    def advance(self, seconds: float) -> None:
        """Move the hub's clock ahead: URLs signed before get that much older."""
        self._signer.advance(seconds)

    def __enter__(self) -> Self:
        self._sockets = _listen(self._port)
        self._answers = {"hub": self._site().answer, "cdn": self._cdn.answer}
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
        self._thread.start()
        return self

    def _site(self) -> Answers:
        """What answers at the hub's origin."""
        return Site(
            self._terms, self._cdn, self._faults, endpoint=self.endpoint, cdn_origin=self.cdn
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        servers = [
            await asyncio.start_server(partial(self._accept, origin), sock=sock, backlog=_BACKLOG)
            for origin, sock in self._sockets.items()
        ]
        await self._stop.wait()
        for server in servers:
            server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        for server in servers:
            await server.wait_closed()
        await asyncio.sleep(0)

    def _accept(
        self, origin: Origin, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        talk = self._loop.create_task(self._talk(origin, Connection(reader, writer)))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, origin: Origin, connection: Connection) -> None:
        writer = connection.writer
        try:
            while await self._exchange(origin, connection):
                pass
            writer.close()
            await writer.wait_closed()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, OSError):
            pass
        finally:
            writer.transport.abort()

    async def _exchange(self, origin: Origin, connection: Connection) -> bool:
        """Answer one request; False when it was the last of its connection."""
        ask = parse_ask(origin, await connection.reader.readuntil(b"\r\n\r\n"))
        arrived = time.monotonic()
        length = int(ask.headers.get("content-length", "0"))
        if length:
            ask = replace(ask, body=await connection.reader.readexactly(length))
        if self._latency:
            await asyncio.sleep(self._latency)
        reply = _safely(self._answers[origin], ask)
        note = self._note(ask, reply, arrived)
        reusable = await deliver(reply, connection, note, bodiless=ask.method == "HEAD")
        return reusable and ask.headers.get("connection", "").lower() != "close"

    def _note(self, ask: Ask, reply: Reply, arrived: float) -> Callable[[int], None]:
        answered = reply.delivery not in {Delivery.STALL, Delivery.RESET}

        def note(body_bytes: int) -> None:
            headers = ask.headers
            self.log.append(
                Request(
                    origin=ask.origin,
                    method=ask.method,
                    path=ask.target,
                    range=headers.get("range"),
                    authorization=headers.get("authorization"),
                    user_agent=headers.get("user-agent"),
                    status=reply.status if answered else 0,
                    body_bytes=body_bytes,
                    arrived=arrived,
                    answered=time.monotonic(),
                )
            )

        return note


def _listen(port: int) -> dict[Origin, socket.socket]:
    """Two loopback sockets, at `port` and the next, or anywhere for 0."""
    with ExitStack() as opened:
        hub = opened.enter_context(socket.create_server((_HOST, port), backlog=_BACKLOG))
        second = port + 1 if port else 0
        cdn = opened.enter_context(socket.create_server((_HOST, second), backlog=_BACKLOG))
        opened.pop_all()
    return {"hub": hub, "cdn": cdn}


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()
    return f"http://{host}:{port}"


def _safely(answer: Answer, ask: Ask) -> Reply:
    try:
        return answer(ask)
    except Exception as error:  # a broken route must show in the test, not hang it
        return text_reply(500, f"{type(error).__name__}: {error}")
