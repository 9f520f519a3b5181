"""What a web server wrote down of the requests it had: its access log as values."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and its answer. `body_bytes` is what was sent: less than promised if cut off.

    `target` is the path as the client encoded it, with its query.
    """

    method: str
    target: str
    range: str | None
    status: int
    body_bytes: int


def parse_line(line: str) -> Asked:
    """A line of an access log: fields between tabs, or an object of Caddy's JSON.

    The fields are request line, range, status and one count of bytes or more. Apache counts a body
    that it began to send as sent; what it counts at the socket is more by the head. The smaller of
    the two is what was sent of the body, but for the head of an answer that was cut off.

    >>> parse_line("GET /a HTTP/1.1\\tbytes=0-7\\t206\\t8\\t290")
    Asked(method='GET', target='/a', range='bytes=0-7', status=206, body_bytes=8)
    """
    if line.startswith("{"):
        return _parse_caddy(line)
    request_line, range_header, status, *counts = line.split("\t")
    method, target, _ = request_line.split(" ")
    body_bytes = min(int(count.replace("-", "0")) for count in counts)
    asked_range = None if range_header == "-" else range_header
    return Asked(method, target, asked_range, int(status), body_bytes)


def _parse_caddy(line: str) -> Asked:
    entry = json.loads(line)
    request = entry["request"]
    ranges = request["headers"].get("Range", [None])
    return Asked(request["method"], request["uri"], ranges[0], entry["status"], entry["size"])
