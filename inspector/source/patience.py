"""When to ask a server again, and how long to leave it alone first."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from inspector.errors import SourceError
from inspector.source.environment import read_timeout_seconds

Result = TypeVar("Result")

LIMIT_STATUSES: Final = frozenset({429, 503})
"""Answers of a server that has had enough; both may come with Retry-After (RFC 9110 10.2.3)."""

PASSING_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Answers that may be others the next time: what huggingface_hub asks again for."""

_SILENT_PAUSE: Final = 5.0
"""A wait of fewer seconds than this needs no explanation."""


def say_nothing(line: str) -> None:
    """Keep a notice to oneself."""


_JITTER: Final = random.Random()  # noqa: S311 - no secret
"""A state of its own: threads that read must not move the one of the program that they serve."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for one answer, and how often to ask again.

    `read_seconds` is how long a server may be silent; a request that nothing came back from is sent
    `unanswered_attempts` times, one that was turned away `attempts` times, and none is sent again
    `total_seconds` after the first: twice the window of the hub's rate limits, which is 300 s.
    `say` is told of a wait that a person would wonder about.
    """

    read_seconds: float = field(default_factory=read_timeout_seconds)
    attempts: int = 6
    unanswered_attempts: int = 3
    first_pause: float = 0.5
    total_seconds: float = 600.0
    say: Callable[[str], None] = say_nothing


class TryAgain(Exception):
    """A failure that may pass. `error` is what to raise where it does not.

    `status` is the server's answer, None where there was none; `pause` the seconds it asked for.
    """

    def __init__(
        self, error: SourceError, *, status: int | None = None, pause: float | None = None
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.status = status
        self.pause = pause


class Pacer:
    """Asks one origin again, and holds all threads back while it wants to be left alone.

    Where many requests were turned away at once, one of them asks again and learns how long to
    wait; the others wait with it.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._one_at_a_time = threading.Lock()
        self._not_before = 0.0

    def run(
        self, quick: Callable[[], Result], careful: Callable[[], Result] | None = None
    ) -> Result:
        """What `quick` returns, asked again where it raises `TryAgain`.

        `careful` is the same request by means that can read what a server says of when to come
        back; it is used where the answer was one of `LIMIT_STATUSES`.

        Raises:
            SourceError: of the last failure.
        """
        deadline = time.monotonic() + self._patience.total_seconds
        attempt = 0
        ask = quick
        while True:
            attempt += 1
            self._wait()
            try:
                if ask is quick:
                    return quick()
                with self._one_at_a_time:
                    self._wait()
                    return ask()
            except TryAgain as failure:
                self._plan_next(failure, attempt, deadline)
                limited = failure.status in LIMIT_STATUSES and careful is not None
                ask = careful if limited and careful is not None else quick

    def _plan_next(self, failure: TryAgain, attempt: int, deadline: float) -> None:
        """Wait, or have all wait, until the request may be sent again; raise where it may not."""
        patience = self._patience
        allowed = patience.unanswered_attempts if failure.status is None else patience.attempts
        if attempt >= allowed:
            raise failure.error from failure
        backoff = patience.first_pause * 2 ** (attempt - 1)
        pause = max(failure.pause or 0.0, backoff) * _JITTER.uniform(1.0, 1.25)
        if time.monotonic() + pause > deadline:
            if failure.pause:
                failure.error.hint = f"the server asks to be left alone for {failure.pause:,.0f} s"
            raise failure.error from failure
        if pause >= _SILENT_PAUSE:
            patience.say(f"{failure.error}; asking again in {pause:,.0f} s")
        if failure.status in LIMIT_STATUSES:
            self._not_before = max(self._not_before, time.monotonic() + pause)
        else:
            time.sleep(pause)

    def _wait(self) -> None:
        while (left := self._not_before - time.monotonic()) > 0:
            time.sleep(left)


def stated_pause(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to be left alone for: Retry-After, or a used-up RateLimit.

    Args:
        headers: of an answer, under lower-case names.

    >>> stated_pause({"retry-after": "7"}), stated_pause({"ratelimit": '"api";r=0;t=55'})
    (7.0, 55.0)
    >>> stated_pause({"ratelimit": '"api";r=12;t=55'}) is None
    True
    """
    found = [_retry_after(headers.get("retry-after", "")), _rate_limit(headers)]
    stated = [seconds for seconds in found if seconds is not None]
    return max(stated) if stated else None


def _retry_after(value: str) -> float | None:
    """Seconds or a date (RFC 9110 10.2.3)."""
    if value.strip().isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())


def _rate_limit(headers: Mapping[str, str]) -> float | None:
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # lazy export
        parse_ratelimit_headers,
    )

    found = parse_ratelimit_headers(headers)
    return float(found.reset_in_seconds) if found and found.remaining == 0 else None
