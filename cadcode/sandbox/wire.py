"""Frames on the pipes: a JSON header and named byte strings. No pickle, so that reading a frame executes no code.

A frame consists of 8 bytes of header length, 8 bytes of body length, the header and the body. The header's `blobs`
gives the sizes of the pieces of the body, in order.
"""

import json
import os
import struct
from typing import Any

PREFIX = struct.Struct("<QQ")
MAX_HEADER = 1 << 20


def pack(header: dict[str, Any], blobs: dict[str, bytes] | None = None) -> bytes:
    blobs = blobs or {}
    text = json.dumps({**header, "blobs": {name: len(data) for name, data in blobs.items()}}).encode()
    return b"".join((PREFIX.pack(len(text), sum(map(len, blobs.values()))), text, *blobs.values()))


def unpack(frame: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Header and blobs of one complete frame from an untrusted writer. ValueError unless all lengths are consistent."""
    if len(frame) < PREFIX.size:
        raise ValueError("shorter than a frame's prefix")
    header_size, body_size = PREFIX.unpack_from(frame)
    if header_size > MAX_HEADER or PREFIX.size + header_size + body_size != len(frame):
        raise ValueError("its lengths do not add up")
    return _parse(frame[PREFIX.size : PREFIX.size + header_size], frame[PREFIX.size + header_size :])


def read_frame(descriptor: int, limit: int) -> tuple[dict[str, Any], dict[str, bytes]] | None:
    """The next frame from a pipe; None at its end. ValueError for a frame that is invalid or above `limit` bytes."""
    prefix = _read_exactly(descriptor, PREFIX.size)
    if prefix is None:
        return None
    header_size, body_size = PREFIX.unpack(prefix)
    if header_size > MAX_HEADER or body_size > limit:
        raise ValueError("a frame above the limit")
    rest = _read_exactly(descriptor, header_size + body_size)
    return None if rest is None else _parse(rest[:header_size], rest[header_size:])


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _parse(text: bytes, body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    try:
        header = json.loads(text)
    except RecursionError:
        raise ValueError("its header is nested too deeply") from None
    sizes = header.get("blobs") if isinstance(header, dict) else None
    if not isinstance(sizes, dict) or not all(type(size) is int and size >= 0 for size in sizes.values()):
        raise ValueError("its header is not one of ours")
    if sum(sizes.values()) != len(body):
        raise ValueError("its pieces do not add up")
    blobs, start = {}, 0
    for name, size in sizes.items():
        blobs[name], start = body[start : start + size], start + size
    return header, blobs


def _read_exactly(descriptor: int, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        piece = os.read(descriptor, min(size - len(data), 1 << 20))
        if not piece:
            return None
        data += piece
    return bytes(data)
