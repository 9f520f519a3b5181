"""Names that a URL has to encode: of shards, of directories, of the one file that is meant."""

from pathlib import Path

import pytest

from inspector.format.index import INDEX_NAME
from tests.checkpoint.shards import weight_map, write_checkpoint
from tests.cli.running import answer, invoke
from tests.servers.web import WebServer

pytestmark = pytest.mark.servers

NAMES = {
    "space": "a b",
    "plus": "a+b",
    "percent": "100%",
    "encoded space": "a%20b",
    "letter of Latin-1": "é",
    "letter beyond it": "権重",
    "number sign": "a#b",
    "question mark": "a?b",
    "ampersand": "a&b=c",
    "brackets": "[a]{b}",
    "quote": "a'b\"c",
    "colon": "a:b",
    "tilde": "~a",
    "star": "a*b",
    "backslash": "a\\b",
    "two dots": "a..b",
}

REFUSED = {
    "percent", "encoded space", "number sign", "question mark", "colon", "backslash", "tilde",
}  # fmt: skip
"""Names that an index may not give a shard: a URL that is built of one may be of another file."""

every_name = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)


def names(location: str) -> list[str]:
    return answer("list-tensors", "-m", location, "-q", "--no-cache").splitlines()


@pytest.mark.parametrize("name", [NAMES[one] for one in sorted(NAMES.keys() - REFUSED)], ids=repr)
def test_a_shard_of_any_safe_name_is_read(web: WebServer, place: Path, name: str) -> None:
    shards = {f"{name}-1.safetensors": ["t.a"], f"{name}-2.safetensors": ["t.b"]}
    write_checkpoint(place, shards, index=weight_map(shards))
    assert names(web.at(place)) == ["t.a", "t.b"]
    assert {one.status for one in web.asked(place)} == {200, 206}


@pytest.mark.parametrize("name", [NAMES[one] for one in sorted(REFUSED)], ids=repr)
def test_a_shard_of_an_unsafe_name_is_not_asked_for(web: WebServer, place: Path, name: str) -> None:
    shards = {f"{name}.safetensors": ["t.a"]}
    write_checkpoint(place, shards, index=weight_map(shards))
    result = invoke("list-tensors", "-m", web.at(place), "-q", "--no-cache")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "[unsafe_shard_name]" in result.stderr
    asked = web.asked(place, at_least=2)
    assert {one.target.rpartition("/")[2] for one in asked} == {INDEX_NAME}


@every_name
def test_a_directory_of_any_name_is_read(web: WebServer, place: Path, name: str) -> None:
    below = place / name / "x"
    write_checkpoint(below, {"m.safetensors": ["t.a"]}, index={"t.a": "m.safetensors"})
    assert names(web.at(below)) == ["t.a"]


@every_name
def test_a_file_of_any_name_can_be_meant(web: WebServer, place: Path, name: str) -> None:
    write_checkpoint(place, {f"{name}.safetensors": ["t.a"]})
    assert names(web.at(place / f"{name}.safetensors")) == ["t.a"]


def test_a_shard_in_a_folder_of_the_checkpoint_is_read(web: WebServer, place: Path) -> None:
    shards = {"sub/m.safetensors": ["t.a"]}
    write_checkpoint(place, shards, index={"t.a": "sub/m.safetensors"})
    assert names(web.at(place)) == ["t.a"]


@pytest.mark.parametrize("name", ["a b", "é"], ids=["space", "letter of Latin-1"])
def test_a_url_may_be_typed_as_it_is_read(web: WebServer, place: Path, name: str) -> None:
    write_checkpoint(place / name, {"model.safetensors": ["t.a"]})
    assert names(f"{web.at(place)}/{name}") == ["t.a"]
