"""One range request that reads every header of its answer, for a server that turned one away.

obstore does not show the headers of an answer that is an error, and they say when to come back.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote

import httpx2

from inspector.errors import SourceError
from inspector.format.spans import Span
from inspector.source.patience import TryAgain, stated_pause
from inspector.source.replies import Reply, raise_refusal

_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@contextmanager
def open_range(
    base: str, path: str, span: Span, *, headers: Mapping[str, str], where: str, seconds: float
) -> Iterator[tuple[Reply, Iterator[bytes]]]:
    """The head of an answer and its body, which is not read before the head is looked at.

    Args:
        base: a URL.
        path: of the file below it, or empty where the URL is the file itself.
        span: the bytes wanted, not empty.
        headers: sent to that origin; a token does not follow a redirect to another.
        where: how messages name the file.
        seconds: how long the server may be silent.

    Raises:
        TryAgain: there may be an answer later.
        SourceError: the server refuses.
    """
    url = f"{base}/{quote(path)}" if path else base
    last = span.stop - 1  # HTTP counts the last byte in (RFC 9110 14.1.2)
    ask = {**headers, "Range": f"bytes={span.start}-{last}", "Accept-Encoding": "identity"}
    try:
        with (
            httpx2.Client(follow_redirects=True, timeout=seconds) as client,
            client.stream("GET", url, headers=ask) as answer,
        ):
            if answer.status_code != 206:
                pause = stated_pause(answer.headers)
                raise_refusal(where, answer.status_code, answer.reason_phrase, pause)
            yield _reply(answer.headers, where), answer.iter_raw()
    except httpx2.TooManyRedirects as error:
        raise SourceError(f"{where}: too many redirects") from error
    except httpx2.TimeoutException as error:
        raise TryAgain(SourceError(f"{where}: no answer in time")) from error
    except httpx2.HTTPError as error:
        raise TryAgain(SourceError(f"{where}: {error}")) from error


def _reply(headers: Mapping[str, str], where: str) -> Reply:
    stated = headers.get("content-range", "")
    match = _CONTENT_RANGE.fullmatch(stated)
    if match is None:
        raise SourceError(f"{where}: the server's Content-Range is {stated!r}")
    first, last, size = (int(number) for number in match.groups())
    return Reply(Span(first, last + 1), size, headers.get("etag"), headers.get("content-encoding"))
