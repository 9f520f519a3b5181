from pathlib import Path

import pytest

from inspector.source.snapshot import find_snapshot

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "org/name"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of huggingface_hub with one repository in it: blobs, refs and a snapshot of links."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--org--name"
    for name in ("blobs", "refs/pr", f"snapshots/{COMMIT}"):
        (folder / name).mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    (folder / "refs" / "pr" / "1").write_text(COMMIT)
    (folder / "blobs" / "abc").write_bytes(b"weights")
    (folder / "snapshots" / COMMIT / "model.safetensors").symlink_to("../../blobs/abc")
    return folder


@pytest.mark.parametrize("revision", ["main", COMMIT, "pr/1"])
def test_a_downloaded_revision_is_found(cache: Path, revision: str) -> None:
    found = find_snapshot(REPO, revision)
    assert found == cache / "snapshots" / COMMIT
    assert (found / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("repo", "revision"),
    [(REPO, "v2"), (REPO, "f" * 40), ("org/other", "main"), (REPO, "../blobs/abc")],
    ids=["revision", "commit", "repository", "no reference"],
)
def test_what_was_not_downloaded_is_not_found(cache: Path, repo: str, revision: str) -> None:
    assert cache.is_dir()
    assert find_snapshot(repo, revision) is None


@pytest.mark.parametrize("text", ["", "..", "../../..", "not a commit"])
def test_a_reference_that_names_no_commit_leads_nowhere(cache: Path, text: str) -> None:
    """`..` led to a folder outside of the snapshots."""
    (cache / "refs" / "main").write_text(text)
    (cache / "evil.safetensors").write_bytes(b"")
    assert find_snapshot(REPO, "main") is None


def test_a_snapshot_without_weights_is_none(cache: Path) -> None:
    (cache / "snapshots" / COMMIT / "model.safetensors").rename(
        cache / "snapshots" / COMMIT / "config.json"
    )
    assert find_snapshot(REPO, "main") is None
