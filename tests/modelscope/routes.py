"""The API origin: listings that end at 3,000 entries, and files.

Source: what ModelScope's own clients send and expect (modelscope_hub 0.5, `_legacy_api.py` and
`_download.py`): weights are redirected to signed URLs, small files are served here, whole.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.hub.cdn import Cdn
from tests.hub.faults import FaultPlan
from tests.hub.files import StoredFile, file_reply, find_file, repository_files
from tests.hub.routes import Terms
from tests.hub.wire import Ask, Reply, json_reply, text_reply

PRIVATE_ORGANISATION: Final = "private"
CODED_ORGANISATION: Final = "coded"
"""Its models are refused by a code in an answer of 200."""

IN_GIT: Final = "in-git-"
"""Weights of such names are no large files: they are served here, whole."""

MOST_LISTED: Final = 3_000

_MODEL = r"/api/v1/models/(?P<model>[^/]+/[^/]+)"
_LISTING = re.compile(rf"{_MODEL}/repo/files")
_FILE = re.compile(rf"{_MODEL}/repo")


class Site:
    """Answers for the API origin; `cdn_origin` is where it redirects to."""

    def __init__(
        self, terms: Terms, cdn: Cdn, faults: FaultPlan, *, cdn_origin: str, most_listed: int
    ) -> None:
        self._most_listed = most_listed
        self._terms = terms
        self._cdn = cdn
        self._faults = faults
        self._cdn_origin = cdn_origin

    def answer(self, ask: Ask) -> Reply:
        fault = self._faults.fault_for(ask.path, None)
        return self._faults.reply(fault, ask, self._route) if fault else self._route(ask)

    def _route(self, ask: Ask) -> Reply:
        for pattern, route in ((_LISTING, self._listing), (_FILE, self._file)):
            match = pattern.fullmatch(ask.path)
            if match and ask.method in {"GET", "HEAD"}:
                model = match["model"]
                return route(ask, model) if self._may_see(ask, model) else _absent("model")
        return text_reply(404, "Not Found")

    def _listing(self, ask: Ask, model: str) -> Reply:
        if model.startswith(f"{CODED_ORGANISATION}/"):
            return json_reply({"Code": 403, "Success": False, "Message": "no", "Data": None})
        folder = ask.query.get("Root", "")
        recursive = ask.query.get("Recursive", "").lower() == "true"
        stored = repository_files(self._terms.root, model)
        entries = list(_entries(stored, f"{folder}/" if folder else "", recursive=recursive))
        return json_reply(
            {"Code": 200, "Success": True, "Data": {"Files": entries[: self._most_listed]}}
        )

    def _file(self, ask: Ask, model: str) -> Reply:
        name = ask.query.get("FilePath", "")
        stored = find_file(self._terms.root, model, name)
        if stored is None:
            return _absent("file")
        if stored.linked and not name.startswith(IN_GIT):
            location = self._cdn_origin + self._cdn.signed_target(model, name)
            return text_reply(302, "Found", {"Location": location})
        return file_reply(stored, ask.without("range"), stored.hub_etag)

    def _may_see(self, ask: Ask, model: str) -> bool:
        """Whether a model is there for this client, at the revision that it asks for."""
        is_open = not model.startswith(f"{PRIVATE_ORGANISATION}/") or self._terms.token in {
            ask.bearer, ask.headers.get("cookie", "").partition("m_session_id=")[2],
        }  # fmt: skip
        revision = ask.query.get("Revision", "master")
        is_there = (self._terms.root / model).is_dir() and ".." not in Path(model).parts
        return is_open and is_there and revision in {"master", self._terms.commit}


def _absent(what: str) -> Reply:
    body = json_reply({"Code": 10010205001, "Success": False, "Message": f"no such {what}"})
    return Reply(404, body.headers, body.body)


def _entries(
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
                yield {"Type": "tree", "Name": path.rpartition("/")[2], "Path": path, "Size": 0}
            known.add(path)
        if recursive or len(parts) == 1:
            yield {
                "Type": "blob", "Name": parts[-1], "Path": stored.name, "Size": stored.size,
                "Revision": stored.git_oid, "Sha256": stored.sha256, "IsLFS": stored.linked,
            }  # fmt: skip
