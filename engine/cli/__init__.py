"""``python -m engine COMMAND``: a thin function a command: parse, one call of the engine, print.

One file a group of commands. Heavy imports stay inside the commands that need them: ``table`` and ``outcomes`` never
load torch.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable

import typer
from typer.exceptions import TyperException

from engine.cli import (
    catalog,
    certify,
    check,
    dashboard,
    denoising,
    deploy,
    deposit,
    models,
    pictures,
    plot,
    preview,
    results,
    sampling,
    serving,
    store,
    training,
)
from engine.cli.printing import say
from engine.errors import AcesError
from engine.escape import terminal

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

OWN = ("engine", "cache", "app")  # packages, of which none can be missing
INTERRUPTED = 130  # the exit status of what SIGINT ended

COMMANDS: dict[str, Callable[..., None]] = {
    "runs": catalog.list_runs,
    "label": catalog.label_run,
    "import": catalog.import_runs,
    "export": catalog.export_run,
    "table": results.table,
    "smoothed": results.smoothed,
    "outcomes": results.outcomes,
    "plot": plot.plot,
    "certify": certify.certify,
    "check": check.check,
    "deploy": deploy.deploy,
    "precompute": sampling.precompute,
    "plan": sampling.plan,
    "verify": sampling.verify,
    "deposit": deposit.deposit,
    "store": store.store,
    "serve": serving.serve,
    "train": training.train,
    "denoise": denoising.denoise,
    "imagenet-demo": preview.imagenet_demo,
    "models": models.list_models,
    "inspect": models.inspect,
    "pictures": pictures.pictures,
    "app": dashboard.dashboard,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


@app.callback()
def root() -> None:
    """Sample a smoothed classifier once, then certify for every threshold."""


def main() -> None:
    """Run the command line; what the user can fix is one line on stderr and exit status 2."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_OneLine())
    _open_streams()
    try:
        status = app(standalone_mode=False)
        sys.stdout.flush()  # here, where a reader that has gone, or a full disk, is no traceback
    except AcesError as error:
        status = _fail(str(error))
    except TyperException as error:  # unknown options and the like; without a message its help was printed
        status = _fail(f"{error.format_message()} See `python -m engine --help`.") if str(error) else 2
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except BrokenPipeError:
        status = _reader_left()
    except SystemExit as error:  # typer and rich make one of a broken pipe
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        status = _reader_left()
    except ModuleNotFoundError as error:  # of a package that not every command needs
        missing = (error.name or "").partition(".")[0]
        if missing in OWN:
            raise
        status = _fail(f"this command needs {missing}, which is not installed: pip install {missing}")
    except OSError as error:  # a path of letters that no file system takes, a disk that went away
        status = _fail(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
    if status == INTERRUPTED:  # typer makes an exit status of an interruption, too
        again = "precompute, train and certify -o go on where they were"
        print(f"interrupted; what was stored is kept: {again}", file=sys.stderr)
    raise SystemExit(status)


def _reader_left() -> int:
    """The reader, such as `head`, has had enough: what is still buffered goes nowhere, and nothing failed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _open_streams() -> None:
    """Somewhere to print to that takes every letter, also where the caller has closed it or knows ASCII alone."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))


class _OneLine(logging.Formatter):
    """Warnings of the engine quote names of files and runs."""

    def format(self, record: logging.LogRecord) -> str:
        return terminal(super().format(record))


def _fail(message: str) -> int:
    say(f"error: {' '.join(message.split())}", sys.stderr)
    return 2
