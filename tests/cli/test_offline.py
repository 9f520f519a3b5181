"""Commands without a network: what an earlier run kept, or what huggingface_hub downloaded."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import QWEN3, S1, invoke, run
from tests.hub import COMMIT, Hub
from tests.source.serving import Connect

REPO = "org/s1"
EXPERT = "layers.0.mlp.experts.2.up_proj"
FORBID = [{"HF_HUB_OFFLINE": "1"}, {"TRANSFORMERS_OFFLINE": "yes"}, {}]


@pytest.fixture
def hub(tmp_path: Path, connect: Connect) -> Iterator[Hub]:
    (tmp_path / "hub" / "org").mkdir(parents=True)
    (tmp_path / "hub" / "org" / "s1").symlink_to(S1)
    with Hub(tmp_path / "hub") as hub:
        connect(hub)
        yield hub


def forbidden(monkeypatch: pytest.MonkeyPatch, forbid: dict[str, str]) -> list[str]:
    """No network from here on: by the environment, or by the option to give."""
    for name, value in forbid.items():
        monkeypatch.setenv(name, value)
    return [] if forbid else ["--offline"]


@pytest.mark.parametrize("forbid", FORBID, ids=["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "option"])
def test_a_listing_is_answered_from_the_cache_and_says_so(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, forbid: dict[str, str]
) -> None:
    first = invoke("list-tensors", "-m", REPO)
    hub.log.clear()
    again = invoke("list-tensors", "-m", REPO, *forbidden(monkeypatch, forbid))
    assert hub.log == []
    assert (again.exit_code, again.stdout) == (0, first.stdout)
    said, cost = again.stderr.splitlines()
    assert said.startswith(f"{REPO}: offline: main was at commit {COMMIT[:8]}, read 20")
    assert cost.startswith("0 requests, 0 B read")


def test_a_process_is_answered_by_what_another_kept(hub: Hub, tmp_path: Path) -> None:
    env = {"HF_ENDPOINT": hub.endpoint}
    first = run("list-tensors", "-m", REPO, home=tmp_path, env=env)
    hub.log.clear()
    again = run("list-tensors", "-m", REPO, home=tmp_path, env=env | {"HF_HUB_OFFLINE": "1"})
    assert hub.log == []
    assert first.stdout
    assert (again.returncode, again.stdout) == (0, first.stdout)


@pytest.mark.parametrize(
    ("command", "forbid"),
    [
        *(("list-tensors", one) for one in FORBID),
        (f"dequant {EXPERT}", {}),
        (f"expert-similarity --ref {QWEN3}", {}),
        ("list-tensors --plan", {}),
    ],
    ids=lambda value: next(iter(value), "option") if isinstance(value, dict) else value.split()[0],
)
def test_without_an_entry_it_is_3_and_one_line(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, forbid: dict[str, str], command: str
) -> None:
    done = invoke(*command.split(), "-m", REPO, *forbidden(monkeypatch, forbid))
    assert hub.log == []
    assert (done.exit_code, done.stdout) == (3, "")
    line, hint = done.stderr.splitlines()
    assert line == f"s1inspect: {REPO} at main: offline, and this is not in the cache"
    assert "--offline" in hint
    assert "HF_HUB_OFFLINE" in hint


@pytest.mark.usefixtures("hub")
def test_weights_are_not_kept_and_offline_that_is_3() -> None:
    invoke("list-tensors", "-m", REPO)
    assert invoke("dequant", EXPERT, "-m", REPO).exit_code == 0
    done = invoke("dequant", EXPERT, "-m", REPO, "--offline")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "offline, and this is not in the cache" in done.stderr


def test_no_cache_neither_reads_nor_writes(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ASSETS_CACHE", str(tmp_path / "assets"))
    command = ["list-tensors", "-m", f"{REPO}@{COMMIT}", "-q"]
    for _ in range(2):
        hub.log.clear()
        assert invoke(*command, "--no-cache").exit_code == 0
        assert sum(one.status == 206 for one in hub.log) == 5
    assert not (tmp_path / "assets").exists()
    invoke(*command)
    hub.log.clear()
    invoke(*command, "--no-cache")
    assert sum(one.status == 206 for one in hub.log) == 5
    assert invoke(*command, "--no-cache", "--offline").exit_code == 3


@pytest.mark.usefixtures("hub")
def test_entries_lie_where_hf_assets_cache_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    invoke("list-tensors", "-m", REPO)
    assert list((tmp_path / "hf" / "assets" / "s1inspect").glob("catalog-*.entry"))
    monkeypatch.setenv("HF_ASSETS_CACHE", str(tmp_path / "own"))
    invoke("list-tensors", "-m", REPO)
    assert list((tmp_path / "own" / "s1inspect").glob("catalog-*.entry"))


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("command", ["list-tensors", f"expert-similarity --ref {QWEN3}"])
def test_a_cache_that_cannot_be_written_is_one_warning_and_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "assets").write_text("a file")
    monkeypatch.setenv("HF_ASSETS_CACHE", str(tmp_path / "assets"))
    done = invoke(*command.split(), "-m", REPO)
    assert done.exit_code == 0
    assert done.stdout
    warning, *_, cost = done.stderr.splitlines()
    assert warning.startswith("warning: nothing is kept for the next run: ")
    assert done.stderr.count("warning: nothing is kept") == 1
    assert "read" in cost


def downloaded() -> Path:
    """What `hf download org/s1` leaves: a snapshot of links to blobs."""
    folder = Path(os.environ["HF_HOME"], "hub", "models--org--s1")
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for path in Path(S1).iterdir():
        (snapshot / path.name).symlink_to(path)
    return snapshot


@pytest.mark.parametrize("location", [REPO, f"{REPO}@{COMMIT}", f"hf://{REPO}"])
def test_a_downloaded_snapshot_answers_offline_weights_too(location: str) -> None:
    snapshot = downloaded()
    for command in (["list-tensors"], ["dequant", EXPERT]):
        done = invoke(*command, "-m", location, "--offline", "--json")
        assert done.exit_code == 0, done.stderr
        assert f"{REPO}: offline: the downloaded snapshot {snapshot}" in done.stderr
        assert json.loads(done.stdout)["model"]["commit"] == COMMIT


def test_local_checkpoints_need_no_network() -> None:
    done = invoke("list-tensors", "-m", S1, "--offline")
    assert done.exit_code == 0
    assert "offline" not in done.stderr
