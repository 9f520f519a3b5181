from pathlib import Path

import pytest
from huggingface_hub import snapshot_download

from inspector.errors import SourceError
from inspector.source.access import Access
from inspector.source.base import Ledger
from inspector.source.resolve import open_source, parse_location
from tests.hub import COMMIT, Hub
from tests.source.serving import BYTES, REPO, Connect, write_repo

FILES = {"model.safetensors": BYTES, "config.json": b"{}"}
OFFLINE = Access(offline=True)


@pytest.fixture
def cache(tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that huggingface_hub has filled from the loopback hub."""
    folder = tmp_path / "cache"
    with Hub(write_repo(tmp_path / "hub", FILES)) as hub:
        connect(hub)
        snapshot_download(REPO, cache_dir=folder, local_files_only=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    return folder


@pytest.mark.parametrize("revision", ["", "@main", f"@{COMMIT}"])
def test_offline_a_repository_is_read_from_the_cache_of_huggingface_hub(
    cache: Path, revision: str
) -> None:
    source = open_source(parse_location(REPO + revision), Ledger(), OFFLINE)
    assert (source.kind, source.commit) == ("directory", COMMIT)
    assert source.files() == {name: len(content) for name, content in FILES.items()}
    source.close()


def test_offline_a_revision_that_was_not_downloaded_is_not_answered(cache: Path) -> None:
    with pytest.raises(SourceError, match="offline"):
        open_source(parse_location(f"{REPO}@v2"), Ledger(), OFFLINE)
    with pytest.raises(SourceError, match="offline"):
        open_source(parse_location("org/other"), Ledger(), OFFLINE).files()


def test_the_snapshot_itself_is_a_directory_with_a_commit(cache: Path) -> None:
    snapshot = cache / "models--org--repo" / "snapshots" / COMMIT
    source = open_source(parse_location(str(snapshot)), Ledger())
    assert (source.kind, source.commit) == ("directory", COMMIT)
    source.close()


def test_a_folder_of_another_name_below_snapshots_is_no_commit(tmp_path: Path) -> None:
    folder = tmp_path / "snapshots" / "master"
    folder.mkdir(parents=True)
    source = open_source(parse_location(str(folder)), Ledger())
    assert source.commit is None
