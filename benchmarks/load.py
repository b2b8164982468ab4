"""What many people at once ask of the dashboard's server.

    python -m benchmarks.load --sessions 20 --minutes 10 --jobs 3 --open 300

starts a server of its own on this machine's loopback and speaks its protocol, protobuf over a websocket, as browsers
do: each session lets the thumb of theta go, waits until the script has run, and does so again after a pause. ``--jobs``
others have a picture certified meanwhile, again and again; ``--open`` sessions are opened and closed afterwards, for
what they leave in memory.

Clients and server share the machine, so times are those of this machine at this hour: compare them within one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin, Subprotocol

from benchmarks.browser import MAIN, serve

PROTOCOL = Subprotocol("streamlit")
PATIENCE = 60.0  # seconds for an answer, after which it is an error
PAUSE = 1.0  # seconds between what one person does, on average
IDLE = 0.1  # of a processor: the server rests
TOGETHER, LOT = 10, 100  # sessions that are opened at the same time, and after how many memory is looked at
LARGEST = 64 << 20  # bytes of a message
DIAL, BUTTON = "theta_dial", "start"


@dataclass
class Visitor:
    """A session: what it last heard of its controls, by their keys, and what it has said of them."""

    socket: ClientConnection
    name: str = ""  # of the page, as addresses have it
    query: str = ""  # what the address holds, which names the job
    widgets: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    disabled: dict[str, bool] = field(default_factory=dict)  # buttons
    failed: list[str] = field(default_factory=list)

    async def run(self, pressed: str | None = None) -> float:
        """Have the script run, and wait for its end: seconds."""
        message = BackMsg()
        asked = message.rerun_script
        asked.page_name, asked.query_string = self.name, self.query
        for id, state in self.states.items():
            asked.widget_states.widgets.add(id=id, json_value=state)
        if pressed is not None:
            asked.widget_states.widgets.add(id=self.widgets[pressed], trigger_value=True)
        start = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        await asyncio.wait_for(self._ended(), PATIENCE)
        return time.perf_counter() - start

    async def turn(self, theta: float) -> float:
        """Let the thumb go at ``theta``."""
        chosen = {"value": theta, "at": 1000 * time.perf_counter(), "heard": 0}
        self.states[self.widgets[DIAL]] = json.dumps({"chosen": chosen})
        return await self.run()

    async def _ended(self) -> None:
        while True:
            message = ForwardMsg.FromString(await self.socket.recv(decode=False))
            kind = message.WhichOneof("type")
            if kind == "page_info_changed":
                self.query = message.page_info_changed.query_string
            elif kind == "delta":
                self._hear(message)
            elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return

    def _hear(self, message: ForwardMsg) -> None:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.failed.append(element.exception.message)
        if kind in ("bidi_component", "button"):
            id = getattr(element, kind).id
            key = id.rpartition("-")[2]
            self.widgets[key] = id
            self.disabled[key] = kind == "button" and element.button.disabled


@dataclass
class Crowd:
    """What was measured: seconds of every rerun that a thumb asked for, how many others there were, what went wrong,
    how many jobs were asked for; of the server processor seconds, and megabytes before, afterwards and after each lot
    of sessions that were opened and closed.
    """

    seconds: list[float] = field(default_factory=list)
    others: int = 0
    errors: list[str] = field(default_factory=list)
    jobs: int = 0
    processor: float = 0.0
    memory: list[float] = field(default_factory=list)

    @property
    def lines(self) -> Iterator[tuple[str, float]]:
        """What is printed: each number with its name and unit."""
        yield "reruns by a thumb", len(self.seconds)
        yield "other reruns", self.others
        yield "errors", len(self.errors)
        if len(self.seconds) > 1:
            parts = statistics.quantiles(self.seconds, n=20)
            yield "from the thumb to the end of the run, median s", parts[9]
            yield "the same, 95th percentile s", parts[18]
            yield "the server's processor time a rerun, ms", 1000 * self.processor / (len(self.seconds) + self.others)
        yield "jobs asked for", self.jobs
        for at, megabytes in enumerate(self.memory):
            yield f"the server's memory, MB, {_when(at)}", megabytes


def _when(at: int) -> str:
    return ("before", "after")[at] if at < 2 else f"after {at - 1} x up to {LOT} sessions opened and closed"


@asynccontextmanager
async def visit(address: str, name: str = "") -> AsyncIterator[Visitor]:
    """A session on the page of this name, which has been drawn once."""
    url = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
    session = connect(
        url, subprotocols=[PROTOCOL], origin=Origin(address), max_size=LARGEST,
        ping_interval=None,  # the server pings
    )  # fmt: skip
    async with session as socket:
        visitor = Visitor(socket, name)
        await visitor.run()
        yield visitor


async def move(address: str, until: float, pause: float, found: Crowd) -> None:
    """One person: a thumb that is let go, again and again."""
    with _noted(found):
        async with visit(address) as visitor:
            while not found.seconds or time.monotonic() < until:
                await asyncio.sleep(pause * (0.5 + random.random()))
                found.seconds.append(await visitor.turn(round(random.random(), 3)))
                found.errors += visitor.failed
                visitor.failed.clear()


async def certify(address: str, until: float, found: Crowd) -> None:
    """One person who has the first picture certified, again and again, and asks each second how far it is."""
    with _noted(found):
        async with visit(address, "certify") as visitor:
            while not found.jobs or time.monotonic() < until:
                if not visitor.disabled[BUTTON]:
                    await visitor.run(pressed=BUTTON)
                    found.jobs += 1
                await asyncio.sleep(PAUSE)
                await visitor.run()
                found.others += 2
                found.errors += visitor.failed
                visitor.failed.clear()


@contextmanager
def _noted(found: Crowd) -> Iterator[None]:
    try:
        yield
    except (OSError, TimeoutError, WebSocketException) as error:
        found.errors.append(f"{type(error).__name__}: {error}")


async def open_and_close(address: str, sessions: int, found: Crowd) -> None:
    """Sessions, ten at a time, that look at the first page once."""

    async def look() -> None:
        with _noted(found):
            async with visit(address):
                found.others += 1

    for at in range(0, sessions, TOGETHER):
        await asyncio.gather(*(look() for _ in range(min(TOGETHER, sessions - at))))


async def measure(address: str, server: int, sessions: int, seconds: float, jobs: int, opened: int) -> Crowd:
    """What ``sessions`` people and ``jobs`` others meet for so many seconds, and then ``opened`` sessions leave."""
    found, process = Crowd(), psutil.Process(server)
    async with visit(address) as first:  # what the first visitor waits for, all others find
        await first.turn(0.5)
    await _rest(process)
    found.memory.append(_megabytes(process))
    before, until = _processor(process), time.monotonic() + seconds
    people = [move(address, until, PAUSE, found) for _ in range(sessions)]
    await asyncio.gather(*people, *(certify(address, until, found) for _ in range(jobs)))
    found.processor = _processor(process) - before
    found.memory.append(_megabytes(process))
    for at in range(0, opened, LOT):
        await open_and_close(address, min(LOT, opened - at), found)
        found.memory.append(_megabytes(process))
    return found


async def _rest(process: psutil.Process) -> None:
    """Until the server has made what browsers follow the dials by, which takes it half a minute."""
    for _ in range(int(PATIENCE)):
        before = _processor(process)
        await asyncio.sleep(1.0)
        if _processor(process) - before < IDLE:
            return


def _processor(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _megabytes(process: psutil.Process) -> float:
    return process.memory_info().rss / 1e6


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20, help="people who turn theta")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--jobs", type=int, default=3, help="people who certify a picture, again and again")
    parser.add_argument("--open", type=int, default=0, help="sessions that are opened and closed afterwards")
    said = parser.parse_args()
    with serve(MAIN) as (address, _, server):
        asked = said.sessions, 60 * said.minutes, said.jobs, said.open
        found = asyncio.run(measure(address, server, *asked))
    for name, value in found.lines:
        print(f"{name:70} {value:10.3f}")
    for error in found.errors[:10]:
        print(error)


if __name__ == "__main__":
    main()
