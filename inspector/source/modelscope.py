"""Models on ModelScope: `ms://org/name[@revision]`.

A listing there ends at 3,000 entries without a sign, so one that is as long is made again folder by
folder. A folder that has more is never taken for whole: its weights are those that an index names,
each of which is asked for. Weights are read where ModelScope redirects to (`redirected.py`); it
serves small files itself, and those whole, whatever range is asked for.
"""

import re
import threading
from collections.abc import Mapping
from typing import Final

from inspector.errors import ObjectNotFound, RangeNotHonored, SourceError
from inspector.format.index import INDEX_NAME
from inspector.format.spans import Span
from inspector.source.access import Access
from inspector.source.base import Ledger
from inspector.source.environment import modelscope_endpoint
from inspector.source.modelscope_api import MOST_LISTED, ModelScopeApi
from inspector.source.modelscope_listing import TOP, Listing, list_whole
from inspector.source.redirected import RedirectedFiles

MASTER: Final = "master"

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_WEIGHTS: Final = ".safetensors"
_SINGLE: Final = "model.safetensors"

_WHOLE_BYTES: Final = 1 << 20
"""Weights up to this length are read whole where ModelScope ignores the range."""

_MOST_LISTINGS: Final = 256
"""Listings that one model may cost; folders that are left then count as cut off."""


class ModelScopeSource:
    """One model at one revision. A revision that is a commit pins it.

    A listing of `most_listed` entries counts as cut off.
    """

    kind = "modelscope"

    def __init__(
        self,
        repo: str,
        revision: str | None,
        ledger: Ledger,
        *,
        access: Access | None = None,
        most_listed: int = MOST_LISTED,
    ) -> None:
        self._repo = repo
        self._most_listed = most_listed
        self._revision = revision or MASTER
        self._access = access or Access()
        self._endpoint = modelscope_endpoint()
        self._api = ModelScopeApi(repo, self._revision, self._endpoint, ledger, self._access)
        self._redirected = RedirectedFiles(self._api, ledger, self._access.patience)
        self._lock = threading.Lock()
        self._listed: Listing | None = None
        self._files: Mapping[str, int] | None = None
        self._sizes: dict[str, int] = {}
        self._unranged: set[str] = set()
        self.location = f"ms://{repo}"
        self.commit = self._revision if _COMMIT.fullmatch(self._revision) else None

    @property
    def subject(self) -> str:
        return f"{self._endpoint}/models/{self._repo}/{self._revision}"

    def files(self) -> Mapping[str, int]:
        """The files, as far as they are known; without weights where the top was cut off.

        Raises:
            SourceError: it was, and no index says which weights there are.
        """
        if self._files is None:
            self._files = self._known_files(self._listing())
        return self._files

    def size(self, path: str) -> int:
        listing = self._listing()
        entry = listing.files.get(path)
        if entry is not None:
            return entry.size
        if not listing.may_hold(path):
            raise ObjectNotFound(f"{self.location}: no file {path} at {self._revision}")
        if path not in self._sizes:
            self._sizes[path] = self._ask_size(path)
        return self._sizes[path]

    def stamp(self, path: str) -> str | None:
        if self.commit:
            return self.commit
        entry = self._listing().files.get(path)
        if entry is not None:
            return entry.sha256 or entry.revision or None
        seen = self._redirected.versions.of(path)
        return seen[1] if seen else None

    def requests_for(self, path: str, reads: int) -> int:
        return self._redirected.requests_for(path, reads) if path.endswith(_WEIGHTS) else reads

    def read(self, path: str, span: Span) -> bytes:
        if not len(span):
            return b""
        size = self.size(path)
        if path.endswith(_WEIGHTS) and path not in self._unranged:
            try:
                return self._redirected.read(path, span, size)
            except RangeNotHonored:
                if size > _WHOLE_BYTES:
                    raise
                self._unranged.add(path)
        if span.stop > size:
            raise SourceError(f"{self.location}/{path}: asked for {span}, it has {size:,} bytes")
        return self._api.whole_file(path, size)[span.start : span.stop]

    def close(self) -> None:
        self._api.close()

    def _listing(self) -> Listing:
        with self._lock:
            if self._listed is None:
                self._listed = self._list()
            return self._listed

    def _list(self) -> Listing:
        self._access.check_online(self.location)
        listing = list_whole(
            lambda folder, recursive: self._api.listing(folder, recursive=recursive),
            most_listed=self._most_listed,
            most_listings=_MOST_LISTINGS,
        )
        if listing.cut:
            self._access.say_once(
                self.location,
                f"{self.location}: a listing of ModelScope ends at {self._most_listed:,} entries; "
                f"there may be more in {', '.join(sorted(one or 'top' for one in listing.cut))}",
            )
        return listing

    def _known_files(self, listing: Listing) -> dict[str, int]:
        sizes = {path: entry.size for path, entry in listing.files.items()}
        if TOP not in listing.cut:
            return sizes
        known = {path: size for path, size in sizes.items() if not path.endswith(_WEIGHTS)}
        for name in (INDEX_NAME, _SINGLE):
            try:
                return known | {name: self.size(name)}
            except ObjectNotFound:
                continue
        raise SourceError(
            f"{self.location}: more files than ModelScope lists, and no {INDEX_NAME} says which "
            "weights there are"
        )

    def _ask_size(self, path: str) -> int:
        try:
            return self._redirected.size(path)
        except RangeNotHonored:
            return self._api.size(path)
