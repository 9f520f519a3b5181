"""Repositories that huggingface_hub or ModelScope has downloaded: a cache, read as a directory.

Source: huggingface_hub's "Understand caching" (`models--org--name/{refs,snapshots}`);
modelscope_hub's `_download.py` (`models/org--name/snapshots/revision`).
"""

import re
from pathlib import Path
from typing import Final

from inspector.source.environment import hub_cache_folder, modelscope_cache_folder

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def find_snapshot(repo: str, revision: str) -> Path | None:
    """The folder of a downloaded revision that has weights in it, or None.

    Args:
        repo: `org/name`.
        revision: a branch, a tag or a commit.
    """
    folder = hub_cache_folder() / f"models--{repo.replace('/', '--')}"
    commit = revision
    if not _COMMIT.fullmatch(revision):
        try:
            commit = (folder / "refs" / revision).read_text().strip()
        except (OSError, ValueError):
            return None
    if not _COMMIT.fullmatch(commit):
        return None
    return _with_weights(folder / "snapshots" / commit)


def find_modelscope_snapshot(repo: str, revision: str) -> Path | None:
    """The folder of a revision that ModelScope's client has downloaded, or None."""
    folder = modelscope_cache_folder() / "models" / repo.replace("/", "--")
    return _with_weights(folder / "snapshots" / revision)


def _with_weights(snapshot: Path) -> Path | None:
    try:
        has_weights = any(path.suffix == ".safetensors" for path in snapshot.iterdir())
    except (OSError, ValueError):
        return None
    return snapshot if has_weights else None
