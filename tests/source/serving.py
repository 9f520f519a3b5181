"""A loopback hub that huggingface_hub in this process takes for the Hub, and what it was asked."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants

from tests.hub import Hub, Request

TOKEN = "hf_for_tests"  # noqa: S105  opens nothing but the loopback hub
REPO = "org/repo"
GATED = "gated/repo"
BYTES = bytes(range(256)) * 16

Connect = Callable[..., None]
"""Call with a hub, and `token=...` where one is set."""


def write_repo(root: Path, files: dict[str, bytes], *, repo: str = REPO) -> Path:
    """Files of one repository below the root that a hub serves."""
    for name, content in files.items():
        path = root / repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def asked(hub: Hub) -> list[Request]:
    """The requests so far, every one of them ours."""
    return list(hub.log)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Connect]:
    """Points huggingface_hub, which reads its settings when it is imported, at a hub."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "absent-token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def point(hub: Hub | str, *, token: str | None = None) -> None:
        endpoint = hub if isinstance(hub, str) else hub.endpoint
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        if token is not None:
            monkeypatch.setenv("HF_TOKEN", token)

    yield point
    close_session()
