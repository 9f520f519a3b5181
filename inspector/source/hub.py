"""Repositories on the Hugging Face Hub, through huggingface_hub: one commit, one listing, ranges.

A revision becomes a commit once, and every read names it. Sizes come from one tree listing. The
first read of a file follows the hub's redirect in the same request; a file that is read again has
its signed URL resolved once, used for all further ranges, and renewed when it has expired.
`docs/design/2026-11-hub-reads.md` has the measurement behind that.
"""

import re
import threading
from collections.abc import Mapping
from typing import Final, NoReturn
from urllib.parse import quote

import httpx2
from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # lazy export

from inspector.errors import AccessDenied, ObjectNotFound, SourceError, UsageError
from inspector.format.spans import Span
from inspector.source.base import Ledger
from inspector.source.http import UrlReader
from inspector.version import __version__

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")

OFFLINE_HINT: Final = (
    "without network, try the samples: s1inspect list-tensors -m sample_shards/s1-pro-mini"
)


class HubSource:
    """One repository at one commit. `endpoint` and token are huggingface_hub's own settings."""

    kind = "hub"

    def __init__(self, repo: str, revision: str | None, ledger: Ledger) -> None:
        self.repo = repo
        self.location = repo
        self._ledger = ledger
        self._endpoint = constants.ENDPOINT.rstrip("/")
        self._api = HfApi(
            endpoint=self._endpoint, library_name="s1inspect", library_version=__version__
        )
        headers = build_hf_headers(library_name="s1inspect", library_version=__version__)
        self._token_headers = {
            name: value for name, value in headers.items() if name.lower() == "authorization"
        }
        self.commit = self._resolve_commit(revision)
        self._listing: dict[str, RepoFile] | None = None
        self._listing_lock = threading.Lock()
        self._hub_reader = UrlReader(self._endpoint, ledger, headers=self._token_headers)
        self._lock = threading.Lock()
        self._read_before: set[str] = set()
        self._signed: dict[str, UrlReader] = {}
        self._resolving: dict[str, threading.Lock] = {}

    def files(self) -> Mapping[str, int]:
        return {path: entry.size for path, entry in self._tree().items()}

    def size(self, path: str) -> int:
        entry = self._tree().get(path)
        if entry is None:
            raise ObjectNotFound(f"{self.location}: no file {path} at commit {self.commit[:8]}")
        return entry.size

    def read(self, path: str, span: Span) -> bytes:
        if not len(span):
            return b""
        size = self.size(path)
        if not self._is_read_again(path):
            try:
                return self._hub_reader.read(self._resolve_path(path), span, file_size=size)
            except AccessDenied as error:
                self._raise_reason(path, error)
        reader = self._signed_reader(path)
        try:
            return reader.read("", span, file_size=size)
        except AccessDenied:
            return self._signed_reader(path, expired=reader).read("", span, file_size=size)

    def close(self) -> None:
        """Connections close with their stores."""

    def _resolve_commit(self, revision: str | None) -> str:
        if revision and _COMMIT.fullmatch(revision):
            return revision
        try:
            found = self._api.model_info(self.repo, revision=revision, timeout=30)
        except Exception as error:
            self._raise_api(error)
        self._ledger.add(byte_count=0)
        if not found.sha:
            raise SourceError(f"{self.repo}: the hub names no commit for {revision or 'main'}")
        return found.sha

    def _tree(self) -> dict[str, RepoFile]:
        with self._listing_lock:
            if self._listing is None:
                try:
                    entries = list(
                        self._api.list_repo_tree(self.repo, revision=self.commit, recursive=True)
                    )
                except Exception as error:
                    self._raise_api(error)
                self._ledger.add(byte_count=0)
                self._listing = {
                    entry.path: entry for entry in entries if isinstance(entry, RepoFile)
                }
            return self._listing

    def _is_read_again(self, path: str) -> bool:
        """Whether a large file is read for the second time. Small ones stay with the hub."""
        is_large = self._tree()[path].lfs is not None
        with self._lock:
            again = is_large and path in self._read_before
            self._read_before.add(path)
        return again

    def _resolve_path(self, path: str) -> str:
        return f"{self.repo}/resolve/{self.commit}/{path}"

    def _signed_reader(self, path: str, *, expired: UrlReader | None = None) -> UrlReader:
        """The reader of a file's signed URL, resolved once and again when `expired` is given."""
        with self._lock:
            lock = self._resolving.setdefault(path, threading.Lock())
        with lock:
            reader = self._signed.get(path)
            if reader is None or reader is expired:
                location = self._resolve_location(path)
                own_origin = location.startswith(f"{self._endpoint}/")
                headers = self._token_headers if own_origin else {}
                reader = UrlReader(location, self._ledger, headers=headers)
                self._signed[path] = reader
            return reader

    def _resolve_location(self, path: str) -> str:
        url = hf_hub_url(self.repo, path, revision=self.commit, endpoint=self._endpoint)
        try:
            metadata = get_hf_file_metadata(
                url, library_name="s1inspect", library_version=__version__, retry_on_errors=True
            )
        except Exception as error:
            self._raise_api(error)
        self._ledger.add(byte_count=0)
        return metadata.location

    def _raise_reason(self, path: str, denied: AccessDenied) -> NoReturn:
        """Ask huggingface_hub why a file may not be read: it knows the hub's error codes."""
        self._resolve_location(path)
        raise denied

    def _raise_api(self, error: Exception) -> NoReturn:
        name = self.repo
        sent = "a token was sent" if self._token_headers else "no token was sent"
        if isinstance(error, GatedRepoError):
            page = f"{self._endpoint}/{quote(name)}"
            hint = f"accept its licence at {page}, then set HF_TOKEN ({sent})"
            raise AccessDenied(f"{name}: a gated repository", hint=hint) from error
        if isinstance(error, RevisionNotFoundError):
            raise ObjectNotFound(f"{name}: no such revision on {self._endpoint}") from error
        if isinstance(error, EntryNotFoundError):
            raise ObjectNotFound(f"{name}: no such file at {self.commit[:8]}") from error
        if isinstance(error, RepositoryNotFoundError):
            hint = f"check the name; for a private repository set HF_TOKEN ({sent})"
            raise ObjectNotFound(f"{name}: no such model on {self._endpoint}", hint=hint) from error
        if isinstance(error, OfflineModeIsEnabled):
            message = f"{name}: HF_HUB_OFFLINE is set, so {self._endpoint} was not asked"
            raise SourceError(message, hint=OFFLINE_HINT) from error
        if isinstance(error, HFValidationError):
            raise UsageError(f"{name}: not a repository name: {error}") from error
        if isinstance(error, HfHubHTTPError):
            status = error.response.status_code
            raise SourceError(f"{name}: {self._endpoint} answered {status}") from error
        if isinstance(error, httpx2.HTTPError | OSError):
            message = f"{name}: cannot reach {self._endpoint}: {error}"
            raise SourceError(message, hint=OFFLINE_HINT) from error
        raise error
