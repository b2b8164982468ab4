"""``app``: the dashboard, from wherever it is called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from engine import processes
from engine.cli.options import CacheOption
from engine.errors import AcesError
from engine.folders import PACKAGES

MAIN = PACKAGES / "app" / "main.py"


def dashboard(
    port: Annotated[
        int | None,
        typer.Option(help="Where it listens; by default the first that is free from 8501 on.", min=1, max=65535),
    ] = None,
    address: Annotated[str, typer.Option(help="0.0.0.0 lets every machine of the network in.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name under which it answers, beside this machine's own; may be given several times."),
    ] = None,
    headless: Annotated[bool, typer.Option(help="Do not open a browser.")] = True,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load networks that are code of your own: functions, TorchScript.")
    ] = False,
    configs: Annotated[Path | None, typer.Option(help="A folder of configs for the page Runs.")] = None,
    cache: CacheOption = None,
) -> None:
    """Open the dashboard. It runs until it is interrupted.

    Example: python -m engine app --port 8600
    """
    if not MAIN.is_file():
        raise AcesError(f"the dashboard is not installed: there is no {MAIN}")
    options = ["--server.address", address, "--server.headless", str(headless).lower()]
    if port is not None:
        options += ["--server.port", str(port)]
    for name in allow_host or ():
        options += ["--server.allowedHosts", name]
    store = {} if cache is None else {"ACES_CACHE": str(cache)}
    if trust:
        store["ACES_TRUST"] = "1"
    if configs is not None:
        store["ACES_CONFIGS"] = str(configs.resolve())
    command = processes.command("streamlit", "run", str(MAIN), *options)
    # Signals and the exit status are streamlit's; this Python, a list of words, no shell.
    os.execve(command[0], command, processes.environment(**store))  # nosec B606
