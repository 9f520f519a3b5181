"""A kept catalog costs no body, and is never believed where a file is another one."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inspector.checkpoint import Access, Checkpoint, ReadPolicy, open_checkpoint
from inspector.errors import SourceError
from inspector.format.index import INDEX_NAME
from inspector.source.base import Ledger
from inspector.source.local import LocalSource
from inspector.source.patience import Patience
from inspector.source.shelf import Shelf
from tests.checkpoint.settled import SHARDS, TENSORS, date, keep_all, settle, write_old
from tests.checkpoint.shards import series, shard_of, weight_map, write_checkpoint
from tests.hub import COMMIT, Hub
from tests.source.serving import GATED, REPO, Connect, asked

PINNED = f"{REPO}@{COMMIT}"
SMALL = series(3)


class Home:
    """A shelf, what was said on the side, and ways to open a checkpoint with it."""

    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf(folder / "s1inspect")
        self.said: list[str] = []

    @contextmanager
    def open(
        self, location: str, *, offline: bool = False, shelf: bool = True
    ) -> Iterator[Checkpoint]:
        access = Access(offline, Patience(say=self.said.append), self.shelf if shelf else None)
        with open_checkpoint(location, access=access, policy=ReadPolicy(jobs=4)) as checkpoint:
            yield checkpoint

    def names(self, location: str, *, offline: bool = False, shelf: bool = True) -> list[str]:
        with self.open(location, offline=offline, shelf=shelf) as checkpoint:
            return list(checkpoint.catalog.texts(checkpoint.catalog.all_rows))

    def cost(self, location: str) -> tuple[int, int, int]:
        """Requests, bytes, cached bytes of the catalog alone."""
        with self.open(location) as checkpoint:
            _ = checkpoint.catalog
            cost = checkpoint.cost
            return cost.requests, cost.bytes, cost.cached_bytes


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@contextmanager
def served(root: Path, connect: Connect, **options: object) -> Iterator[Hub]:
    write_checkpoint(root / REPO, SMALL, index=weight_map(SMALL))
    with Hub(root, **options) as hub:  # type: ignore[arg-type]  # as Hub says
        connect(hub)
        yield hub


def test_a_pinned_commit_costs_no_request_the_second_time(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    with served(tmp_path, connect) as hub:
        first = home.names(PINNED)
        hub.log.clear()
        assert home.names(PINNED) == first
        requests, size, cached = home.cost(PINNED)
        assert asked(hub) == []
    assert (requests, size) == (0, 0)
    assert cached > 0
    assert home.said == []


def test_a_branch_costs_one_request_the_second_time(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    with served(tmp_path, connect) as hub:
        first = home.names(REPO)
        hub.log.clear()
        assert home.names(REPO) == first
        assert [one.path for one in asked(hub)] == [f"/api/models/{REPO}/revision/main"]


def test_a_branch_that_moved_is_read_again(tmp_path: Path, connect: Connect, home: Home) -> None:
    with served(tmp_path, connect):
        before = home.names(REPO)
    (tmp_path / REPO / "model-00001-of-00003.safetensors").write_bytes(shard_of(["other"]))
    with Hub(tmp_path, commit="f" * 40) as hub:
        connect(hub)
        assert home.names(REPO) != before


def test_one_file_of_a_repository_is_kept_apart(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    page = f"https://huggingface.co/{REPO}/blob/{COMMIT}/model-00001-of-00003.safetensors"
    with served(tmp_path, connect) as hub:
        assert len(home.names(PINNED)) == 6
        for _ in range(2):
            hub.log.clear()
            assert len(home.names(page)) == 2
        assert asked(hub) == []


def test_weights_are_not_kept_as_files(tmp_path: Path, connect: Connect, home: Home) -> None:
    """Shards below 1 MB, read whole for their headers, were."""
    with served(tmp_path, connect):
        home.names(PINNED)
    kinds = Counter(entry.label.kind for entry in home.shelf.entries() if entry.label)
    assert kinds == {"catalog": 1, "listing": 1}


def test_without_a_shelf_nothing_is_read_or_written(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    with served(tmp_path, connect) as hub:
        home.names(PINNED, shelf=False)
        assert not home.shelf.folder.exists()
        home.names(PINNED)
        hub.log.clear()
        home.names(PINNED, shelf=False)
        assert len([one for one in asked(hub) if one.status == 206]) == 3


def test_two_hubs_do_not_share_an_entry(tmp_path: Path, connect: Connect, home: Home) -> None:
    with served(tmp_path / "one", connect):
        home.names(PINNED)
    write_checkpoint(tmp_path / "two" / REPO, series(2))
    with Hub(tmp_path / "two") as hub:
        connect(hub)
        assert len(home.names(PINNED)) == 4


def test_a_damaged_entry_is_read_again_and_replaced(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    with served(tmp_path, connect) as hub:
        first = home.names(PINNED)
        for entry in home.shelf.entries():
            content = bytearray(entry.path.read_bytes())
            content[-1] ^= 0xFF
            entry.path.write_bytes(content)
        assert home.names(PINNED) == first
        hub.log.clear()
        assert home.names(PINNED) == first
        assert asked(hub) == []


def test_a_catalog_that_does_not_unpack_is_read_again(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    with served(tmp_path, connect):
        first = home.names(PINNED)
        labels = [entry.label for entry in home.shelf.entries() if entry.label]
        (label,) = (label for label in labels if label.kind == "catalog")
        for content in (b"", b"\x80", b"nonsense"):
            home.shelf.save(label, content)
            assert home.names(PINNED) == first


def test_a_shelf_that_cannot_be_written_is_one_warning_and_the_answer(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    home.shelf.folder.parent.mkdir(parents=True, exist_ok=True)
    home.shelf.folder.write_text("a file in its place")
    with served(tmp_path, connect):
        assert len(home.names(REPO)) == 6
    (line,) = home.said
    assert line.startswith("warning: nothing is kept for the next run: ")
    assert "\n" not in line


# Without a commit: web servers.


def plain(hub: Hub) -> str:
    return f"{hub.cdn}/plain/{REPO}"


def test_a_web_server_is_asked_for_heads_alone_the_second_time(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    with served(tmp_path, connect) as hub:
        first = home.names(plain(hub))
        hub.log.clear()
        assert home.names(plain(hub)) == first
        methods = Counter((one.method, one.body_bytes) for one in asked(hub))
    assert methods == {("HEAD", 0): 1 + len(SMALL)}


SHARD = "model-00002-of-00003.safetensors"


def other_size(folder: Path) -> None:
    (folder / SHARD).write_bytes(shard_of(["t2.a", "t2.b", "t2.c"]))


def same_size(folder: Path) -> None:
    (folder / SHARD).write_bytes(shard_of(["t2.a", "t2.x"]))


def removed(folder: Path) -> None:
    (folder / SHARD).unlink()


def index_changed(folder: Path) -> None:
    places = {name: shard for name, shard in weight_map(SMALL).items() if shard != SHARD}
    (folder / INDEX_NAME).write_text(json.dumps({"weight_map": places}))


CHANGES: list[Callable[[Path], None]] = [other_size, same_size, removed, index_changed]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_on_a_web_server_is_read_again(
    tmp_path: Path, connect: Connect, home: Home, change: Callable[[Path], None]
) -> None:
    with served(tmp_path, connect) as hub:
        home.names(plain(hub))
        change(tmp_path / REPO)
        assert home.names(plain(hub)) == home.names(plain(hub), shelf=False)


def test_a_shard_that_was_missing_on_a_web_server_is_noticed_when_it_comes(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    """Only files that had been there were looked at again."""
    with served(tmp_path, connect) as hub:
        content = (tmp_path / REPO / SHARD).read_bytes()
        (tmp_path / REPO / SHARD).unlink()
        with home.open(plain(hub)) as checkpoint:
            assert len(checkpoint.catalog) == 4
            assert [one.rule for one in checkpoint.problems] == ["missing_shard"]
        (tmp_path / REPO / SHARD).write_bytes(content)
        with home.open(plain(hub)) as checkpoint:
            assert len(checkpoint.catalog) == 6
            assert checkpoint.problems == []


def test_a_web_server_without_an_index_is_asked_for_heads_alone_too(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    """That there is no index is kept: the file was not, and the catalog for its sake neither."""
    write_checkpoint(tmp_path / REPO, {"model.safetensors": ["one"]})
    with Hub(tmp_path) as hub:
        connect(hub)
        assert home.names(plain(hub)) == ["one"]
        hub.log.clear()
        assert home.names(plain(hub)) == ["one"]
        assert Counter((one.method, one.status) for one in asked(hub)) == {
            ("HEAD", 200): 1, ("HEAD", 404): 1
        }  # fmt: skip


def test_an_index_that_comes_to_a_web_server_is_noticed(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    write_checkpoint(tmp_path / REPO, {"model.safetensors": ["one"]})
    with Hub(tmp_path) as hub:
        connect(hub)
        assert home.names(plain(hub)) == ["one"]
        write_checkpoint(tmp_path / REPO, SMALL, index=weight_map(SMALL))
        assert len(home.names(plain(hub))) == 6


# On disk: size, times and inode.


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settle(monkeypatch)
    keep_all(monkeypatch)
    return write_old(tmp_path / "old", index=weight_map(SHARDS))


def is_kept(home: Home, folder: Path) -> bool:
    """Whether a catalog is taken from the shelf, which no read of a header shows."""
    requests, _, cached = home.cost(str(folder))
    assert (requests == 0) == (cached > 0)
    return requests == 0


def test_a_directory_on_disk_is_not_read_the_second_time(old: Path, home: Home) -> None:
    first = home.names(str(old))
    assert is_kept(home, old)
    assert home.names(str(old)) == first
    assert len(first) == TENSORS


@pytest.mark.parametrize("tensors", [19_999, 20_000])
def test_a_directory_is_kept_from_20_000_tensors_on(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch, tensors: int
) -> None:
    settle(monkeypatch)
    path = tmp_path / "model.safetensors"
    path.write_bytes(shard_of([f"t{number}" for number in range(tensors)]))
    date(path)
    assert len(home.names(str(tmp_path))) == tensors
    assert home.shelf.folder.exists() == (tensors == 20_000)


def first_shard(folder: Path) -> Path:
    return folder / next(iter(SHARDS))


def rewritten_with_the_same_size_and_time(folder: Path) -> None:
    path = first_shard(folder)
    status = path.stat()
    path.write_bytes(path.read_bytes().replace(b"layers.1.t7", b"layers.1.u7", 1))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_mtime_ns == status.st_mtime_ns


def replaced_by_another_of_the_same_size_and_time(folder: Path) -> None:
    path = first_shard(folder)
    status = path.stat()
    other = path.with_name("new")
    other.write_bytes(path.read_bytes().replace(b"layers.1.t7", b"layers.1.u7", 1))
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def touched(folder: Path) -> None:
    date(first_shard(folder), age=60)


def shard_added(folder: Path) -> None:
    (folder / "extra.safetensors").write_bytes(shard_of(["extra"]))


def index_added(folder: Path) -> None:
    (folder / "other.safetensors.index.json").write_text('{"weight_map": {}}')


def index_removed(folder: Path) -> None:
    (folder / INDEX_NAME).unlink()


def shard_removed(folder: Path) -> None:
    first_shard(folder).unlink()


def index_rewritten(folder: Path) -> None:
    (folder / INDEX_NAME).write_text(json.dumps({"weight_map": weight_map(SHARDS) | {"x": "y"}}))


DISK_CHANGES: list[Callable[[Path], None]] = [
    rewritten_with_the_same_size_and_time,
    replaced_by_another_of_the_same_size_and_time,
    touched, shard_added, index_added, index_removed, shard_removed, index_rewritten,
]  # fmt: skip


@pytest.mark.parametrize("change", DISK_CHANGES, ids=lambda change: change.__name__)
def test_a_change_on_disk_is_read_again(
    old: Path, home: Home, change: Callable[[Path], None]
) -> None:
    home.names(str(old))
    assert is_kept(home, old)
    change(old)
    assert not is_kept(home, old)
    assert home.names(str(old)) == home.names(str(old), shelf=False)


def test_an_index_that_comes_to_a_directory_is_noticed(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing was compared by its shards alone."""
    settle(monkeypatch)
    keep_all(monkeypatch)
    write_old(tmp_path)
    home.names(str(tmp_path))
    assert is_kept(home, tmp_path)
    (tmp_path / INDEX_NAME).write_text(
        json.dumps({"weight_map": {"layers.1.t0": "model-1-of-2.safetensors"}})
    )
    assert len(home.names(str(tmp_path))) == TENSORS // 2


def test_a_file_that_was_written_a_moment_ago_is_not_kept(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_all(monkeypatch)
    write_checkpoint(tmp_path, SHARDS)
    home.names(str(tmp_path))
    assert not home.shelf.folder.exists()


def test_a_file_written_over_after_its_header_was_read_is_not_believed(
    old: Path, home: Home
) -> None:
    """Its stamp was taken after reading: the catalog of before was kept with the stamp of after."""
    with home.open(str(old)) as checkpoint:
        source = checkpoint.source
        for name in source.files():
            source.stamp(name)
        rewritten_with_the_same_size_and_time(old)
        assert len(checkpoint.catalog) == TENSORS
    assert home.names(str(old)) == home.names(str(old), shelf=False)


def test_a_stamp_is_of_before_the_first_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    (tmp_path / "a").write_bytes(b"before")
    source = LocalSource(tmp_path, Ledger())
    first = source.stamp("a")
    (tmp_path / "a").write_bytes(b"behind")
    assert source.stamp("a") == first
    source.close()
    again = LocalSource(tmp_path, Ledger())
    assert again.stamp("a") != first
    again.close()


def test_a_link_that_leads_elsewhere_is_another_file(old: Path, home: Home) -> None:
    path = first_shard(old)
    for name in ("one", "two"):
        (old / name).write_bytes(path.read_bytes())
        date(old / name)
    path.unlink()
    path.symlink_to("one")
    home.names(str(old))
    assert is_kept(home, old)
    path.unlink()
    path.symlink_to("two")
    assert not is_kept(home, old)


def test_a_folder_whose_name_is_no_text_is_read_and_not_kept(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name could not be written into a label: a traceback."""
    settle(monkeypatch)
    keep_all(monkeypatch)
    folder = tmp_path / os.fsdecode(b"\xff-model")
    folder.mkdir()
    write_old(folder)
    for _ in range(2):
        assert len(home.names(str(folder))) == TENSORS
    assert not home.shelf.folder.exists()


# Offline.


def test_offline_a_branch_is_as_it_was_and_says_so(
    tmp_path: Path, connect: Connect, home: Home
) -> None:
    with served(tmp_path, connect) as hub:
        first = home.names(REPO)
        hub.log.clear()
        assert home.names(REPO, offline=True) == first
        assert asked(hub) == []
    (line,) = home.said
    assert line.startswith(f"{REPO}: offline: main was at commit 01234567, read 2")


@pytest.mark.parametrize("what", ["commit", "web server"])
def test_offline_what_was_kept_is_said_to_be_kept(
    tmp_path: Path, connect: Connect, home: Home, what: str
) -> None:
    with served(tmp_path, connect) as hub:
        location = PINNED if what == "commit" else plain(hub)
        first = home.names(location)
        hub.log.clear()
        assert home.names(location, offline=True) == first
        assert asked(hub) == []
    (line,) = home.said
    assert ": offline: the kept headers, read 2" in line


def test_offline_without_an_entry_is_an_error(tmp_path: Path, connect: Connect, home: Home) -> None:
    with served(tmp_path, connect) as hub:
        for location in (REPO, PINNED, plain(hub)):
            with pytest.raises(SourceError, match="offline, and this is not in the cache"):
                home.names(location, offline=True)
        assert asked(hub) == []


def test_a_gated_repository_is_answered_from_what_its_owner_kept(
    tmp_path: Path, connect: Connect, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a commit nobody is asked; a branch is, and without the token that is the hub's refusal."""
    write_checkpoint(tmp_path / GATED, SMALL)
    with Hub(tmp_path, token="hf_right") as hub:  # noqa: S106  opens the loopback hub only
        connect(hub, token="hf_right")  # noqa: S106
        first = home.names(f"{GATED}@{COMMIT}")
        monkeypatch.delenv("HF_TOKEN")
        assert home.names(f"{GATED}@{COMMIT}") == first
        other = Home(tmp_path / "another")
        with pytest.raises(SourceError):
            other.names(f"{GATED}@{COMMIT}")
