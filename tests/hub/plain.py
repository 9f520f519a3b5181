"""A request by hand: what a server sent, before any client library has made something of it."""

import socket
from urllib.parse import urlsplit, urlunsplit


def plain_answer(
    url: str, headers: str = "", *, timeout: float = 5
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a GET, exactly as sent; waits for the connection's end."""
    parts = urlsplit(url)
    address = parts.hostname or "", parts.port or 0
    with socket.create_connection(address, timeout=timeout) as sock:
        target = urlunsplit(("", "", parts.path, parts.query, ""))
        sock.sendall(
            f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode()
        )
        with sock.makefile("rb") as file:
            answer = file.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    named = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split(" ")[1]), named, body


def joined_chunks(body: bytes) -> bytes:
    """What a body in chunks holds. Raises `ValueError` where the last, empty chunk is missing."""
    found = b""
    while True:
        length, _, rest = body.partition(b"\r\n")
        count = int(length, 16)
        if count == 0:
            return found
        found += rest[:count]
        body = rest[count + 2 :]
