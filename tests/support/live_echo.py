"""Stands in for the process of live views: answers at once, late, never, or with its death, as the checkpoint says."""

from __future__ import annotations

import os
import socket
import sys
import time

from dashboard.services import live_wire

SLOW_S = 0.15


def main(descriptor: int) -> None:
    connection, forgotten = socket.socket(fileno=descriptor), list[str]()
    while True:
        try:
            asked, data = live_wire.receive(connection)
        except EOFError:
            return
        if "forget" in asked:
            forgotten.append(asked["forget"])
            continue
        what = asked["checkpoint"]
        if what == "die":
            os._exit(1)
        if what == "nonsense":
            connection.sendall(b"\xff" * 100)
        time.sleep({"slow": SLOW_S, "hang": 60.0}.get(what, 0.0))
        live_wire.send(
            connection, {"state": "ok", "bytes": len(data), "pid": os.getpid(), "forgotten": sorted(forgotten)}
        )


if __name__ == "__main__":
    main(int(sys.argv[1]))
