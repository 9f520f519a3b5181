"""The hub origin: who may see which repository, where its files are, and the model API."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, quote, urlencode

from tests.hub.cdn import Cdn
from tests.hub.faults import FaultPlan
from tests.hub.files import StoredFile, file_reply, find_file, repository_files
from tests.hub.metadata import HeaderDocuments
from tests.hub.wire import Ask, Delivery, Refused, Reply, json_reply, text_reply

GATED_ORGANISATION: Final = "gated"

_REPOSITORY = r"(?P<repository>[^/]+/[^/]+)"
_API = rf"/api/models/{_REPOSITORY}"
_RESOLVE = re.compile(rf"/{_REPOSITORY}/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
_SMALL_FILE = re.compile(
    rf"/api/resolve-cache/models/{_REPOSITORY}/(?P<revision>[^/]+)/(?P<name>.+)"
)
_TREE = re.compile(rf"{_API}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+?))?/?")
_PATHS_INFO = re.compile(rf"{_API}/paths-info/(?P<revision>[^/]+)")
_HEADERS = re.compile(rf"{_API}/safetensors-metadata/(?P<name>.+)")
_MODEL = re.compile(rf"{_API}(?:/revision/(?P<revision>[^/]+))?")
_POINTER_BYTES: Final = 135


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one hub serves, and to whom."""

    root: Path
    commit: str
    token: str | None
    page_size: int | None
    metadata_endpoint: bool


class Site:
    """Answers for the hub origin; `endpoint` and `cdn_origin` are the URLs it tells its clients."""

    def __init__(
        self, terms: Terms, cdn: Cdn, faults: FaultPlan, *, endpoint: str, cdn_origin: str
    ) -> None:
        self._terms = terms
        self._endpoint = endpoint
        self._cdn = cdn
        self._cdn_origin = cdn_origin
        self._faults = faults
        self._header_documents = HeaderDocuments()
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Reply]]] = [
            ("GET", _RESOLVE, self._resolve),
            ("GET", _SMALL_FILE, self._small_file),
            ("GET", _TREE, self._tree),
            ("POST", _PATHS_INFO, self._paths_info),
            ("GET", _HEADERS, self._headers),
            ("GET", _MODEL, self._model),
        ]

    def answer(self, ask: Ask) -> Reply:
        small_file = _SMALL_FILE.fullmatch(ask.path)
        fault = self._faults.fault_for(ask.path, small_file["name"] if small_file else None)
        return self._faults.reply(fault, ask, self._route) if fault else self._route(ask)

    def _route(self, ask: Ask) -> Reply:
        method = "GET" if ask.method == "HEAD" else ask.method
        for wanted, pattern, route in self._routes:
            match = pattern.fullmatch(ask.path)
            if match and method == wanted:
                try:
                    return route(ask, **match.groupdict())
                except Refused as refused:
                    return refused.reply
        return text_reply(404, "Not Found")

    def _resolve(self, ask: Ask, repository: str, revision: str, name: str) -> Reply:
        stored = self._open(ask, repository, revision, name)
        headers = {
            "X-Repo-Commit": self._terms.commit,
            "X-Linked-Size": str(stored.size),
            "X-Linked-ETag": stored.hub_etag,
            "ETag": stored.hub_etag,
            "Accept-Ranges": "bytes",
        }
        if stored.linked:
            location = self._cdn_origin + self._cdn.signed_target(repository, name)
            return text_reply(302, "Found", headers | {"Location": location})
        place = quote(f"/api/resolve-cache/models/{repository}/{self._terms.commit}/{name}")
        query = urlencode({ask.path: "", "etag": stored.hub_etag})
        return text_reply(307, "Temporary Redirect", headers | {"Location": f"{place}?{query}"})

    def _small_file(self, ask: Ask, repository: str, revision: str, name: str) -> Reply:
        stored = self._open(ask, repository, revision, name)
        return file_reply(stored, ask, stored.hub_etag, {"X-Repo-Commit": self._terms.commit})

    def _model(self, ask: Ask, repository: str, revision: str | None) -> Reply:
        self._check_repository(ask, repository)
        self._check_revision(revision or "main")
        blobs = ask.query.get("blobs", "").lower() == "true"
        document = {
            "_id": self._terms.commit[:24],
            "id": repository,
            "modelId": repository,
            "author": repository.partition("/")[0],
            "sha": self._terms.commit,
            "private": False,
            "gated": "manual" if _is_gated(repository) else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": ["safetensors"],
            "library_name": "transformers",
            "createdAt": "2026-02-04T00:00:00.000Z",
            "lastModified": "2026-02-04T00:00:00.000Z",
            "siblings": [
                _sibling(stored, blobs=blobs)
                for stored in repository_files(self._terms.root, repository)
            ],
        }
        return json_reply(document, {"X-Repo-Commit": self._terms.commit})

    def _tree(self, ask: Ask, repository: str, revision: str, folder: str | None) -> Reply:
        self._check_repository(ask, repository)
        self._check_revision(revision)
        recursive = ask.query.get("recursive", "").lower() in {"true", "1"}
        stored = repository_files(self._terms.root, repository)
        entries = list(_tree_entries(stored, f"{folder}/" if folder else "", recursive=recursive))
        if folder and not entries:
            raise Refused(_error(404, "EntryNotFound", f"{folder} does not exist on {revision}"))
        start = int(ask.query.get("cursor", "0"))
        stop = start + (self._terms.page_size or len(entries))
        headers = {"X-Repo-Commit": self._terms.commit}
        if stop < len(entries):
            query = urlencode(ask.query | {"cursor": stop})
            page = f"{self._endpoint}{quote(ask.path)}?{query}"
            headers["Link"] = f'<{page}>; rel="next"'
        return json_reply(entries[start:stop], headers)

    def _paths_info(self, ask: Ask, repository: str, revision: str) -> Reply:
        self._check_repository(ask, repository)
        self._check_revision(revision)
        found = (find_file(self._terms.root, repository, name) for name in _asked_paths(ask))
        entries = [_file_entry(stored) for stored in found if stored is not None]
        return json_reply(entries, {"X-Repo-Commit": self._terms.commit})

    def _headers(self, ask: Ask, repository: str, name: str) -> Reply:
        if not self._terms.metadata_endpoint:
            return text_reply(404, "Not Found")
        document = self._header_documents.of(self._open(ask, repository, "main", name).path)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Vary": "Accept-Encoding",
            "X-Repo-Commit": self._terms.commit,
        }
        if not ask.accepts_gzip:
            return Reply(200, headers, document.plain)
        packed = headers | {"Content-Encoding": "gzip"}
        return Reply(200, packed, document.packed, delivery=Delivery.CHUNKED)

    def _open(self, ask: Ask, repository: str, revision: str, name: str) -> StoredFile:
        self._check_repository(ask, repository)
        if _is_gated(repository):
            self._check_access(ask, repository)
        self._check_revision(revision)
        stored = find_file(self._terms.root, repository, name)
        if stored is None:
            refusal = _error(404, "EntryNotFound", "Entry not found", self._terms.commit)
            raise Refused(refusal)
        return stored

    def _check_repository(self, ask: Ask, repository: str) -> None:
        """The real hub tells nobody but its users that a repository does not exist."""
        path = self._terms.root / repository
        if ".." not in repository.split("/") and path.is_dir():
            return
        if ask.bearer is None:
            raise Refused(_error(401, "RepoNotFound", "Invalid username or password."))
        raise Refused(_error(404, "RepoNotFound", "Repository not found"))

    def _check_access(self, ask: Ask, repository: str) -> None:
        restricted = f"Access to model {repository} is restricted"
        if ask.bearer is None:
            message = f"{restricted}. You must have access to it and be authenticated to access it."
            raise Refused(_error(401, "GatedRepo", f"{message} Please log in."))
        if ask.bearer != self._terms.token:
            message = f"{restricted} and you are not in the authorized list."
            visit = f"Visit {self._endpoint}/{repository} to ask for access."
            raise Refused(_error(403, "GatedRepo", f"{message} {visit}"))

    def _check_revision(self, revision: str) -> None:
        if revision not in {"main", self._terms.commit}:
            raise Refused(_error(404, "RevisionNotFound", f"Invalid rev id: {revision}"))


def _is_gated(repository: str) -> bool:
    return repository.partition("/")[0] == GATED_ORGANISATION


def _error(status: int, code: str, message: str, commit: str | None = None) -> Reply:
    headers = {"X-Error-Code": code, "X-Error-Message": message}
    if commit is not None:
        headers["X-Repo-Commit"] = commit
    return text_reply(status, message, headers)


def _sibling(stored: StoredFile, *, blobs: bool) -> dict[str, object]:
    sibling: dict[str, object] = {"rfilename": stored.name}
    if blobs:
        sibling |= {"size": stored.size, "blobId": stored.git_oid}
    if blobs and stored.linked:
        linked = {"sha256": stored.sha256, "size": stored.size, "pointerSize": _POINTER_BYTES}
        sibling["lfs"] = linked
    return sibling


def _file_entry(stored: StoredFile) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "file",
        "oid": stored.git_oid,
        "size": stored.size,
        "path": stored.name,
    }
    if stored.linked:
        entry["lfs"] = {
            "oid": stored.sha256,
            "size": stored.size,
            "pointerSize": _POINTER_BYTES,
        }
    return entry


def _tree_entries(
    files: Iterator[StoredFile], prefix: str, *, recursive: bool
) -> Iterator[dict[str, object]]:
    """Files and folders below `prefix`, each folder once, before what it holds."""
    known: set[str] = set()
    for stored in files:
        if not stored.name.startswith(prefix):
            continue
        parts = stored.name.removeprefix(prefix).split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            path = prefix + "/".join(parts[:depth])
            if path not in known:
                yield {"type": "directory", "oid": stored.git_oid, "size": 0, "path": path}
            known.add(path)
        if recursive or len(parts) == 1:
            yield _file_entry(stored)


def _asked_paths(ask: Ask) -> Sequence[str]:
    """The `paths` of a form or of a JSON document."""
    if "json" not in ask.headers.get("content-type", ""):
        return parse_qs(ask.body.decode()).get("paths", [])
    paths = json.loads(ask.body)["paths"]
    return [paths] if isinstance(paths, str) else [str(path) for path in paths]
