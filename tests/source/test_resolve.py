from pathlib import Path

import pytest

from inspector.errors import ObjectNotFound, UsageError
from inspector.source.resolve import ALIASES, Kind, Location, parse_location

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PAGE = "https://huggingface.co/org/name"


def hub(repo: str, revision: str | None = None) -> Location:
    return Location(Kind.HUB, repo, revision=revision)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s1-pro", hub("internlm/Intern-S1-Pro")),
        ("s1", hub("internlm/Intern-S1")),
        ("qwen3", hub("Qwen/Qwen3-235B-A22B")),
        ("qwen3-vl", hub("Qwen/Qwen3-VL-235B-A22B-Instruct")),
        (" qwen3@v2 ", hub("Qwen/Qwen3-235B-A22B", "v2")),
        ("org/name", hub("org/name")),
        ("org/name@v1.0", hub("org/name", "v1.0")),
        (f"org/name@{COMMIT}", hub("org/name", COMMIT)),
        ("org/name@refs/pr/3", hub("org/name", "refs/pr/3")),
        ("hf://org/name", hub("org/name")),
        ("hf://org/name@rev", hub("org/name", "rev")),
        ("hf://models/org/name", hub("org/name")),
        (PAGE, hub("org/name")),
        (f"{PAGE}/", hub("org/name")),
        (f"{PAGE}?library=transformers", hub("org/name")),
        ("https://hf.co/org/name", hub("org/name")),
        ("HTTPS://huggingface.co/org/name", hub("org/name")),
        (f"{PAGE}/tree/main", hub("org/name", "main")),
        (f"{PAGE}/tree/v1/sub", hub("org/name", "v1")),
        (f"{PAGE}/tree/refs%2Fpr%2F3", hub("org/name", "refs/pr/3")),
        (f"{PAGE}/tree/refs/pr/3", hub("org/name", "refs/pr/3")),
        (f"{PAGE}/blob/main/config.json", hub("org/name", "main")),
        (f"{PAGE}/discussions/7", hub("org/name")),
        (
            f"{PAGE}/blob/main/sub/a.safetensors",
            Location(Kind.HUB, "org/name", file="sub/a.safetensors", revision="main"),
        ),
        (
            f"{PAGE}/resolve/refs/pr/3/model.safetensors.index.json?download=true",
            Location(
                Kind.HUB, "org/name", file="model.safetensors.index.json", revision="refs/pr/3"
            ),
        ),
        ("s3://bucket/a/b/", Location(Kind.BUCKET, "s3://bucket/a/b")),
        ("gs://bucket", Location(Kind.BUCKET, "gs://bucket")),
        ("az://c/m/a.safetensors", Location(Kind.BUCKET, "az://c/m", file="a.safetensors")),
        ("ms://org/name@v1", Location(Kind.MODELSCOPE, "org/name", revision="v1")),
        ("http://h:81/models/x/", Location(Kind.HTTP, "http://h:81/models/x")),
        (
            "https://h/m/model-00001-of-00002.safetensors",
            Location(Kind.HTTP, "https://h/m", file="model-00001-of-00002.safetensors"),
        ),
        (
            "https://h/m%20n/a%20b%23%25.safetensors",
            Location(Kind.HTTP, "https://h/m%20n", file="a b#%.safetensors"),
        ),
        (
            "https://h/m/model.safetensors.index.json",
            Location(Kind.HTTP, "https://h/m", file="model.safetensors.index.json"),
        ),
        (
            "https://h/m/a.safetensors?Signature=x/y",
            Location(Kind.HTTP, "https://h/m/a.safetensors?Signature=x/y", file="a.safetensors"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_location_means(text: str, expected: Location) -> None:
    assert parse_location(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "org", "a/b/c", "hf://", "hf://org", "hf://datasets/org/name",
        "s3://", "gs:///", "az://", "ms://", "ms://org", "ms://org/na/me", "ms://qwen3",
        "ftp://h/x", "file:///tmp/x", "http://", "https://[x", "http://h:99999/x",
        "https://huggingface.co/", "https://huggingface.co/org",
        "https://huggingface.co/datasets/org/name", "https://huggingface.co/api/models/org/name",
        "org/\x1b[31mname", "org/na me", "org/../../etc", "-org/name", "a" * 5000, "a/" * 300,
    ],
    ids=lambda text: repr(text[:40]),
)  # fmt: skip
def test_what_is_no_checkpoint_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_location(text)


@pytest.mark.parametrize(
    "url", ["http://h/x?Signature=s3cr3t", "http://me:s3cr3t@h/x", "http://[h/x?token=s3cr3t"]
)
def test_a_refused_url_does_not_show_its_secret(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_location(url)
    assert "s3cr3t" not in f"{caught.value}{caught.value.hint}"


def test_a_local_path_wins_only_where_it_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_location("org/name") == hub("org/name")
    (tmp_path / "org" / "name").mkdir(parents=True)
    assert parse_location("org/name") == Location(Kind.LOCAL, "org/name")
    (tmp_path / "qwen3").mkdir()
    assert parse_location("qwen3").kind is Kind.LOCAL
    assert parse_location("hf://org/name") == hub("org/name")


@pytest.mark.parametrize("text", ["./org/name", "/org/name", "~/org-name", "~nobody-here/x", ".."])
def test_what_looks_like_a_path_is_one(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    if text == "..":
        assert parse_location(text).kind is Kind.LOCAL
        return
    with pytest.raises(ObjectNotFound):
        parse_location(text)


@pytest.mark.parametrize(
    ("name", "file", "shard", "index"),
    [
        ("a.safetensors", "a.safetensors", "a.safetensors", None),
        ("m.safetensors.index.json", "m.safetensors.index.json", None, "m.safetensors.index.json"),
        ("config.json", None, None, None),
    ],
)
def test_a_local_file_is_a_shard_an_index_or_its_directory(
    tmp_path: Path, name: str, file: str | None, shard: str | None, index: str | None
) -> None:
    (tmp_path / name).write_bytes(b"")
    found = parse_location(str(tmp_path / name))
    assert (found.base, found.file, found.shard, found.index) == (
        str(tmp_path), file, shard, index
    )  # fmt: skip


def test_another_local_file_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"")
    with pytest.raises(UsageError, match=r"README\.md: not a checkpoint"):
        parse_location(str(tmp_path / "README.md"))


def test_an_option_and_a_name_may_not_disagree_on_the_revision() -> None:
    assert parse_location("org/name", revision="v1") == hub("org/name", "v1")
    assert parse_location("org/name@v1", revision="v1") == hub("org/name", "v1")
    with pytest.raises(UsageError, match=r"'v1', --revision says 'v2'"):
        parse_location("org/name@v1", revision="v2")


def test_every_alias_is_a_repository() -> None:
    assert all(parse_location(alias) == hub(repo) for alias, repo in ALIASES.items())
