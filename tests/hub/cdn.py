"""The CDN origin: signed URLs that expire, plain ones, and ones with a fault in their path."""

import hashlib
import hmac
import math
import re
import time
from pathlib import Path
from urllib.parse import quote

from tests.hub.faults import Fault, FaultPlan
from tests.hub.files import file_reply, find_file
from tests.hub.wire import Ask, Reply, text_reply

_PATH = re.compile(r"/(cdn|plain|fault/([a-z0-9_]+))/([^/]+/[^/]+)/(.+)")
_FAULT_NAMES = frozenset(str(fault) for fault in Fault)


class Signer:
    """Signs paths for a time and checks the signatures, by a clock that can be moved."""

    def __init__(self, secret: bytes, ttl: float) -> None:
        self._secret = secret
        self._ttl = ttl
        self._ahead = 0.0

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self._ahead += seconds

    def query(self, path: str, ttl: float | None = None) -> str:
        """`Expires=...&Signature=...` for a path; Expires is in whole seconds, rounded up."""
        expires = str(math.ceil(self._now() + (self._ttl if ttl is None else ttl)))
        return f"Expires={expires}&Signature={self._signature(path, expires)}"

    def problem(self, path: str, query: dict[str, str]) -> str | None:
        """Why the CDN would refuse `path` with this query, or None."""
        expires, signature = query.get("Expires", ""), query.get("Signature", "")
        if not hmac.compare_digest(signature, self._signature(path, expires)):
            return "Access denied: the signature does not match"
        if self._now() >= int(expires):
            return "Access denied: the request has expired"
        return None

    def _now(self) -> float:
        return time.time() + self._ahead

    def _signature(self, path: str, expires: str) -> str:
        return hmac.new(self._secret, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()


class Cdn:
    """Answers for the CDN origin."""

    def __init__(self, root: Path, signer: Signer, faults: FaultPlan) -> None:
        self._root = root
        self._signer = signer
        self._faults = faults

    def signed_target(self, repository: str, name: str, ttl: float | None = None) -> str:
        """Path and query of a signed URL."""
        path = f"/cdn/{repository}/{name}"
        return f"{quote(path)}?{self._signer.query(path, ttl)}"

    def answer(self, ask: Ask) -> Reply:
        match = _PATH.fullmatch(ask.path)
        if match is None:
            return text_reply(404, "Not Found")
        kind, in_path, repository, name = match.groups()
        if in_path is not None and in_path not in _FAULT_NAMES:
            return text_reply(404, f"no fault is called {in_path}")

        def answer(ask: Ask) -> Reply:
            return self._file(ask, repository, name, signed=kind == "cdn")

        fault = Fault(in_path) if in_path else self._faults.fault_for(ask.path, name)
        return self._faults.reply(fault, ask, answer) if fault else answer(ask)

    def _file(self, ask: Ask, repository: str, name: str, *, signed: bool) -> Reply:
        if ask.method not in {"GET", "HEAD"}:
            return text_reply(405, "Method Not Allowed", {"Allow": "GET, HEAD"})
        problem = self._signer.problem(ask.path, ask.query) if signed else None
        if problem:
            xml = f"<Error><Code>AccessDenied</Code><Message>{problem}</Message></Error>"
            return text_reply(403, xml, {"Content-Type": "application/xml"})
        stored = find_file(self._root, repository, name)
        if stored is None:
            return text_reply(404, "Not Found")
        return file_reply(stored, ask, stored.cdn_etag)
