"""What a person types for a checkpoint, and the source that it means."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote, urlsplit

from inspector.errors import ObjectNotFound, UsageError
from inspector.source.access import Access
from inspector.source.base import Ledger, Source
from inspector.source.environment import hub_endpoint
from inspector.source.local import LocalSource

ALIASES: Final = MappingProxyType(
    {
        "s1-pro": "internlm/Intern-S1-Pro",
        "s1": "internlm/Intern-S1",
        "qwen3": "Qwen/Qwen3-235B-A22B",
        "qwen3-vl": "Qwen/Qwen3-VL-235B-A22B-Instruct",
    }
)
"""Short names, listed in the help."""

MODELSCOPE_ALIASES: Final = MappingProxyType({"s1-pro": "Shanghai_AI_Laboratory/Intern-S1-Pro"})
"""Those of the same models on ModelScope whose names there are known, after `ms://`."""

_FILE_SUFFIXES: Final = (".safetensors", ".safetensors.index.json")
_REPO: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_HUB_HOSTS: Final = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_OTHER_PAGES: Final = frozenset({"api", "collections", "datasets", "docs", "papers", "spaces"})
"""First words of pages of huggingface.co that are no organisation."""

_BUCKET_SCHEMES: Final = frozenset({"s3", "gs", "az"})


class Kind(StrEnum):
    """Where a checkpoint lies."""

    LOCAL = "local"
    HUB = "hub"
    HTTP = "http"
    BUCKET = "bucket"
    MODELSCOPE = "modelscope"


@dataclass(frozen=True, slots=True)
class Location:
    """A parsed location: `base` is a directory, a repository or a URL; `file` one file of it."""

    kind: Kind
    base: str
    file: str | None = None
    revision: str | None = None

    @property
    def shard(self) -> str | None:
        """The one shard that is meant, or None where it is a whole checkpoint."""
        return self.file if self.file and self.file.endswith(".safetensors") else None

    @property
    def index(self) -> str | None:
        """The index file that was named, or None."""
        return self.file if self.file and self.file.endswith(".json") else None


def parse_location(text: str, *, revision: str | None = None) -> Location:
    """What `text` means: an alias, a path, `org/name[@rev]`, `hf://`, a page or a URL.

    A local path wins only if it exists or starts with `.`, `/` or `~`.

    >>> parse_location("qwen3")
    Location(kind=<Kind.HUB: 'hub'>, base='Qwen/Qwen3-235B-A22B', file=None, revision=None)
    >>> parse_location("hf://org/name@abc").revision
    'abc'
    """
    text = text.strip()
    if not text:
        raise UsageError(
            "no checkpoint given", hint="name one with --model, or set S1INSPECT_MODEL"
        )
    if text.startswith((".", "/", "~")) or _exists(Path(text)):
        return _local(text)
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme in ("http", "https"):
        return _url(text, revision)
    if scheme in _BUCKET_SCHEMES:
        return _bucket(text)
    name = text.partition("://")[2].removeprefix("models/") if scheme in ("hf", "ms") else text
    repo, _, at = name.partition("@")
    kind = Kind.MODELSCOPE if scheme == "ms" else Kind.HUB
    aliases = MODELSCOPE_ALIASES if kind is Kind.MODELSCOPE else ALIASES
    repo = aliases.get(repo, repo)
    if not _REPO.fullmatch(repo):
        raise UsageError(
            f"{text!r} is not a checkpoint: no such path, not org/name, not a URL",
            hint=f"aliases: {', '.join(aliases)}",
        )
    return Location(kind, repo, revision=_one_revision(text, at, revision))


def checkpoints_in(text: str) -> list[str]:
    """The checkpoints that `text` means: those in a local folder that is none itself, or `text`.

    A folder is a checkpoint where it has a config.json, a .safetensors or an .index.json file.
    """
    path = Path(text).expanduser() if text.startswith("~") else Path(text)
    if not _exists(path) or not path.is_dir() or _is_checkpoint(path):
        return [text]
    found = sorted(str(one) for one in path.iterdir() if one.is_dir() and _is_checkpoint(one))
    return found or [text]


def _is_checkpoint(folder: Path) -> bool:
    return any(one.name.endswith((*_FILE_SUFFIXES, "config.json")) for one in folder.iterdir())


def open_source(location: Location, ledger: Ledger, access: Access | None = None) -> Source:
    """The source of a location. huggingface_hub and obstore are loaded where they are needed."""
    only = location.shard
    match location.kind:
        case Kind.LOCAL:
            return LocalSource(Path(location.base), ledger, only=only)
        case Kind.HUB:
            from inspector.source.hub import MAIN, HubSource
            from inspector.source.snapshot import find_snapshot

            if access is not None and access.offline:
                snapshot = find_snapshot(location.base, location.revision or MAIN)
                if snapshot is not None:
                    access.say_offline(location.base, f"the downloaded snapshot {snapshot}")
                    return LocalSource(snapshot, ledger, only=only)
            return HubSource(location.base, location.revision, ledger, only=only, access=access)
        case Kind.HTTP:
            from inspector.source.http import HttpSource

            return HttpSource(location.base, ledger, only=only, access=access)
        case Kind.BUCKET:
            from inspector.source.bucket import BucketSource

            return BucketSource(location.base, ledger, only=only, access=access)
        case Kind.MODELSCOPE:
            from inspector.source.modelscope import MASTER, ModelScopeSource
            from inspector.source.snapshot import find_modelscope_snapshot

            if access is not None and access.offline:
                snapshot = find_modelscope_snapshot(location.base, location.revision or MASTER)
                if snapshot is not None:
                    return LocalSource(snapshot, ledger)
            return ModelScopeSource(location.base, location.revision, ledger, access=access)


def _local(text: str) -> Location:
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise ObjectNotFound(f"{text}: no such user") from error
    if _exists(path) and path.is_dir():
        return Location(Kind.LOCAL, str(path))
    if not _exists(path):
        raise ObjectNotFound(f"{text}: no such file or directory")
    if path.name == "config.json":
        return Location(Kind.LOCAL, str(path.parent))
    if path.name.endswith(_FILE_SUFFIXES):
        return Location(Kind.LOCAL, str(path.parent), file=path.name)
    raise UsageError(
        f"{text}: not a checkpoint", hint="give a directory, a .safetensors or an .index.json file"
    )


def _exists(path: Path) -> bool:
    """Whether a path exists; a name that no file can have does not."""
    try:
        return path.exists()
    except OSError:
        return False


def _url(url: str, revision: str | None) -> Location:
    shown = url.partition("?")[0]
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{shown}: not a URL: {error}") from error
    if not host:
        raise UsageError(f"{shown}: a URL without a host")
    if parts.username is not None:
        raise UsageError("a URL with a user name or password is not accepted")
    if host in _HUB_HOSTS or _is_mirror(url):
        return _hub_page(shown, parts.path, revision)
    path = parts.path.rstrip("/")
    if parts.query:
        if not path.endswith(".safetensors"):
            raise UsageError(f"{shown}: a URL with a query must name one .safetensors file")
        return Location(Kind.HTTP, url, file=path.rpartition("/")[2])
    if path.endswith(_FILE_SUFFIXES):
        base, _, file = url.rpartition("/")
        return Location(Kind.HTTP, base, file=unquote(file))
    return Location(Kind.HTTP, url.rstrip("/"))


def _bucket(url: str) -> Location:
    """`s3://bucket/prefix`, or one file below it."""
    base = url.rstrip("/")
    if "//" not in base or not base.partition("://")[2]:
        raise UsageError(f"{url}: no bucket named", hint="for example s3://bucket/checkpoint")
    if base.endswith(_FILE_SUFFIXES):
        base, _, file = base.rpartition("/")
        return Location(Kind.BUCKET, base, file=file)
    return Location(Kind.BUCKET, base)


def _is_mirror(url: str) -> bool:
    """Whether a URL is of the mirror that HF_ENDPOINT names."""
    return url.startswith(f"{hub_endpoint()}/")


def _hub_page(url: str, path: str, revision: str | None) -> Location:
    """A page of huggingface.co: /org/name[/tree|blob|resolve/revision[/file]].

    A page of one `.safetensors` or `.index.json` file means that file alone.
    """
    words = [unquote(word) for word in path.split("/") if word]
    repo = "/".join(words[:2])
    if not _REPO.fullmatch(repo) or words[0] in _OTHER_PAGES:
        raise UsageError(
            f"{url}: not a model page", hint="a page reads https://huggingface.co/org/name"
        )
    is_below = len(words) > 3 and words[2] in ("tree", "blob", "resolve", "raw")
    at, rest = (words[3], words[4:]) if is_below else ("", [])
    if at == "refs":
        at, rest = "/".join(words[3:6]), words[6:]
    file = "/".join(rest) if rest and rest[-1].endswith(_FILE_SUFFIXES) else None
    return Location(Kind.HUB, repo, file=file, revision=_one_revision(url, at, revision))


def _one_revision(text: str, at: str, option: str | None) -> str | None:
    if at and option and at != option:
        raise UsageError(f"{text}: names revision {at!r}, --revision says {option!r}")
    return at or option
