"""A checkpoint in object storage is read as the one on disk, with and without credentials."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from inspector.errors import ObjectNotFound, SourceChanged, SourceError
from inspector.format.spans import Span
from inspector.source.base import Ledger
from inspector.source.bucket import BucketSource
from tests.checkpoint.shards import shard_of
from tests.cli.running import SAMPLES, answer, invoke
from tests.servers.saying import document, refusal
from tests.servers.stores import BUCKET, OPEN_BUCKET, STORES, ObjectStore
from tests.servers.test_names import NAMES

pytestmark = pytest.mark.servers

EXPERT = "layers.0.mlp.experts.2"
SAMPLE = SAMPLES / "s1-pro-mini"
CONTENT = bytes(range(256)) * 16
PREFIXES = count()

enforcing = pytest.mark.parametrize("started", ["s3", "az"], indirect=True)
"""fake-gcs-server opens every object to everybody."""


@pytest.fixture(scope="module", params=list(STORES))
def started(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ObjectStore]:
    with STORES[request.param](tmp_path_factory.mktemp(request.param)) as store:
        yield store


@pytest.fixture
def store(started: ObjectStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ObjectStore:
    """Each of the stores, pointed to by its endpoint's variables, and nobody identified."""
    for name in [one for one in os.environ if one.startswith(("AWS_", "GOOGLE_", "AZURE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in started.endpoint.items():
        monkeypatch.setenv(name, value)
    return started


@pytest.fixture
def identified(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    for name, value in store.identity.items():
        monkeypatch.setenv(name, value)
    return store


def prefix() -> str:
    return f"p{next(PREFIXES)}"


def names(location: str) -> list[str]:
    return answer("list-tensors", "-m", location, "-q", "--no-cache").splitlines()


def test_a_checkpoint_has_the_tensors_and_numbers_of_the_one_on_disk(
    identified: ObjectStore,
) -> None:
    location = identified.upload(SAMPLE, prefix())
    found = document("list-tensors", location=location)
    local = document("list-tensors", location=str(SAMPLE))
    assert (found["tensors"], found["totals"]) == (local["tensors"], local["totals"])
    assert found["model"] == {
        "location": location, "kind": identified.scheme, "commit": None, "files": 5,
    }  # fmt: skip
    assert found["cost"]["requests"] == 6
    expert = document("dequant", EXPERT, location=location)
    assert expert["tensors"] == document("dequant", EXPERT, location=str(SAMPLE))["tensors"]


@enforcing
def test_what_is_not_public_needs_credentials(store: ObjectStore) -> None:
    said = refusal("list-tensors", location=store.upload(SAMPLE, prefix()))
    assert ": not allowed" in said or ": not found" in said or ": no such bucket" in said
    assert "169.254" not in said


def test_what_is_public_needs_none(store: ObjectStore) -> None:
    location = store.upload(SAMPLE, prefix(), bucket=OPEN_BUCKET)
    assert names(location) == names(str(SAMPLE))


def test_a_missing_bucket_a_missing_prefix_and_a_missing_file_are_not_found(
    identified: ObjectStore,
) -> None:
    scheme = identified.scheme
    with pytest.raises(ObjectNotFound, match="nothing has this prefix"):
        BucketSource(f"{scheme}://{BUCKET}/absent", Ledger()).files()
    if scheme != "gs":  # fake-gcs-server answers 500
        with pytest.raises(ObjectNotFound, match="no such bucket"):
            BucketSource(f"{scheme}://absent/m", Ledger()).files()
    only = BucketSource(f"{scheme}://{BUCKET}", Ledger(), only="absent.safetensors")
    with pytest.raises(ObjectNotFound, match=r"absent\.safetensors: not found"):
        only.files()


def test_a_listing_goes_on_after_a_page(identified: ObjectStore) -> None:
    at = prefix()
    with ThreadPoolExecutor(4) as pool:
        numbers = range(1003)
        keys = [f"{at}/{number:05d}.txt" for number in numbers]
        contents = [b"x" * (number % 3) for number in numbers]
        list(pool.map(lambda key, content: identified.put(BUCKET, key, content), keys, contents))
    source = BucketSource(f"{identified.scheme}://{BUCKET}/{at}", Ledger())
    assert source.files() == {f"{number:05d}.txt": number % 3 for number in range(1003)}


def test_a_read_gives_exactly_the_span(identified: ObjectStore) -> None:
    at = prefix()
    identified.put(BUCKET, f"{at}/a.safetensors", CONTENT)
    ledger = Ledger()
    source = BucketSource(f"{identified.scheme}://{BUCKET}/{at}", ledger)
    spans = [Span(0, 1), Span(7, 300), Span(0, len(CONTENT)), Span(4095, 4096), Span(5, 5)]
    for span in spans:
        assert source.read("a.safetensors", span) == CONTENT[span.start : span.stop]
    assert ledger.bytes == sum(len(span) for span in spans)
    for span in (Span(4095, 4097), Span(4096, 4097), Span(10**6, 10**6 + 9)):
        with pytest.raises(SourceError) as caught:
            source.read("a.safetensors", span)
        assert "\n" not in str(caught.value)


def test_an_object_that_changes_between_two_reads_is_noticed(identified: ObjectStore) -> None:
    at = prefix()
    identified.put(BUCKET, f"{at}/a.safetensors", CONTENT)
    source = BucketSource(f"{identified.scheme}://{BUCKET}/{at}", Ledger())
    stamp = source.stamp("a.safetensors")
    source.read("a.safetensors", Span(0, 8))
    identified.put(BUCKET, f"{at}/a.safetensors", CONTENT[::-1])
    with pytest.raises(SourceChanged, match="changed between two reads"):
        source.read("a.safetensors", Span(0, 8))
    again = BucketSource(f"{identified.scheme}://{BUCKET}/{at}", Ledger())
    assert again.stamp("a.safetensors") != stamp


@pytest.mark.parametrize(
    "name", [NAMES[one] for one in sorted(NAMES) if one != "backslash"], ids=repr
)
def test_an_object_of_any_name_is_read(identified: ObjectStore, name: str) -> None:
    """Azure makes a slash of a backslash."""
    at = prefix()
    identified.put(BUCKET, f"{at}/{name}.safetensors", shard_of(["t.a"]))
    location = f"{identified.scheme}://{BUCKET}/{at}"
    assert names(location) == ["t.a"]
    source = BucketSource(location, Ledger())
    assert list(source.files()) == [f"{name}.safetensors"]


@pytest.mark.parametrize("form", ["file", "index"])
def test_one_file_or_an_index_can_be_meant(identified: ObjectStore, form: str) -> None:
    source, last = {
        "file": (SAMPLES / "qwen3-vl-mini", "/model.safetensors"),
        "index": (SAMPLE, "/model.safetensors.index.json"),
    }[form]
    location = identified.upload(source, prefix()) + last
    found = document("list-tensors", location=location)
    assert found["tensors"] == document("list-tensors", location=str(source))["tensors"]
    if form == "file":
        assert found["cost"]["requests"] <= 3


def test_a_second_run_lists_and_reads_nothing(identified: ObjectStore) -> None:
    location = identified.upload(SAMPLE, prefix())
    first = answer("list-tensors", "-m", location, "-q")
    again = invoke("list-tensors", "-m", location, "-q")
    assert again.stdout == first
    assert again.stderr.startswith("1 request, 0 B read")
