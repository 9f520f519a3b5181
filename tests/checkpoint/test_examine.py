from collections import Counter
from pathlib import Path

import pytest

from inspector.analysis.integrity import Integrity
from inspector.checkpoint import ReadPolicy, open_checkpoint
from inspector.checkpoint.examine import examine_files
from inspector.checkpoint.headers import PILOT_READ
from inspector.errors import BudgetExceeded, ObjectNotFound, RangeNotHonored
from inspector.format.header import MAX_HEADER_BYTES
from inspector.format.index import INDEX_NAME
from inspector.source.base import MemorySource
from tests.checkpoint.shards import series, shard_of, weight_map, write_checkpoint
from tests.hostile.build import Files, index, shard
from tests.hub import Hub
from tests.source.serving import REPO, Connect, asked

FIRST, SECOND, THIRD = series(3)
SHARDS = series(3)
PLACES = weight_map(SHARDS)
LENGTH = len(shard_of(SHARDS[FIRST]))
"""Of each shard: 8 bytes before the header, 8 of data behind."""


def sound(**changes: bytes | None) -> Files:
    """Three shards and their index; a keyword gives a file other content, or takes it away."""
    files = {name: shard_of(names) for name, names in SHARDS.items()} | {INDEX_NAME: index(PLACES)}
    names = {"first": FIRST, "second": SECOND, "third": THIRD, "index": INDEX_NAME}
    for name, content in changes.items():
        files.pop(names[name])
        if content is not None:
            files[names[name]] = content
    return files


def examined(files: Files) -> Integrity:
    return examine_files(MemorySource(files), None, ReadPolicy())


def facts(found: Integrity) -> list[tuple[str, str | None]]:
    return [(one.rule, one.where.shard) for one in found.findings]


def examined_at(location: str, policy: ReadPolicy | None = None) -> Integrity:
    with open_checkpoint(location, policy=policy) as checkpoint:
        return checkpoint.examine()


def test_a_sound_checkpoint_has_a_row_a_file_and_no_finding() -> None:
    found = examined(sound())
    assert found.findings == ()
    assert [row.file for row in found.files] == [FIRST, SECOND, THIRD]
    assert [row.tensors for row in found.files] == [2, 2, 2]
    assert {(row.bytes, row.header_bytes) for row in found.files} == {(LENGTH, LENGTH - 16)}
    assert (found.tensors, len(found.indexes)) == (6, 1)


@pytest.mark.parametrize(
    ("content", "rules", "row"),
    [
        (b"\xff" * 40, ["header_too_large"], (40, None, None)),
        (b"", ["truncated"], (0, None, None)),
        (shard(b"[]"), ["header_not_json"], (10, 2, None)),
        (shard_of(["t2.a", "t2.b"])[:-1], ["truncated"], (LENGTH - 1, LENGTH - 16, 2)),
        (
            b"\x1c" + bytes(7) + b'{"t2.a":null, "t2.b":[[[]]]}',
            ["malformed_entry"] * 2,
            (36, 28, 2),
        ),
    ],
    ids=["no header", "empty", "no JSON", "cut", "malformed"],
)
def test_a_malformed_shard_tells_what_could_be_read_and_stops_nothing(
    content: bytes, rules: list[str], row: tuple[int, int | None, int | None]
) -> None:
    found = examined(sound(second=content))
    assert facts(found) == [(rule, SECOND) for rule in rules]
    (second,) = (one for one in found.files if one.file == SECOND)
    assert (second.bytes, second.header_bytes, second.tensors) == row
    assert [one.tensors for one in found.files if one.file != SECOND] == [2, 2]


def test_every_malformed_shard_is_reported() -> None:
    found = examined(sound(first=b"\xff" * 40, third=b""))
    assert facts(found) == [("header_too_large", FIRST), ("truncated", THIRD)]


def test_the_tensors_of_a_truncated_shard_are_held_against_the_index() -> None:
    cut = shard_of(["t2.a", "t2.c"])[:-1]
    assert facts(examined(sound(second=cut))) == [
        ("truncated", SECOND), ("index_tensor_absent", SECOND), ("tensor_not_in_index", SECOND)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "rules"),
    [
        (b"{", ["index_not_json"]),
        (b'{"weight_map": {"a": 1}}', ["index_not_json"]),
        (index(PLACES)[:-2] + b', "t1.a": "nowhere"}}', ["duplicate_key", "missing_shard"]),
        (index(PLACES)[:-1] + b', "weight_map": {}}', ["duplicate_key"]),
        (index({**PLACES, "x": "../x", "y": "/y"}), ["unsafe_shard_name"] * 2),
    ],
    ids=["no JSON", "no map", "a tensor twice", "two maps", "names outside"],
)
def test_a_malformed_index_stops_nothing_and_is_one_cause(content: bytes, rules: list[str]) -> None:
    found = examined(sound(index=content))
    assert [one.rule for one in found.findings] == rules
    assert found.tensors == 6


def test_shards_are_compared_with_each_other_where_the_index_is_malformed() -> None:
    found = examined(sound(index=b"{", third=shard_of(["t1.a"])))
    assert facts(found) == [
        ("index_not_json", INDEX_NAME), ("duplicate_tensor_across_shards", THIRD)
    ]  # fmt: skip


def test_an_index_whose_shards_are_all_missing_is_described() -> None:
    found = examined({INDEX_NAME: index(PLACES)})
    assert facts(found) == [("missing_shard", name) for name in SHARDS]
    assert found.files == ()


def test_a_shard_that_no_index_names_is_examined_and_compared_with_none() -> None:
    """Its tensors would each be one more finding: not in the index, and there twice."""
    extra = {"extra.safetensors": shard_of(["t1.a", "x"]), "bad.safetensors": b""}
    found = examined({**sound(), **extra})
    assert facts(found) == [
        ("truncated", "bad.safetensors"),
        ("shard_not_in_index", "bad.safetensors"),
        ("shard_not_in_index", "extra.safetensors"),
    ]


def test_each_of_two_indexes_is_compared_with_its_own_shards() -> None:
    variant = {"v.safetensors": shard_of(["t1.a"]), "v.safetensors.index.json": b""}
    files = {**sound(), **variant}
    files["v.safetensors.index.json"] = index({"t1.a": "v.safetensors", "b": "v.safetensors"})
    assert facts(examined(files)) == [("index_tensor_absent", "v.safetensors")]


def test_without_an_index_the_names_count_the_shards() -> None:
    assert examined(sound(index=None)).findings == ()
    without = examined(sound(index=None, second=None))
    assert facts(without) == [("incomplete_series", SECOND)]


def test_findings_are_ordered_by_severity_and_then_by_file() -> None:
    files = {**sound(first=shard_of(["t1.a", "t1.b"]) + b"x"), "a.safetensors": shard({})}
    files[SECOND] = shard_of(["t2.a", "t2.b"])[:-1]
    assert facts(examined(files)) == [
        ("trailing_bytes", FIRST), ("truncated", SECOND), ("shard_not_in_index", "a.safetensors")
    ]  # fmt: skip


@pytest.mark.parametrize("part", ["", INDEX_NAME, SECOND], ids=["directory", "index", "file"])
def test_every_kind_of_place_on_disk_is_examined(tmp_path: Path, part: str) -> None:
    write_checkpoint(tmp_path, SHARDS, index=PLACES)
    found = examined_at(str(tmp_path / part))
    assert found.findings == ()
    assert [row.file for row in found.files] == ([SECOND] if part == SECOND else list(SHARDS))


@pytest.mark.parametrize("part", ["", f"/{INDEX_NAME}", f"/{SECOND}"], ids=["all", "index", "file"])
def test_every_kind_of_place_on_a_web_server_is_examined(tmp_path: Path, part: str) -> None:
    write_checkpoint(tmp_path / REPO, SHARDS, index=PLACES)
    (tmp_path / REPO / THIRD).write_bytes(shard_of(["t3.a", "t3.b"])[:-1])
    with Hub(tmp_path) as hub:
        found = examined_at(f"{hub.endpoint}/{REPO}/resolve/main{part}")
    assert [row.file for row in found.files] == ([SECOND] if SECOND in part else list(SHARDS))
    assert facts(found) == ([] if SECOND in part else [("truncated", THIRD)])


def test_a_web_directory_without_an_index_is_its_one_file(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / REPO, {"model.safetensors": ["a"]})
    with Hub(tmp_path) as hub:
        found = examined_at(f"{hub.endpoint}/{REPO}/resolve/main")
        assert [row.tensors for row in found.files] == [1]
        with pytest.raises(ObjectNotFound, match="neither"):
            examined_at(f"{hub.endpoint}/{REPO}/resolve/other")


def test_shards_in_a_folder_are_found_by_the_index(tmp_path: Path) -> None:
    shards = {"model.safetensors": ["a"], "sub/more.safetensors": ["b", "c"]}
    write_checkpoint(tmp_path, shards, index=weight_map(shards))
    found = examined_at(str(tmp_path))
    assert [(row.file, row.tensors) for row in found.files] == [
        ("model.safetensors", 1), ("sub/more.safetensors", 2)
    ]  # fmt: skip
    assert found.findings == ()


def test_a_directory_without_shards_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ObjectNotFound, match=r"no \.safetensors file"):
        examined_at(str(tmp_path))


def test_over_the_hub_a_header_is_one_range_and_the_index_is_read_too(
    tmp_path: Path, connect: Connect
) -> None:
    write_checkpoint(tmp_path / REPO, series(7), index=weight_map(series(7)))
    with Hub(tmp_path) as hub:
        connect(hub)
        found = examined_at(REPO)
        ranges = Counter(one.path for one in asked(hub) if one.status == 206)
    assert found.findings == ()
    assert len(found.files) == 7
    assert set(ranges.values()) == {1}
    assert len(ranges) == 8
    assert sum(INDEX_NAME in path for path in ranges) == 1


def test_no_weights_are_read_whatever_a_header_says(tmp_path: Path, connect: Connect) -> None:
    """The longest header is believed only where the file can hold it."""
    write_checkpoint(tmp_path / REPO, series(3))
    for name, content in {
        FIRST: (2**40).to_bytes(8, "little"),
        SECOND: (MAX_HEADER_BYTES + 1).to_bytes(8, "little"),
    }.items():
        with (tmp_path / REPO / name).open("wb") as file:
            file.write(content)
            file.truncate(MAX_HEADER_BYTES * 2)
    with Hub(tmp_path) as hub:
        connect(hub)
        with open_checkpoint(REPO) as checkpoint:
            found = checkpoint.examine()
            cost = checkpoint.cost
    assert facts(found) == [("header_too_large", FIRST), ("header_too_large", SECOND)]
    assert cost.bytes <= 3 * PILOT_READ


def test_a_name_that_leaves_the_checkpoint_is_never_asked_for(
    tmp_path: Path, connect: Connect
) -> None:
    secret = tmp_path / "secret.safetensors"
    write_checkpoint(tmp_path, {secret.name: ["a"]})
    names = ["../../secret.safetensors", "https://elsewhere/", str(secret), "..%2fsecret"]
    places = {f"t{number}": name for number, name in enumerate(names)}
    write_checkpoint(tmp_path / REPO, {"model.safetensors": ["a"]}, index=places)
    with Hub(tmp_path) as hub:
        connect(hub)
        for location in (REPO, str(tmp_path / REPO)):
            found = examined_at(location)
            assert [one.rule for one in found.findings] == ["unsafe_shard_name"] * len(names)
            assert [row.file for row in found.files] == ["model.safetensors"]
        assert not any("secret" in one.path or "elsewhere" in one.path for one in asked(hub))


def test_a_file_that_cannot_be_read_is_a_finding_and_the_rest_is_examined(
    tmp_path: Path, connect: Connect
) -> None:
    write_checkpoint(tmp_path / REPO, SHARDS, index=PLACES)
    with Hub(tmp_path, faults={SECOND: "ignore_range"}) as hub:
        connect(hub)
        found = examined_at(REPO)
    assert facts(found) == [("unreadable_file", SECOND)]
    assert SECOND in found.findings[0].found
    assert [(row.file, row.tensors) for row in found.files] == [
        (FIRST, 2), (SECOND, None), (THIRD, 2)
    ]  # fmt: skip


def test_an_index_that_cannot_be_read_is_a_finding(tmp_path: Path, connect: Connect) -> None:
    write_checkpoint(tmp_path / REPO, SHARDS, index=PLACES)
    with Hub(tmp_path, faults={INDEX_NAME: "ignore_range"}) as hub:
        connect(hub)
        found = examined_at(REPO)
    assert facts(found) == [("unreadable_file", INDEX_NAME)]
    assert found.tensors == 6


def test_a_source_of_which_nothing_can_be_read_is_an_error(
    tmp_path: Path, connect: Connect
) -> None:
    write_checkpoint(tmp_path / REPO, SHARDS, index=PLACES)
    with Hub(tmp_path, faults={"*.safetensors": "ignore_range"}) as hub:
        connect(hub)
        with pytest.raises(RangeNotHonored):
            examined_at(REPO)


def test_a_budget_stops_the_check(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, SHARDS, index=PLACES)
    with pytest.raises(BudgetExceeded):
        examined_at(str(tmp_path), ReadPolicy(max_bytes=400))


def test_the_index_counts_to_the_bytes_that_could_be_read(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, SHARDS, index=PLACES)
    with open_checkpoint(str(tmp_path)) as checkpoint:
        checkpoint.examine()
        assert checkpoint.stored_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
        assert checkpoint.cost.bytes < checkpoint.stored_bytes
