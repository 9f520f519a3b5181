"""A mirror that HF_ENDPOINT names gives what the Hub gives; olah, with the test hub behind it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.cli.running import SAMPLES, answer
from tests.hub import COMMIT, Hub
from tests.servers.mirror import olah
from tests.servers.saying import document, refusal
from tests.source.serving import GATED, REPO, TOKEN, Connect

pytestmark = pytest.mark.servers

EXPERT = "layers.0.mlp.experts.2"
LOCAL = str(SAMPLES / "s1-pro-mini")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror and the hub that it asks."""

    endpoint: str
    hub: Hub

    def asked(self) -> list[str]:
        """What the hub's CDN was asked for."""
        return [one.path for one in self.hub.log if one.origin == "cdn"]


@pytest.fixture(scope="module")
def running_mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    root = tmp_path_factory.mktemp("hub")
    for repo in (REPO, GATED):
        shutil.copytree(LOCAL, root / repo)
    with (
        Hub(root, token=TOKEN) as hub,
        olah(hub, tmp_path_factory.mktemp("olah")) as endpoint,
    ):
        yield Mirror(endpoint, hub)


@pytest.fixture
def mirror(running_mirror: Mirror, connect: Connect) -> Mirror:
    connect(running_mirror.endpoint)
    return running_mirror


def test_a_repository_has_the_tensors_and_numbers_of_the_one_on_disk(mirror: Mirror) -> None:
    found = document("list-tensors", location=REPO)
    local = document("list-tensors", location=LOCAL)
    assert (found["tensors"], found["totals"]) == (local["tensors"], local["totals"])
    assert found["model"] == {"location": REPO, "kind": "hub", "commit": COMMIT, "files": 5}
    expert = document("dequant", EXPERT, location=REPO)
    assert expert["tensors"] == document("dequant", EXPERT, location=LOCAL)["tensors"]
    assert mirror.asked()


def test_what_the_mirror_holds_is_not_asked_of_the_hub(mirror: Mirror) -> None:
    first = document("list-tensors", location=REPO)
    before = mirror.asked()
    again = document("list-tensors", location=REPO)
    assert again["tensors"] == first["tensors"]
    assert again["cost"]["bytes"] == first["cost"]["bytes"] > 0
    assert mirror.asked() == before


@pytest.mark.parametrize("page", ["", "/tree/main", f"/tree/{COMMIT}"])
def test_a_page_of_the_mirror_is_the_repository(mirror: Mirror, page: str) -> None:
    found = document("list-tensors", location=f"{mirror.endpoint}/{REPO}{page}")
    assert (found["model"]["kind"], found["model"]["location"]) == ("hub", REPO)


def test_the_token_opens_a_gated_repository_through_the_mirror(
    mirror: Mirror, connect: Connect
) -> None:
    assert GATED in refusal("list-tensors", location=GATED)
    connect(mirror.endpoint, token=TOKEN)
    assert answer("list-tensors", "-m", GATED, "-q", "--no-cache") == answer(
        "list-tensors", "-m", LOCAL, "-q"
    )
    assert {one.authorization for one in mirror.hub.log if one.origin == "cdn"} == {None}


@pytest.mark.parametrize("location", ["org/absent", f"{REPO}@v9"])
def test_what_the_hub_has_not_is_not_found(mirror: Mirror, location: str) -> None:
    assert "no such" in refusal("list-tensors", location=location)
