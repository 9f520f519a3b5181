"""What ModelScope says of a model: its files, where their bytes are, small files.

Source: the clients that ModelScope publishes (modelscope_hub 0.5, `_legacy_api.py`, `config.py`).
The token is the one of MODELSCOPE_API_TOKEN; the cookie file that its `login` pickles is left
alone, as unpickling runs what the file says.
"""

from http import HTTPStatus
from typing import Final, NoReturn
from urllib.parse import quote, urlencode, urljoin, urlsplit

import httpx2
import msgspec

from inspector.errors import AccessDenied, ObjectNotFound, SourceChanged, SourceError
from inspector.source.access import Access
from inspector.source.base import Ledger
from inspector.source.environment import modelscope_token
from inspector.source.patience import PASSING_STATUSES, Pacer, TryAgain, stated_pause
from inspector.source.pool import call_interruptibly
from inspector.source.ranges import USER_AGENT

MOST_LISTED: Final = 3_000
"""Entries of one listing; a longer one is cut here, and no sign says so (its `constants.py`)."""

_MOST_REDIRECTS: Final = 5
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Entry(msgspec.Struct, frozen=True, rename="pascal"):
    """A file or folder of a listing. `revision` is the commit that a file was last written by."""

    path: str
    type: str = "blob"
    size: int = 0
    sha256: str = ""
    revision: str = ""

    @property
    def is_folder(self) -> bool:
        return self.type == "tree"


class _Files(msgspec.Struct, frozen=True, rename="pascal"):
    files: list[Entry] | None = None


class _Listing(msgspec.Struct, frozen=True, rename="pascal"):
    data: _Files | None = None
    code: int = 200


class ModelScopeApi:
    """One model at one revision: the host of its files. The token is for its origin alone."""

    def __init__(
        self, repo: str, revision: str, endpoint: str, ledger: Ledger, access: Access
    ) -> None:
        self.origin = endpoint
        self._called = f"ms://{repo}"
        self._revision = revision
        self._model = f"{endpoint}/api/v1/models/{quote(repo)}"
        self._ledger = ledger
        self._pacer = Pacer(access.patience)
        token = modelscope_token()
        self.token_headers = (
            {"authorization": f"Bearer {token}", "cookie": f"m_session_id={token}"} if token else {}
        )
        identity = {"user-agent": USER_AGENT, "accept-encoding": "identity"}
        self._headers = {**self.token_headers, **identity}
        self._client = httpx2.Client(timeout=access.patience.read_seconds)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def listing(self, folder: str, *, recursive: bool) -> list[Entry]:
        """At most `MOST_LISTED` of the files and folders below a folder."""
        query = {"Revision": self._revision, "Recursive": str(recursive)}
        if folder:
            query["Root"] = folder
        answer = self._ask("GET", f"{self._model}/repo/files?{urlencode(query)}", self._called)
        try:
            found = msgspec.json.decode(answer.content, type=_Listing)
        except msgspec.MsgspecError as error:
            message = f"{self._called}: {self.origin} answered what is not its API: {error}"
            raise SourceError(message) from error
        if found.code != HTTPStatus.OK:
            raise self._error(found.code, self._called)
        return (found.data.files if found.data else None) or []

    def entrance(self, path: str) -> tuple[str, str]:
        """The URL of a file, and nothing below it: the file's path is part of the query."""
        query = urlencode({"Revision": self._revision, "FilePath": path}, quote_via=quote, safe="/")
        return f"{self._model}/repo?{query}", ""

    def signed_location(self, path: str) -> str:
        """The URL that ModelScope redirects a file to; its own where it serves the file itself."""
        url, _ = self.entrance(path)
        for _ in range(_MOST_REDIRECTS):
            answer = self._ask("HEAD", url, self._named(path))
            if not answer.has_redirect_location:
                return url
            url = urljoin(url, answer.headers["location"])
            if _origin(url) != _origin(self.origin):
                return url
        raise SourceError(f"{self._named(path)}: too many redirects")

    def size(self, path: str) -> int:
        """Bytes of a file that ModelScope serves itself. Raises `ObjectNotFound`."""
        url, _ = self.entrance(path)
        stated = self._ask("HEAD", url, self._named(path)).headers.get("content-length", "")
        if not stated.isdigit():
            raise SourceError(f"{self._named(path)}: {self.origin} does not say its size")
        return int(stated)

    def whole_file(self, path: str, size: int) -> bytes:
        """A file that a listing gives `size` bytes, without a range: small files ignore those.

        Raises:
            SourceChanged: the file has another size.
        """
        url, _ = self.entrance(path)
        return self._ask("GET", url, self._named(path), size=size).content

    def _ask(self, method: str, url: str, what: str, *, size: int | None = None) -> httpx2.Response:
        return call_interruptibly(
            lambda: self._pacer.run(lambda: self._ask_once(method, url, what, size))
        )

    def _ask_once(self, method: str, url: str, what: str, size: int | None) -> httpx2.Response:
        """One request. A GET follows redirects; the token stays within its origin."""
        try:
            with self._client.stream(
                method, url, headers=self._headers, follow_redirects=method == "GET"
            ) as answer:
                if answer.is_error:
                    self._raise_status(answer, what)
                _check_size(what, answer.headers.get("content-length"), size)
                body = answer.read()
        except httpx2.TooManyRedirects as error:
            raise SourceError(f"{what}: too many redirects") from error
        except httpx2.HTTPError as error:
            message = f"{what}: cannot reach {self.origin}: {error or type(error).__name__}"
            raise TryAgain(SourceError(message)) from error
        self._ledger.add(byte_count=answer.num_bytes_downloaded)
        _check_size(what, len(body), size)
        return answer

    def _raise_status(self, answer: httpx2.Response, what: str) -> NoReturn:
        self._ledger.add(byte_count=0)
        error = self._error(answer.status_code, what)
        if answer.status_code in PASSING_STATUSES:
            pause = stated_pause(answer.headers)
            raise TryAgain(error, status=answer.status_code, pause=pause)
        raise error

    def _error(self, status: int, what: str) -> SourceError:
        """What a status means, or the code in an answer that has the status 200."""
        sent = "a token was sent" if self.token_headers else "no token was sent"
        hint = f"check the name; for a private model set MODELSCOPE_API_TOKEN ({sent})"
        if status == HTTPStatus.NOT_FOUND:
            message = f"{what}: nothing of this name at {self._revision} on {self.origin}"
            return ObjectNotFound(message, hint=hint)
        if status in _REFUSED:
            return AccessDenied(f"{what}: not allowed ({status}) by {self.origin}", hint=hint)
        return SourceError(f"{what}: {self.origin} answered {status}")

    def _named(self, path: str) -> str:
        return f"{self._called}/{path}"


def _check_size(what: str, found: str | int | None, listed: int | None) -> None:
    if found is not None and listed is not None and int(found) != listed:
        raise SourceChanged(
            f"{what}: listed with {listed:,} bytes, the server sends {int(found):,}",
            hint="run the command again",
        )


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
