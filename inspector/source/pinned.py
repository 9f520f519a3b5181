"""A name for a checkpoint that means the same bytes later on, as far as one can."""

from pathlib import PurePath

from inspector.source.base import Source
from inspector.source.environment import hub_endpoint
from inspector.source.resolve import Kind, Location


def pinned_name(location: Location, source: Source) -> str:
    """What to type so that the commit that was read is read again.

    Directories, URLs and buckets have no commit. Of a URL the query is left out: it may be a
    signature.

    Args:
        location: what was asked for.
        source: what it turned out to be.
    """
    commit = source.commit or location.revision
    at = f"@{commit}" if commit else ""
    match location.kind:
        case Kind.LOCAL:
            return str(PurePath(location.base, location.file or ""))
        case Kind.HUB if location.file:
            page = f"{hub_endpoint()}/{location.base}"
            return f"{page}/blob/{commit or 'main'}/{location.file}"
        case Kind.HUB:
            return f"{location.base}{at}"
        case Kind.MODELSCOPE:
            return f"ms://{location.base}{at}"
        case _:
            return source.location
