"""The ways an answer of the hub's API can be wrong, each as a change to the right one."""

import json
from dataclasses import replace
from enum import StrEnum
from typing import Final

from tests.hub.wire import Answer, Ask, Reply, Slice, text_reply

OTHER_COMMIT: Final = "f" * 40
"""The commit that `ApiFault.OTHER_COMMIT` names."""

_COMMIT_HEADER: Final = "X-Repo-Commit"


class ApiFault(StrEnum):
    """What a client of the API has to survive, besides each `Fault`.

    The last three are of the document of headers, and leave any other answer as it is.
    """

    BROKEN = "broken"
    """500, always."""
    OTHER_COMMIT = "other_commit"
    """X-Repo-Commit names a commit that is not the repository's."""
    NO_COMMIT = "no_commit"
    """X-Repo-Commit is left out."""
    SHARD_LEFT_OUT = "shard_left_out"
    """The last shard is missing."""
    TENSOR_LEFT_OUT = "tensor_left_out"
    """The last tensor of the first shard with two is missing."""
    OTHER_HEADER = "other_header"
    """The first two tensors of the first shard with two have each other's name."""


def wrong_reply(fault: ApiFault, ask: Ask, answer: Answer) -> Reply:
    """The reply to `ask` with `fault`; `answer` gives the reply without."""
    if fault is ApiFault.BROKEN:
        return text_reply(500, "Internal Server Error")
    if fault in {ApiFault.OTHER_COMMIT, ApiFault.NO_COMMIT}:
        reply = answer(ask)
        kept = {name: value for name, value in reply.headers.items() if name != _COMMIT_HEADER}
        named = {_COMMIT_HEADER: OTHER_COMMIT} if fault is ApiFault.OTHER_COMMIT else {}
        return replace(reply, headers=kept | named)
    return _with_other_headers(fault, answer(ask.without("accept-encoding")))


def _with_other_headers(fault: ApiFault, reply: Reply) -> Reply:
    if reply.status != 200 or isinstance(reply.body, Slice):
        return reply
    document = json.loads(reply.body)
    if not isinstance(document, dict) or "headers" not in document:
        return reply
    shards: dict[str, dict[str, object]] = document["headers"]
    if fault is ApiFault.SHARD_LEFT_OUT:
        shards.popitem()
        return replace(reply, body=_compact(document))
    header = next(header for header in shards.values() if len(header.keys() - {"__metadata__"}) > 1)
    tensors = [name for name in header if name != "__metadata__"]
    if fault is ApiFault.TENSOR_LEFT_OUT:
        del header[tensors[-1]]
    else:
        header[tensors[0]], header[tensors[1]] = header[tensors[1]], header[tensors[0]]
    return replace(reply, body=_compact(document))


def _compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
