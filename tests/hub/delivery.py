"""Puts one reply on one connection, and reports what left before the client can have it all."""

import asyncio
import os
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.hub.wire import Delivery, Reply, Slice

DIRECT_BYTES: Final = 1 << 18
"""Slices up to this length are read and written at once; longer ones go by `sendfile`."""

_WINDOW: Final = 1 << 20
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Connection:
    """One accepted client."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def deliver(
    reply: Reply, connection: Connection, note: Callable[[int], None], *, bodiless: bool
) -> bool:
    """Send `reply`; True when the connection can take another request.

    `note` gets the count of body bytes, once: before the last of them leaves, so that a client
    with a complete answer finds it already noted, or when the client is gone.
    """
    match reply.delivery:
        case Delivery.STALL:
            note(0)
            await connection.reader.read()
            return False
        case Delivery.RESET:
            note(0)
            _socket(connection.writer).setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE
            )
            return False
        case _ if bodiless:
            await _send(connection.writer, reply.head(), b"", note)
        case Delivery.GZIP:
            await _send_gzip(connection.writer, reply, note)
        case Delivery.CHUNKED:
            await _send_chunked(connection.writer, reply, note)
        case _:
            await _send_promised(connection.writer, reply, note)
    return bodiless or len(reply.body) == reply.content_length


def _socket(writer: asyncio.StreamWriter) -> socket.socket:
    wrapped: socket.socket = writer.get_extra_info("socket")
    return wrapped


async def _send(
    writer: asyncio.StreamWriter, head: bytes, body: bytes, note: Callable[[int], None]
) -> None:
    note(len(body))
    writer.write(head + body)
    await writer.drain()


async def _send_promised(
    writer: asyncio.StreamWriter, reply: Reply, note: Callable[[int], None]
) -> None:
    body = reply.body
    if isinstance(body, bytes):
        await _send(writer, reply.head(), body, note)
    elif len(body) <= DIRECT_BYTES:
        await _send(writer, reply.head(), _read(body), note)
    else:
        writer.write(reply.head())
        await _send_file(writer, body, note)


def _read(part: Slice) -> bytes:
    descriptor = os.open(part.path, os.O_RDONLY)
    try:
        return os.pread(descriptor, len(part), part.start)
    finally:
        os.close(descriptor)


async def _send_file(
    writer: asyncio.StreamWriter, part: Slice, note: Callable[[int], None]
) -> None:
    loop = asyncio.get_running_loop()
    position, last = part.start, part.stop - 1
    try:
        with part.path.open("rb", buffering=0) as file:
            while position < last:
                count = min(_WINDOW, last - position)
                position += await loop.sendfile(writer.transport, file, position, count)
    except (ConnectionError, asyncio.CancelledError):
        note(position - part.start)
        raise
    await _send_last_byte(writer, part, note)


async def _send_last_byte(
    writer: asyncio.StreamWriter, part: Slice, note: Callable[[int], None]
) -> None:
    note(len(part))
    writer.write(_read(Slice(part.path, part.stop - 1, part.stop)))
    await writer.drain()


async def _send_gzip(
    writer: asyncio.StreamWriter, reply: Reply, note: Callable[[int], None]
) -> None:
    packer = zlib.compressobj(level=1, wbits=31)
    body = reply.body
    sent = 0
    writer.write(reply.head())
    try:
        for start in range(0, len(body), _WINDOW):
            stop = min(start + _WINDOW, len(body))
            packed = packer.compress(_part(body, start, stop))
            sent += len(packed)
            _write_chunk(writer, packed)
            await writer.drain()
            await asyncio.sleep(0)  # holes pack so well that drain alone would never yield
    except (ConnectionError, asyncio.CancelledError):
        note(sent)
        raise
    packed = packer.flush()
    note(sent + len(packed))
    _write_chunk(writer, packed)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _send_chunked(
    writer: asyncio.StreamWriter, reply: Reply, note: Callable[[int], None]
) -> None:
    """The body in chunks; without the last, empty one where more was promised."""
    writer.write(reply.head())
    sent = 0
    try:
        for start in range(0, len(reply.body), _WINDOW):
            chunk = _part(reply.body, start, min(start + _WINDOW, len(reply.body)))
            _write_chunk(writer, chunk)
            await writer.drain()
            sent += len(chunk)
    except (ConnectionError, asyncio.CancelledError):
        note(sent)
        raise
    note(sent)
    if sent == reply.content_length:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def _part(body: bytes | Slice, start: int, stop: int) -> bytes:
    if isinstance(body, bytes):
        return body[start:stop]
    return _read(Slice(body.path, body.start + start, body.start + stop))


def _write_chunk(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    if chunk:
        writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
