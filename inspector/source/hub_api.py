"""What the Hub says of a repository: commit, files, signed URLs, headers; through huggingface_hub.

Client, token and error classes are huggingface_hub's; asking again is ours, which reads the pause a
busy hub states (`patience.py`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import quote, urljoin, urlsplit

import httpx2
import msgspec
from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # lazy exports
    get_session,
    hf_raise_for_status,
    validate_repo_id,
)

from inspector.errors import AccessDenied, InspectorError, ObjectNotFound, SourceError, UsageError
from inspector.source.access import Access
from inspector.source.base import Ledger
from inspector.source.patience import PASSING_STATUSES, Pacer, TryAgain, stated_pause
from inspector.source.pool import call_interruptibly
from inspector.source.ranges import USER_AGENT

SAMPLES_HINT: Final = (
    "without network, try the samples: s1inspect list-tensors -m sample_shards/s1-pro-mini"
)

_COMMIT_HEADER: Final = "x-repo-commit"
_MOST_REDIRECTS: Final = 5


class _Entry(msgspec.Struct, frozen=True):
    type: str
    path: str
    size: int = 0


class _Sharded(msgspec.Struct, frozen=True):
    headers: dict[str, msgspec.Raw]


class HubApi:
    """One repository at one endpoint. `token_headers` are for that endpoint's own origin."""

    def __init__(self, repo: str, endpoint: str, ledger: Ledger, access: Access) -> None:
        try:
            validate_repo_id(repo)
        except HFValidationError as error:
            raise UsageError(f"{repo}: not a repository name: {error}") from error
        self.repo = repo
        self.endpoint = endpoint
        self.pacer = Pacer(access.patience)
        self._ledger = ledger
        self._seconds = access.patience.read_seconds
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
        self.token_headers = {"authorization": f"Bearer {token}"} if token else {}
        self._headers = {**self.token_headers, "user-agent": USER_AGENT}

    def commit_of(self, revision: str) -> str:
        """The commit that a branch or tag is at now."""
        at = quote(revision, safe="")
        answer = self._ask("GET", f"{self.endpoint}/api/models/{self.repo}/revision/{at}")
        sha = _decode(answer.content, dict[str, Any], self._called).get("sha")
        if not isinstance(sha, str) or not re.fullmatch(r"[0-9a-f]{40}", sha):
            raise SourceError(f"{self.repo}: the hub names no commit for {revision}")
        return sha

    def files_at(self, commit: str) -> dict[str, int]:
        """Every file at a commit with its size, a page of the listing after the other."""
        files: dict[str, int] = {}
        for page in self._pages(f"{self.endpoint}/api/models/{self.repo}/tree/{commit}"):
            entries = _decode(page, list[_Entry], self._called)
            files |= {entry.path: entry.size for entry in entries if entry.type == "file"}
        return files

    def headers_of_main(self, index_file: str) -> tuple[str | None, Mapping[str, bytes]] | None:
        """The headers of all shards on `main` in one request, or None where there is no such call.

        Returns:
            The commit that the answer says it is of, and the JSON of each shard's header.
        """
        path = quote(index_file, safe="/")
        url = f"{self.endpoint}/api/models/{self.repo}/safetensors-metadata/{path}"
        try:
            answer = call_interruptibly(lambda: self._ask_once("GET", url))
            found = msgspec.json.decode(answer.content, type=_Sharded)
        except (InspectorError, TryAgain, msgspec.MsgspecError):
            return None
        headers = {shard: bytes(text) for shard, text in found.headers.items()}
        return answer.headers.get(_COMMIT_HEADER), headers

    def signed_location(self, path: str, commit: str) -> str:
        """The URL that the hub redirects a file to, signed for a time.

        Redirects within the hub's own origin are followed: a renamed repository answers with one.
        """
        url = f"{self.endpoint}/{self.repo}/resolve/{commit}/{quote(path)}"
        for _ in range(_MOST_REDIRECTS):
            answer = self._ask("HEAD", url)
            if not answer.has_redirect_location:
                return url
            url = urljoin(url, answer.headers["location"])
            if _origin(url) != _origin(self.endpoint):
                return url
        raise SourceError(f"{self.repo}/{path}: too many redirects")

    def _pages(self, url: str) -> Iterator[bytes]:
        """The bodies of a listing's pages. The token follows a page to the same origin only."""
        parameters = {"recursive": "true"}
        while True:
            answer = self._ask("GET", url, parameters)
            yield answer.content
            following = answer.links.get("next", {}).get("url")
            if following is None:
                return
            url, parameters = urljoin(url, following), {}
            if _origin(url) != _origin(self.endpoint):
                raise SourceError(f"{self.repo}: the hub's listing goes on at another host")

    def _ask(
        self, method: str, url: str, parameters: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        return call_interruptibly(
            lambda: self.pacer.run(lambda: self._ask_once(method, url, parameters))
        )

    def _ask_once(
        self, method: str, url: str, parameters: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """One request. A GET follows redirects, the token only within its origin."""
        try:
            answer = get_session().request(
                method, url, params=parameters or None, headers=self._headers,
                timeout=self._seconds, follow_redirects=method == "GET",
            )  # fmt: skip
            hf_raise_for_status(answer)
        except Exception as error:
            self._raise(error)
        self._ledger.add(byte_count=answer.num_bytes_downloaded)
        return answer

    @property
    def _called(self) -> str:
        return f"{self.repo}: {self.endpoint}"

    def _raise(self, error: Exception) -> NoReturn:
        """Raise what an exception of huggingface_hub or its client means."""
        name = self.repo
        sent = "a token was sent" if self.token_headers else "no token was sent"
        if isinstance(error, GatedRepoError):
            page = f"{self.endpoint}/{quote(name)}"
            hint = f"accept its licence at {page}, then set HF_TOKEN ({sent})"
            raise AccessDenied(f"{name}: a gated repository", hint=hint) from error
        if isinstance(error, RevisionNotFoundError):
            raise ObjectNotFound(f"{name}: no such revision on {self.endpoint}") from error
        if isinstance(error, EntryNotFoundError):
            raise ObjectNotFound(f"{name}: no such file on {self.endpoint}") from error
        if isinstance(error, RepositoryNotFoundError):
            hint = f"check the name; for a private repository set HF_TOKEN ({sent})"
            raise ObjectNotFound(f"{name}: no such model on {self.endpoint}", hint=hint) from error
        if isinstance(error, OfflineModeIsEnabled):
            message = f"{name}: HF_HUB_OFFLINE is set, so {self.endpoint} was not asked"
            raise SourceError(message, hint=SAMPLES_HINT) from error
        if isinstance(error, HfHubHTTPError):
            self._raise_status(error)
        if isinstance(error, httpx2.HTTPError | OSError):
            message = f"{name}: cannot reach {self.endpoint}: {error}"
            raise TryAgain(SourceError(message, hint=SAMPLES_HINT)) from error
        raise error

    def _raise_status(self, error: HfHubHTTPError) -> NoReturn:
        answer = error.response
        status = answer.status_code
        self._ledger.add(byte_count=0)
        found = SourceError(f"{self.repo}: {self.endpoint} answered {status}")
        if status in PASSING_STATUSES:
            pause = stated_pause(answer.headers)
            raise TryAgain(found, status=status, pause=pause) from error
        raise found from error


def _decode(content: bytes, expected: Any, called: str) -> Any:
    try:
        return msgspec.json.decode(content, type=expected)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SourceError(f"{called} answered what is not its API: {error}") from error


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
