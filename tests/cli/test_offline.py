"""Commands without a network: what an earlier run kept, or what huggingface_hub downloaded."""

import json
from pathlib import Path

import pytest

from tests.cli.running import QWEN3, S1, run
from tests.hub import COMMIT, Hub

REPO = "org/s1"
EXPERT = "layers.0.mlp.experts.2.up_proj"
FORBID = [{"HF_HUB_OFFLINE": "1"}, {"TRANSFORMERS_OFFLINE": "yes"}, {}]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "hub" / "org").mkdir(parents=True)
    (tmp_path / "hub" / "org" / "s1").symlink_to(S1)
    return tmp_path / "hub"


@pytest.mark.parametrize("forbid", FORBID, ids=["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "option"])
def test_a_listing_is_answered_from_the_cache_and_says_so(
    root: Path, tmp_path: Path, forbid: dict[str, str]
) -> None:
    with Hub(root) as hub:
        env = {"HF_ENDPOINT": hub.endpoint}
        first = run("list-tensors", "-m", REPO, home=tmp_path, env=env)
        hub.log.clear()
        option = [] if forbid else ["--offline"]
        again = run("list-tensors", "-m", REPO, *option, home=tmp_path, env=env | forbid)
        assert hub.log == []
    assert (again.returncode, again.stdout) == (0, first.stdout)
    said, cost = again.stderr.splitlines()
    assert said.startswith(f"{REPO}: offline: main was at commit {COMMIT[:8]}, read 20")
    assert cost.startswith("0 requests, 0 B read")


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
    root: Path, tmp_path: Path, forbid: dict[str, str], command: str
) -> None:
    with Hub(root) as hub:
        env = {"HF_ENDPOINT": hub.endpoint} | forbid
        option = [] if forbid else ["--offline"]
        done = run(*command.split(), "-m", REPO, *option, home=tmp_path, env=env)
        assert hub.log == []
    assert (done.returncode, done.stdout) == (3, "")
    line, hint = done.stderr.splitlines()
    assert line == f"s1inspect: {REPO} at main: offline, and this is not in the cache"
    assert "--offline" in hint
    assert "HF_HUB_OFFLINE" in hint


def test_weights_are_not_kept_and_offline_that_is_3(root: Path, tmp_path: Path) -> None:
    with Hub(root) as hub:
        env = {"HF_ENDPOINT": hub.endpoint}
        run("list-tensors", "-m", REPO, home=tmp_path, env=env)
        assert run("dequant", EXPERT, "-m", REPO, home=tmp_path, env=env).returncode == 0
        done = run("dequant", EXPERT, "-m", REPO, "--offline", home=tmp_path, env=env)
    assert (done.returncode, done.stdout) == (3, "")
    assert "offline, and this is not in the cache" in done.stderr


def test_no_cache_neither_reads_nor_writes(root: Path, tmp_path: Path) -> None:
    with Hub(root) as hub:
        env = {"HF_ENDPOINT": hub.endpoint, "HF_ASSETS_CACHE": str(tmp_path / "assets")}
        command = ["list-tensors", "-m", f"{REPO}@{COMMIT}", "-q"]
        for _ in range(2):
            hub.log.clear()
            assert run(*command, "--no-cache", home=tmp_path, env=env).returncode == 0
            assert sum(one.status == 206 for one in hub.log) == 5
        assert not (tmp_path / "assets").exists()
        run(*command, home=tmp_path, env=env)
        hub.log.clear()
        run(*command, "--no-cache", home=tmp_path, env=env)
        assert sum(one.status == 206 for one in hub.log) == 5
        done = run(*command, "--no-cache", "--offline", home=tmp_path, env=env)
    assert done.returncode == 3


def test_entries_lie_where_hf_assets_cache_says(root: Path, tmp_path: Path) -> None:
    with Hub(root) as hub:
        env = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hf")}
        run("list-tensors", "-m", REPO, home=tmp_path, env=env)
        assert list((tmp_path / "hf" / "assets" / "s1inspect").glob("catalog-*.entry"))
        env["HF_ASSETS_CACHE"] = str(tmp_path / "own")
        run("list-tensors", "-m", REPO, home=tmp_path, env=env)
    assert list((tmp_path / "own" / "s1inspect").glob("catalog-*.entry"))


def test_a_cache_that_cannot_be_written_is_one_warning_and_the_answer(
    root: Path, tmp_path: Path
) -> None:
    (tmp_path / "assets").write_text("a file")
    with Hub(root) as hub:
        env = {"HF_ENDPOINT": hub.endpoint, "HF_ASSETS_CACHE": str(tmp_path / "assets")}
        for command in (["list-tensors"], ["expert-similarity", "--ref", QWEN3]):
            done = run(*command, "-m", REPO, home=tmp_path, env=env)
            assert done.returncode == 0
            assert done.stdout
            warning, *_, cost = done.stderr.splitlines()
            assert warning.startswith("warning: nothing is kept for the next run: ")
            assert done.stderr.count("warning: nothing is kept") == 1
            assert "read" in cost


def downloaded(home: Path) -> Path:
    """What `hf download org/s1` leaves: a snapshot of links to blobs."""
    folder = home / ".cache" / "huggingface" / "hub" / "models--org--s1"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for path in Path(S1).iterdir():
        (snapshot / path.name).symlink_to(path)
    return snapshot


@pytest.mark.parametrize("location", [REPO, f"{REPO}@{COMMIT}", f"hf://{REPO}"])
def test_a_downloaded_snapshot_answers_offline_weights_too(tmp_path: Path, location: str) -> None:
    snapshot = downloaded(tmp_path)
    for command in (["list-tensors"], ["dequant", EXPERT]):
        done = run(*command, "-m", location, "--offline", "--json", home=tmp_path)
        assert done.returncode == 0, done.stderr
        assert f"{REPO}: offline: the downloaded snapshot {snapshot}" in done.stderr
        assert json.loads(done.stdout)["model"]["commit"] == COMMIT


def test_local_checkpoints_need_no_network(tmp_path: Path) -> None:
    done = run("list-tensors", "-m", S1, "--offline", home=tmp_path)
    assert done.returncode == 0
    assert "offline" not in done.stderr
