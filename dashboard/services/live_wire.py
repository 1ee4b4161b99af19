"""What the server and the process for live views say to each other: JSON and bytes, each after its length."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

_HEAD = struct.Struct("!II")
MAX_TOLD = 1_000_000


def send(connection: socket.socket, told: dict[str, Any], data: bytes = b"") -> None:
    """Send one message.

    Raises:
        OSError: nobody takes it, or not in time.
    """
    text = json.dumps(told, allow_nan=False).encode()
    connection.sendall(_HEAD.pack(len(text), len(data)) + text + data)


def receive(connection: socket.socket) -> tuple[dict[str, Any], bytes]:
    """The next message.

    Raises:
        EOFError: the other side is gone.
        OSError: nothing came in time.
        ValueError: what came is no message.
    """
    n_text, n_data = _HEAD.unpack(_exactly(connection, _HEAD.size))
    if n_text > MAX_TOLD:
        raise ValueError(f"A message of {n_text} bytes.")
    told = json.loads(_exactly(connection, n_text))
    if not isinstance(told, dict):
        raise ValueError("A message that is no object.")
    return told, _exactly(connection, n_data)


def _exactly(connection: socket.socket, n: int) -> bytes:
    data = bytearray(n)
    view, have = memoryview(data), 0
    while have < n:
        got = connection.recv_into(view[have:])
        if not got:
            raise EOFError
        have += got
    return bytes(data)
