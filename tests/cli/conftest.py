import pytest

from tests.source.serving import connect

__all__ = ["connect"]


@pytest.fixture(autouse=True)
def _plain_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.mktemp("huggingface")))
    for name in (
        *("S1INSPECT_MODEL", "HF_DEBUG", "NO_COLOR", "FORCE_COLOR", "COLUMNS"),
        *("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ASSETS_CACHE", "HF_HUB_CACHE"),
    ):
        monkeypatch.delenv(name, raising=False)
