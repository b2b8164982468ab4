"""``serve``: a system over HTTP."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import TrustOption
from engine.cli.printing import say
from engine.errors import AcesError

GRACE = 5.0  # seconds beyond a request's own, after which a server that was told to stop waits no longer


def serve(
    system_file: Annotated[Path, typer.Argument(metavar="SYSTEM.yaml", help="A system, as `deploy` writes it.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any that is free.")] = 8000,
    address: Annotated[str, typer.Option(help="127.0.0.1 is this machine alone; there is no password.")] = "127.0.0.1",
    n: Annotated[int, typer.Option(min=1, help="The most draws for one picture.")] = 10_000,
    queue: Annotated[int, typer.Option(min=1, help="Pictures that may wait; more are answered with 429.")] = 64,
    max_mb: Annotated[float, typer.Option(min=0.001, max=1000, help="Of one request's body, in MB.")] = 10.0,
    pictures: Annotated[int, typer.Option(min=1, help="In one request.")] = 16,
    seconds: Annotated[float, typer.Option(min=0.1, help="For one request in all.")] = 60.0,
    body_seconds: Annotated[float, typer.Option(min=0.1, help="Until a request's body must be there.")] = 10.0,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    trust: TrustOption = False,
) -> None:
    """Answer pictures over HTTP by a system: POST /predict and /certify; /docs describes them, /metrics counts.

    Stops at SIGTERM or Ctrl-C, when what is under way is answered.

    Example: python -m engine serve system.yaml --port 8000
    """
    try:
        import uvicorn

        from engine.serving.bodies import BodyLimits
        from engine.serving.service import ServiceSettings, service
    except ModuleNotFoundError as error:
        raise AcesError(f"{error.name} is missing: pip install 'aces-explorer[serve]'") from error
    from engine.single_image.system import System

    system = System.load(system_file, device=device, trust=trust)
    limits = BodyLimits(round(max_mb * 1e6), body_seconds, pictures)
    app = service(system, ServiceSettings(n, queue, seconds, limits))
    config = uvicorn.Config(
        app, host=address, port=port, http="h11", ws="none", access_log=False, log_level="warning", workers=1,
        limit_concurrency=16 * queue, timeout_graceful_shutdown=int(seconds + GRACE), server_header=False,
    )  # fmt: skip

    class Announced(uvicorn.Server):
        """Says where it answers, when it does."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            host, chosen = (sockets or [])[0].getsockname()[:2]
            say(f"{system_file} answers at http://{host}:{chosen}, described at http://{host}:{chosen}/docs")
            sys.stdout.flush()  # whoever started it waits for the line

    server = Announced(config)
    # When it has stopped, uvicorn raises the signal that stopped it once more: it was obeyed.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run([_listening(address, port)])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listening(address: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family, backlog=2048)
    except OSError as error:
        raise AcesError(f"cannot listen at {address}:{port}: {error.strerror}; name another --port") from error
