"""A server in a process of its own, as a user starts it, and requests that a well-behaved client would not send."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cache.catalog import DEMO
from tests import ROOT


@dataclass(frozen=True)
class Running:
    """Where it answers, and its process."""

    url: str
    process: subprocess.Popen[str]

    @property
    def place(self) -> tuple[str, int]:
        host, port = self.url.removeprefix("http://").split(":")
        return host, int(port)

    def raw(self, head: str, body: bytes = b"", *, answered: bool = True) -> bytes:
        """Send bytes, and hear the answer; or hang up without."""
        with socket.create_connection(self.place, timeout=60) as connection:
            with suppress(OSError):  # it may be refused meanwhile, and says why
                connection.sendall(head.encode() + body)
            if not answered:
                return b""
            found = b""
            with suppress(OSError):
                while part := connection.recv(65536):
                    found += part
            return found


@contextmanager
def running(system: Path, *options: str) -> Iterator[Running]:
    """A server of a system at a port that is free, ended when it is left."""
    command = [sys.executable, "-m", "engine", "serve", str(system), "--port", "0", *options]
    environment = {**os.environ, "ACES_DEMO": str(DEMO)}
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert " answers at http://" in line, line
            yield Running(line.split(" answers at ")[1].split(",")[0], process)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)
