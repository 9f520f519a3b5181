from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.utils import http_backoff, parse_ratelimit_headers  # type: ignore[attr-defined]

from tests.hub import Hub, Pause, early_requests
from tests.hub.plain import plain_answer

NAME = "org/plain/a.safetensors"
BYTES = bytes(range(256))


@dataclass(frozen=True)
class Moment:
    """A logged request: its status and two moments."""

    status: int
    arrived: float
    answered: float


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("hub")
    (top / "org" / "plain").mkdir(parents=True)
    (top / NAME).write_bytes(BYTES)
    return top


@pytest.fixture(autouse=True)
def _clean_client() -> Iterator[None]:
    yield
    huggingface_hub.close_session()


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_refuses_so_many_requests_and_recovers(root: Path, status: int) -> None:
    pause = Pause(refusals=2, seconds=7, status=status)
    with Hub(root, faults={"/*": pause}) as hub:
        answers = [plain_answer(f"{hub.cdn}/plain/{NAME}") for _ in range(4)]
    assert [status for status, _, _ in answers] == [status, status, 200, 200]
    assert [head.get("retry-after") for _, head, _ in answers] == ["7", "7", None, None]
    assert answers[-1][2] == BYTES


def test_a_pause_counts_the_requests_of_both_origins(root: Path) -> None:
    with Hub(root, faults={"/*": Pause(refusals=2, seconds=1)}) as hub:
        statuses = [
            plain_answer(f"{hub.endpoint}/api/models/org/plain")[0],
            plain_answer(f"{hub.cdn}/plain/{NAME}")[0],
            plain_answer(f"{hub.endpoint}/api/models/org/plain")[0],
        ]
    assert statuses == [429, 429, 200]


def test_a_pause_holds_for_its_pattern_and_leaves_the_rules_below_it(root: Path) -> None:
    faults: dict[str, str | Pause] = {"/*/resolve/*": Pause(refusals=1, seconds=1), "/*": "broken"}
    with Hub(root, faults=faults) as hub:
        resolve = f"{hub.endpoint}/org/plain/resolve/main/a.safetensors"
        assert plain_answer(f"{hub.endpoint}/api/models/org/plain")[0] == 500
        assert [plain_answer(resolve)[0] for _ in range(2)] == [429, 500]


def test_the_header_of_the_hubs_own_limits_is_the_one_its_client_reads(root: Path) -> None:
    pause = Pause(refusals=1, seconds=40, retry_after=False, resource="resolvers")
    with Hub(root, faults={"/*": pause}) as hub:
        _, head, _ = plain_answer(f"{hub.endpoint}/")
    assert head["ratelimit"] == '"resolvers";r=0;t=40'
    assert "retry-after" not in head
    found = parse_ratelimit_headers(head)
    assert found is not None
    assert (found.resource_type, found.remaining, found.reset_in_seconds) == ("resolvers", 0, 40)


@pytest.mark.parametrize(
    "pause",
    [
        Pause(refusals=1, seconds=1),
        Pause(refusals=1, seconds=1, retry_after=False, resource="api"),
    ],
    ids=["Retry-After", "RateLimit"],
)
def test_a_client_that_waits_is_not_early(root: Path, pause: Pause) -> None:
    with Hub(root, faults={"/*": pause}) as hub:
        assert http_backoff("GET", f"{hub.cdn}/plain/{NAME}").content == BYTES
    assert len(hub.log) == 2
    assert early_requests(hub.log, pause, grace=0) == []


def test_a_client_that_does_not_wait_is_early(root: Path) -> None:
    pause = Pause(refusals=2, seconds=60)
    with Hub(root, faults={"/*": pause}) as hub:
        for _ in range(3):
            plain_answer(f"{hub.cdn}/plain/{NAME}")
    assert early_requests(hub.log, pause, grace=0) == hub.log[1:]
    assert early_requests(hub.log, pause, grace=60) == []


def test_a_request_on_its_way_when_the_pause_began_is_not_early(root: Path) -> None:
    """Latency is spent between arrival and answer: both arrive before the first is refused."""
    pause = Pause(refusals=1, seconds=60)
    with Hub(root, latency=0.3, faults={"/*": pause}) as hub:
        urls = [f"{hub.cdn}/plain/{NAME}"] * 2
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(plain_answer, urls))
    assert sorted(status for status, _, _ in answers) == [200, 429]
    assert all(request.answered - request.arrived >= 0.3 for request in hub.log)
    assert early_requests(hub.log, pause, grace=0) == []


@pytest.mark.parametrize(
    ("second_refusal", "next_arrival", "early"),
    [(10.2, 15.1, 0), (15.5, 15.1, 0), (15.5, 20.4, 1), (15.5, 20.6, 0)],
    ids=["held by the first", "between two", "in the second", "after both"],
)
def test_a_refusal_within_a_pause_does_not_lengthen_it(
    second_refusal: float, next_arrival: float, early: int
) -> None:
    refused = [Moment(429, 10.0, 10.0), Moment(429, 9.9, second_refusal)]
    log = [*refused, Moment(200, next_arrival, next_arrival)]
    found = early_requests(log, Pause(refusals=2, seconds=5))
    assert found == log[2:][:early]
