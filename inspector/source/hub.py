"""Repositories on the Hugging Face Hub: one commit, one listing, ranges.

A revision becomes a commit once, and every read names it. Sizes come from one tree listing. The
first read of a file follows the hub's redirect in the same request; a file that is read again has
its signed URL resolved once, used for all further ranges, and renewed when it has expired
(`docs/design/2026-11-hub-reads.md`). What cannot change at a commit is kept on the shelf: the
listing and small files. huggingface_hub is loaded when the network is first asked for something.
"""

import re
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urlsplit

import msgspec

from inspector.errors import AccessDenied, ObjectNotFound
from inspector.format.spans import Span
from inspector.source.access import Access
from inspector.source.base import Ledger
from inspector.source.environment import hub_endpoint
from inspector.source.patience import Pacer
from inspector.source.replies import FileVersions
from inspector.source.shelf import Label

if TYPE_CHECKING:
    from inspector.source.hub_api import HubApi
    from inspector.source.ranges import UrlReader

MAIN: Final = "main"

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")

_KEPT_FILE_BYTES: Final = 1 << 20
"""Small files that are kept: config.json of Intern-S1-Pro has 28 kB."""

_REDIRECTED: Final = ".safetensors"
"""Weights are behind a redirect, and worth a URL of their own where they are read again."""


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
        self._versions = FileVersions()
        self._lock = threading.Lock()
        self._listing_lock = threading.Lock()
        self._read_before: set[str] = set()
        self._signed: dict[str, UrlReader] = {}
        self._resolving: dict[str, threading.Lock] = {}
        self._pacers: dict[str, Pacer] = {}
        self._files: dict[str, int] | None = None
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
        """One more than the reads where the file's signed URL has yet to be resolved."""
        is_first = path not in self._read_before
        if reads == 0 or path in self._signed or (is_first and reads == 1):
            return reads
        return reads + 1

    def read(self, path: str, span: Span) -> bytes:
        if not len(span):
            return b""
        size = self.size(path)
        is_small = size <= _KEPT_FILE_BYTES and not path.endswith(_REDIRECTED)
        if is_small and span == Span(0, size):
            return self._kept("file", path, lambda: self._read(path, span, size))
        return self._read(path, span, size)

    def headers_in_one_request(self, index_file: str) -> Mapping[str, bytes] | None:
        """The JSON of every shard's header, where the hub gives them for `main` and this commit."""
        found = self._api.headers_of_main(index_file)
        if found is None:
            return None
        commit, headers = found
        return headers if (commit or self._api.commit_of(MAIN)) == self.commit else None

    def close(self) -> None:
        """Connections close with their stores."""

    def _listing(self) -> Mapping[str, int]:
        with self._listing_lock:
            if self._files is None:
                content = self._kept(
                    "listing", "", lambda: msgspec.json.encode(self._api.files_at(self.commit))
                )
                self._files = msgspec.json.decode(content, type=dict[str, int])
            return self._files

    @cached_property
    def _api(self) -> "HubApi":
        from inspector.source.hub_api import HubApi

        self._access.check_online(self.location)
        return HubApi(self.repo, self.endpoint, self._ledger, self._access)

    @cached_property
    def _hub_reader(self) -> "UrlReader":
        return self._reader(self.endpoint, self._api.token_headers)

    def _resolve_commit(self) -> str:
        """The commit; offline, the one that the revision was at when it was last asked for."""
        if _COMMIT.fullmatch(self._revision):
            return self._revision
        label = Label(
            kind="revision", subject=f"{self.endpoint}/{self.repo}", version=self._revision
        )
        if self._access.offline:
            return self._last_commit(label)
        commit = self._api.commit_of(self._revision)
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
        if not self._is_read_again(path):
            try:
                return self._hub_reader.read(self._resolve_path(path), span, listed_size=size)
            except AccessDenied as error:
                self._raise_reason(path, error)
        reader = self._signed_reader(path)
        try:
            return reader.read("", span, listed_size=size)
        except AccessDenied:
            return self._signed_reader(path, expired=reader).read("", span, listed_size=size)

    def _is_read_again(self, path: str) -> bool:
        """Whether weights are read for the second time. Other files stay with the hub."""
        with self._lock:
            again = path.endswith(_REDIRECTED) and path in self._read_before
            self._read_before.add(path)
        return again

    def _resolve_path(self, path: str) -> str:
        return f"{self.repo}/resolve/{self.commit}/{path}"

    def _signed_reader(self, path: str, *, expired: "UrlReader | None" = None) -> "UrlReader":
        """The reader of a file's signed URL, resolved once and again when `expired` is given."""
        with self._lock:
            lock = self._resolving.setdefault(path, threading.Lock())
        with lock:
            reader = self._signed.get(path)
            if reader is None or reader is expired:
                location = self._api.signed_location(path, self.commit)
                own_origin = location.startswith(f"{self.endpoint}/")
                headers = self._api.token_headers if own_origin else {}
                reader = self._reader(location, headers, called=self._resolve_path(path))
                self._signed[path] = reader
            return reader

    def _reader(self, base: str, headers: Mapping[str, str], called: str = "") -> "UrlReader":
        """A reader whose waits and file versions are those of all readers of the same host."""
        from inspector.source.ranges import UrlReader

        with self._lock:
            pacer = self._pacers.setdefault(urlsplit(base).netloc, Pacer(self._access.patience))
        return UrlReader(
            base, self._ledger, headers=headers, patience=self._access.patience, pacer=pacer,
            versions=self._versions, called=called,
        )  # fmt: skip

    def _raise_reason(self, path: str, denied: AccessDenied) -> NoReturn:
        """Ask huggingface_hub why a file may not be read: it knows the hub's error codes."""
        self._api.signed_location(path, self.commit)
        raise denied
