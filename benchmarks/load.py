"""Many pages at once: sessions over real sockets, each drawing a page every 15 s and asking our routes, while jobs run.

    python -m benchmarks.load [--sessions 30] [--minutes 5] [--every 15]

Prints how long pages and answers take, and the memory of the server; fails where a page of twenty takes more than 2 s,
an answer of twenty more than 0.5 s, a page shows a mistake, or the memory grows. All on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from tests.support.app import running_app
from tests.support.entry import cookie
from tests.support.long_analysis import write_long_analysis

HALF_HOUR = "5e" * 16
PAGES = (("", ""), ("models", ""), ("review", f"analysis={HALF_HOUR}"), ("model", ""), ("settings", ""))
ROUTES = (f"/api/timeline/{HALF_HOUR}", f"/api/tiles/{HALF_HOUR}/0/0", f"/api/frames/{HALF_HOUR}/0")
PAGE_S, ANSWER_S, GROWTH = 2.0, 0.5, 1.1
PATIENCE_S = 120.0
AT_WORK = 2


@dataclass
class Seen:
    """Seconds of pages and answers, what went wrong, and MB of the server over time."""

    pages_s: list[float] = field(default_factory=list)
    answers_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def verdict(self) -> list[str]:
        """What is not as it should be."""
        found = list(self.wrong)
        for what, spent, most in (("pages", self.pages_s, PAGE_S), ("answers", self.answers_s, ANSWER_S)):
            if spent and share(spent, 0.95) > most:
                found.append(f"one of twenty {what} takes more than {most} s")
        third = max(len(self.memory_mb) // 3, 1)  # at first everything is loaded
        if len(self.memory_mb) > 3 and max(self.memory_mb[-third:]) > GROWTH * max(self.memory_mb[third : 2 * third]):
            found.append("the memory grows")
        return found


def share(values: list[float], of: float) -> float:
    """The value below which so many lie."""
    return sorted(values)[min(int(of * len(values)), len(values) - 1)]


async def draw(socket: ClientConnection, page: str, query: str, seen: Seen) -> None:
    """Ask for a page, and wait until it is drawn."""
    asked = BackMsg()
    asked.rerun_script.page_name, asked.rerun_script.query_string = page, query
    began = time.monotonic()
    await socket.send(asked.SerializeToString())
    while True:
        told = ForwardMsg()
        told.ParseFromString(await asyncio.wait_for(socket.recv(), PATIENCE_S))  # type: ignore[arg-type]
        if told.WhichOneof("type") == "delta" and told.delta.new_element.WhichOneof("type") == "exception":
            seen.wrong.append(f"/{page}: {told.delta.new_element.exception.message}")
        if told.WhichOneof("type") == "script_finished" and told.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
            seen.pages_s.append(time.monotonic() - began)
            return


def answer(port: int, path: str) -> tuple[float, int]:
    """Seconds and status of one of our routes."""
    began = time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
        connection.request("GET", path, headers={"Cookie": cookie(port)})
        given = connection.getresponse()
        given.read()
    return time.monotonic() - began, given.status


async def session(port: int, number: int, until: float, every_s: float, seen: Seen) -> None:
    """One visitor, who goes from page to page."""
    await asyncio.sleep(every_s * (number % 30) / 30)  # they do not come all at once
    headers = {"Cookie": cookie(port), "Origin": f"http://127.0.0.1:{port}"}
    url = f"ws://127.0.0.1:{port}/_stcore/stream"
    async with connect(url, additional_headers=headers, subprotocols=["streamlit"], max_size=None) as socket:  # type: ignore[list-item]
        turn = number
        while time.monotonic() < until:
            began = time.monotonic()
            await draw(socket, *PAGES[turn % len(PAGES)], seen)
            path = ROUTES[turn % len(ROUTES)]
            spent_s, status = await asyncio.to_thread(answer, port, path)
            seen.answers_s.append(spent_s)
            if status != 200:
                seen.wrong.append(f"{path}: {status}")
            turn += 1
            await asyncio.sleep(max(every_s - (time.monotonic() - began), 0))


async def keep_at_work(until: float) -> None:
    """Two analyses of the sample wait or run all the time."""
    from dashboard.services import jobs, samples

    while time.monotonic() < until:
        if len(jobs.with_state(*jobs.ACTIVE)) < AT_WORK:
            await asyncio.to_thread(samples.start)
        await asyncio.sleep(2)


async def look_on(pid: int, until: float, seen: Seen) -> None:
    """The server's memory, every ten seconds."""
    while time.monotonic() < until:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        seen.memory_mb.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
        await asyncio.sleep(10)


async def load(port: int, pid: int, sessions: int, minutes: float, every_s: float) -> Seen:
    """All of it at once."""
    seen, until = Seen(), time.monotonic() + 60 * minutes
    visitors = [session(port, number, until, every_s, seen) for number in range(sessions)]
    await asyncio.gather(*visitors, keep_at_work(until), look_on(pid, until, seen))
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--every", type=float, default=15.0, help="seconds from one page of a session to its next")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FER_HOME"] = folder
        write_long_analysis(Path(folder) / "analyses" / HALF_HOUR, frames=54_000)
        with running_app(Path(folder)) as (address, pid):
            port = int(address.rsplit(":", 1)[1])
            seen = asyncio.run(load(port, pid, args.sessions, args.minutes, args.every))
    for what, spent in (("pages", seen.pages_s), ("answers", seen.answers_s)):
        print(f"{len(spent)} {what}: median {statistics.median(spent):.2f} s, 95 % below {share(spent, 0.95):.2f} s")
    print("memory of the server:", " ".join(f"{each:.0f}" for each in seen.memory_mb), "MB")
    for wrong in sorted(set(seen.verdict())):
        print("BAD:", wrong)
    return bool(seen.verdict())


if __name__ == "__main__":
    raise SystemExit(main())
