"""The ways a server breaks its word, each as a change to the reply that would have been right."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from tests.hub.api_faults import ApiFault, wrong_reply
from tests.hub.pauses import Pause
from tests.hub.wire import Answer, Ask, Delivery, Reply, Slice, text_reply


class Fault(StrEnum):
    """What a client has to survive."""

    IGNORE_RANGE = "ignore_range"
    """200 and the full body, whatever range was asked."""
    SHIFTED_RANGE = "shifted_range"
    """206 whose Content-Range lies one byte further on."""
    SHORT_BODY = "short_body"
    """Promises N bytes, sends half, closes."""
    WRONG_SIZE = "wrong_size"
    """206 whose Content-Range gives a total one byte too long."""
    ETAG_CHANGES = "etag_changes"
    """A new ETag in each reply."""
    GZIP = "gzip"
    """200 and the full body, compressed on the fly."""
    REDIRECT_LOOP = "redirect_loop"
    """302 to the same URL."""
    STALL = "stall"
    """Reads the request and never answers."""
    BUSY = "busy"
    """503 with Retry-After: 1, always."""
    LIMITED = "limited"
    """429 with Retry-After: 1, always."""
    FLAKY = "flaky"
    """503 to the first, third, fifth... request of a path."""
    RESET = "reset"
    """Resets the connection without an answer."""
    EMPTY_206 = "empty_206"
    """206 with the right Content-Range and no body."""


_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_API_FAULTS: Final = frozenset(str(fault) for fault in ApiFault)
_RETRY_LATER: Final = {"Retry-After": "1"}


class FaultPlan:
    """Which requests go wrong and how; counts the requests of each path.

    Args:
        rules: From a pattern (`fnmatch`) to a fault or a pause, first match wins. A pattern that
            starts with a slash is compared with the request path on either origin (`/*` is every
            request); any other with the name of the file inside its repository, where the bytes
            are served. A pause that is over matches nothing.
    """

    def __init__(self, rules: Mapping[str, str | Pause]) -> None:
        self._rules = {
            pattern: fault if isinstance(fault, Pause) else _named(fault)
            for pattern, fault in rules.items()
        }
        self._turns: Counter[tuple[Fault, str]] = Counter()
        self._refused: Counter[str] = Counter()

    def fault_for(self, path: str, file_name: str | None) -> Fault | ApiFault | Pause | None:
        """The fault of the first rule that matches, if any; called once for each request."""
        for pattern, fault in self._rules.items():
            subject = path if pattern.startswith("/") else file_name
            if subject is None or not fnmatchcase(subject, pattern):
                continue
            if isinstance(fault, Pause):
                if self._refused[pattern] == fault.refusals:
                    continue
                self._refused[pattern] += 1
            return fault
        return None

    def reply(self, fault: Fault | ApiFault | Pause, ask: Ask, answer: Answer) -> Reply:
        """The reply to `ask` with `fault`; `answer` gives the reply without."""
        if isinstance(fault, Pause):
            return fault.reply()
        if isinstance(fault, ApiFault):
            return wrong_reply(fault, ask, answer)
        self._turns[fault, ask.path] += 1
        turn = self._turns[fault, ask.path]
        match fault:
            case Fault.STALL:
                return Reply(200, delivery=Delivery.STALL)
            case Fault.RESET:
                return Reply(200, delivery=Delivery.RESET)
            case Fault.BUSY:
                return text_reply(503, "Service Unavailable", _RETRY_LATER)
            case Fault.LIMITED:
                return text_reply(429, "Too Many Requests", _RETRY_LATER)
            case Fault.REDIRECT_LOOP:
                return text_reply(302, "Found", {"Location": ask.target})
            case Fault.FLAKY if turn % 2 == 1:
                return text_reply(503, "Service Unavailable")
            case Fault.IGNORE_RANGE | Fault.GZIP:
                return _spoiled(fault, answer(ask.without("range")), turn)
            case _:
                return _spoiled(fault, answer(ask), turn)


def _named(name: str) -> Fault | ApiFault:
    return ApiFault(name) if name in _API_FAULTS else Fault(name)


def _spoiled(fault: Fault, reply: Reply, turn: int) -> Reply:
    if reply.status not in {200, 206}:
        return reply
    match fault:
        case Fault.GZIP:
            return replace(reply, delivery=Delivery.GZIP)
        case Fault.ETAG_CHANGES:
            return _with_header(reply, "ETag", f'"{turn:032x}"')
        case Fault.SHIFTED_RANGE:
            return _with_content_range(reply, shift=1, growth=0)
        case Fault.WRONG_SIZE:
            return _with_content_range(reply, shift=0, growth=1)
        case Fault.SHORT_BODY:
            return replace(reply, body=_half(reply.body), promised=len(reply.body))
        case Fault.EMPTY_206 if reply.status == 206:
            return replace(reply, body=b"")
        case _:
            return reply


def _with_header(reply: Reply, name: str, value: str) -> Reply:
    return replace(reply, headers={**reply.headers, name: value})


def _with_content_range(reply: Reply, *, shift: int, growth: int) -> Reply:
    match = _CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range", ""))
    if match is None:
        return reply
    first, last, size = (int(number) for number in match.groups())
    spoiled = f"bytes {first + shift}-{last + shift}/{size + growth}"
    return _with_header(reply, "Content-Range", spoiled)


def _half(body: bytes | Slice) -> bytes | Slice:
    if isinstance(body, bytes):
        return body[: len(body) // 2]
    return replace(body, stop=body.start + len(body) // 2)
