"""The settings of huggingface_hub and of ModelScope that hold here too, read without loading them.

Names and meanings are those of their documentation ("Environment variables"; modelscope_hub's
`config.py`); a test compares each of the Hub's with what huggingface_hub makes of the same
environment.
"""

import os
from pathlib import Path
from typing import Final

DEFAULT_ENDPOINT: Final = "https://huggingface.co"

MODELSCOPE_ENDPOINT: Final = "https://modelscope.cn"

_TRUE: Final = frozenset({"1", "ON", "YES", "TRUE"})
_DOWNLOAD_SECONDS: Final = 10.0
"""huggingface_hub's default of HF_HUB_DOWNLOAD_TIMEOUT."""


def hub_endpoint() -> str:
    """The hub, or the mirror that HF_ENDPOINT names."""
    return os.environ.get("HF_ENDPOINT", DEFAULT_ENDPOINT).rstrip("/")


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids the network."""
    said = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return said.upper() in _TRUE


def assets_folder() -> Path:
    """Where HF_ASSETS_CACHE puts what tools derive from downloads."""
    return _folder("HF_ASSETS_CACHE", "HUGGINGFACE_ASSETS_CACHE", "assets")


def hub_cache_folder() -> Path:
    """Where HF_HUB_CACHE puts downloaded repositories."""
    return _folder("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "hub")


def read_timeout_seconds() -> float:
    """How long HF_HUB_DOWNLOAD_TIMEOUT lets a server be silent."""
    try:
        return float(os.environ.get("HF_HUB_DOWNLOAD_TIMEOUT", "")) or _DOWNLOAD_SECONDS
    except ValueError:
        return _DOWNLOAD_SECONDS


def modelscope_endpoint() -> str:
    """ModelScope, or the site that MODELSCOPE_ENDPOINT names with or without a scheme."""
    named = os.environ.get("MODELSCOPE_ENDPOINT") or MODELSCOPE_ENDPOINT
    return (named if "://" in named else f"https://{named}").rstrip("/")


def modelscope_token() -> str | None:
    """What MODELSCOPE_API_TOKEN holds; an empty one means to send none."""
    return os.environ.get("MODELSCOPE_API_TOKEN") or None


def modelscope_cache_folder() -> Path:
    """Where MODELSCOPE_CACHE puts downloaded models."""
    return Path(_expanded(os.environ.get("MODELSCOPE_CACHE") or "~/.cache/modelscope"))


def _folder(variable: str, older_variable: str, below_home: str) -> Path:
    standard = os.path.join(_home(), below_home)  # noqa: PTH118 - a string is expanded below
    named = os.environ.get(variable, os.environ.get(older_variable, standard))
    return Path(_expanded(named))


def _home() -> str:
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return _expanded(os.environ.get("HF_HOME", f"{caches}/huggingface"))


def _expanded(path: str) -> str:
    """`~` first and then `$NAME`, as huggingface_hub does: no `~` out of a variable is a home."""
    return os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111 - never fails, as there
