"""`open_checkpoint`: from what a person would type to a checkpoint that is open."""

import logging
from typing import Final

from inspector import checkpoint as below
from inspector.checkpoint.policy import DEFAULT_JOBS, Progress, ReadPolicy, no_progress
from inspector.library.model import OpenCheckpoint
from inspector.source.access import Access
from inspector.source.environment import is_offline
from inspector.source.patience import Patience
from inspector.source.shelf import open_shelf

_LOG: Final = logging.getLogger("inspector")


def open_checkpoint(
    location: str,
    *,
    revision: str | None = None,
    jobs: int = DEFAULT_JOBS,
    max_bytes: int | None = None,
    offline: bool | None = None,
    cache: bool = True,
    progress: Progress = no_progress,
) -> OpenCheckpoint:
    """Open what a person would type for a checkpoint: a path, `org/name[@rev]`, a URL, an alias.

    No header is read yet. Token, endpoint, proxies and caches are those of huggingface_hub's
    environment variables.

    Args:
        location: as `--model` takes it.
        revision: a branch, tag or commit of the Hub's.
        jobs: reads at a time over a network.
        max_bytes: raise `BudgetExceeded` before a read that would go past this; None for no limit.
        offline: ask no server; None for what HF_HUB_OFFLINE says.
        cache: use the cache of headers that the commands share.
        progress: told what is done, how many, of how many.

    Raises:
        UsageError: `location` means nothing.
        SourceError: it is not there, or may not be read.

    >>> with open_checkpoint("sample_shards/qwen3-mini") as model:
    ...     weight = model["layers.0.mlp.experts.3.up_proj"]
    ...     weight.rows(0, 8).shape
    (8, 256)
    """
    access = Access(
        offline=is_offline() if offline is None else offline,
        patience=Patience(say=_LOG.warning),
        shelf=open_shelf() if cache else None,
    )
    policy = ReadPolicy(jobs, max_bytes, progress)
    opened = below.open_checkpoint(location, revision=revision, policy=policy, access=access)
    return OpenCheckpoint(opened, access)
