"""Repositories on the Hugging Face Hub: one commit, one listing, ranges.

A revision becomes a commit once, and every read names it. Sizes come from one tree listing. Files
are read where the hub redirects to (`redirected.py`). What cannot change at a commit is kept on the
shelf: the listing and small files. huggingface_hub is loaded when the network is first asked for
something.
"""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from inspector.errors import AccessDenied, ObjectNotFound
from inspector.format.spans import Span
from inspector.source.access import Access
from inspector.source.base import Ledger
from inspector.source.environment import hub_endpoint
from inspector.source.redirected import REDIRECTED, RedirectedFiles
from inspector.source.shelf import Label

if TYPE_CHECKING:
    from inspector.source.hub_api import HubApi

MAIN: Final = "main"

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")

_KEPT_FILE_BYTES: Final = 1 << 20
"""Small files that are kept: config.json of Intern-S1-Pro has 28 kB."""


class HubSource:
    """One repository at one commit. `endpoint` and token are huggingface_hub's own settings."""

    kind = "hub"

    def __init__(
        self,
        repo: str,
        revision: str | None,
        ledger: Ledger,
        *,
        only: str | None = None,
        access: Access | None = None,
    ) -> None:
        self.repo = repo
        self.location = f"{repo}/{only}" if only else repo
        self._only = only
        self.endpoint = hub_endpoint()
        self._access = access or Access()
        self._ledger = ledger
        self._revision = revision or MAIN
        self._listing_lock = threading.Lock()
        self._files: dict[str, int] | None = None
        self._redirected = RedirectedFiles(_AtCommit(self), ledger, self._access.patience)
        self.commit = self._resolve_commit()

    @property
    def subject(self) -> str:
        return f"{self.endpoint}/{self.location}"

    @property
    def is_main(self) -> bool:
        """Whether the commit is what `main` is at now."""
        return self._revision == MAIN and not self._access.offline

    def files(self) -> Mapping[str, int]:
        return {self._only: self.size(self._only)} if self._only else self._listing()

    def size(self, path: str) -> int:
        size = self._listing().get(path)
        if size is None:
            raise ObjectNotFound(f"{self.location}: no file {path} at commit {self.commit[:8]}")
        return size

    def stamp(self, path: str) -> str | None:
        return self.commit if path in self._listing() else None

    def requests_for(self, path: str, reads: int) -> int:
        return self._redirected.requests_for(path, reads)

    def read(self, path: str, span: Span) -> bytes:
        if not len(span):
            return b""
        size = self.size(path)
        is_small = size <= _KEPT_FILE_BYTES and not path.endswith(REDIRECTED)
        if is_small and span == Span(0, size):
            return self._kept("file", path, lambda: self._read(path, span, size))
        return self._read(path, span, size)

    def headers_in_one_request(self, index_file: str) -> Mapping[str, bytes] | None:
        """The JSON of every shard's header, where the hub gives them for `main` and this commit."""
        found = self.api.headers_of_main(index_file)
        if found is None:
            return None
        commit, headers = found
        return headers if (commit or self.api.commit_of(MAIN)) == self.commit else None

    def close(self) -> None:
        """Connections close with their stores."""

    def _listing(self) -> Mapping[str, int]:
        with self._listing_lock:
            if self._files is None:
                content = self._kept(
                    "listing", "", lambda: msgspec.json.encode(self.api.files_at(self.commit))
                )
                self._files = msgspec.json.decode(content, type=dict[str, int])
            return self._files

    @cached_property
    def api(self) -> "HubApi":
        from inspector.source.hub_api import HubApi

        self._access.check_online(self.location)
        return HubApi(self.repo, self.endpoint, self._ledger, self._access)

    def _resolve_commit(self) -> str:
        """The commit; offline, the one that the revision was at when it was last asked for."""
        if _COMMIT.fullmatch(self._revision):
            return self._revision
        label = Label(
            kind="revision", subject=f"{self.endpoint}/{self.repo}", version=self._revision
        )
        if self._access.offline:
            return self._last_commit(label)
        commit = self.api.commit_of(self._revision)
        self._access.keep(label, commit.encode())
        return commit

    def _last_commit(self, label: Label) -> str:
        kept = self._access.recall(label)
        if kept is None:
            self._access.check_online(f"{self.location} at {self._revision}")
            raise ObjectNotFound(f"{self.location}: no commit of {self._revision} is known")
        commit = kept.content.decode()
        known = f"{self._revision} was at commit {commit[:8]}"
        self._access.say_offline(self.location, known, kept.saved_at)
        return commit

    def _kept(self, kind: str, name: str, ask: Callable[[], bytes]) -> bytes:
        """What an earlier run kept of this commit, else what `ask` gives."""
        repo = f"{self.endpoint}/{self.repo}"
        label = Label(kind=kind, subject=repo, version=f"{self.commit}/{name}")
        kept = self._access.recall(label)
        if kept is not None:
            self._ledger.add_cached(len(kept.content))
            return kept.content
        content = ask()
        self._access.keep(label, content)
        return content

    def _read(self, path: str, span: Span, size: int) -> bytes:
        try:
            return self._redirected.read(path, span, size)
        except AccessDenied as error:
            self._raise_reason(path, error)

    def _raise_reason(self, path: str, denied: AccessDenied) -> NoReturn:
        """Ask huggingface_hub why a file may not be read: it knows the hub's error codes."""
        self.api.signed_location(path, self.commit)
        raise denied


@dataclass(frozen=True, slots=True)
class _AtCommit:
    """The hub as the host of one repository's files at one commit."""

    source: HubSource

    @property
    def origin(self) -> str:
        return self.source.endpoint

    @property
    def token_headers(self) -> Mapping[str, str]:
        return self.source.api.token_headers

    def entrance(self, path: str) -> tuple[str, str]:
        return self.source.endpoint, f"{self.source.repo}/resolve/{self.source.commit}/{path}"

    def signed_location(self, path: str) -> str:
        return self.source.api.signed_location(path, self.source.commit)
