"""A limit on requests that asks for patience and then recovers, and who did not have any."""

from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, TypeVar

from tests.hub.wire import Reply, text_reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Refuses the first `refusals` requests that match its rule, and says how long to wait.

    Attributes:
        refusals: Requests that are refused; the next is answered, however early it comes.
        seconds: The pause asked for.
        status: 429, or 503 as of a server under maintenance.
        retry_after: Say it in `Retry-After` (RFC 9110 §10.2.3).
        resource: Say it in `RateLimit`, as the hub does for its buckets `api` and `resolvers`
            (huggingface_hub 2.4, `utils/_http.py`, `parse_ratelimit_headers`).
    """

    refusals: int
    seconds: int
    status: int = 429
    retry_after: bool = True
    resource: str | None = None

    def reply(self) -> Reply:
        """The refusal."""
        headers = {"Retry-After": str(self.seconds)} if self.retry_after else {}
        if self.resource is not None:
            headers["RateLimit"] = f'"{self.resource}";r=0;t={self.seconds}'
            headers["RateLimit-Policy"] = f'"fixed window";"{self.resource}";q=500;w=300'
        return text_reply(self.status, HTTPStatus(self.status).phrase, headers)


class Timed(Protocol):
    """What a log says of a request: how it was answered, and when by `time.monotonic`."""

    @property
    def status(self) -> int: ...
    @property
    def arrived(self) -> float: ...
    @property
    def answered(self) -> float: ...


Logged = TypeVar("Logged", bound=Timed)


def early_requests(log: Iterable[Logged], pause: Pause, *, grace: float = 0.1) -> list[Logged]:
    """The requests that arrived while a pause lasted, by a hub's log.

    A pause lasts from a refusal that no other pause holds until `seconds` after it. Requests within
    `grace` seconds of its beginning were sent by those who had not heard of it yet.
    """
    requests = list(log)
    refused = sorted(one.answered for one in requests if one.status == pause.status)
    begun: list[float] = []
    for moment in refused:
        if not begun or moment >= begun[-1] + pause.seconds:
            begun.append(moment)
    return [
        one
        for one in requests
        if any(start + grace < one.arrived < start + pause.seconds for start in begun)
    ]
