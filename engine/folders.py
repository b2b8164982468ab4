"""Where things lie: what the environment names, else a default. The one place that reads these variables.

| variable | default |
|---|---|
| ``ACES_CACHE``: the store | ``cache/store`` in a checkout, else ``aces-explorer/store`` in the user's data folder |
| ``ACES_DATA``: datasets | ``data`` in a checkout, else ``aces-explorer/data`` in the user's data folder |
| ``ACES_DEMO``: the runs and networks that ship | ``cache/demo`` |
| ``ACES_MODELS``: one's own networks | ``models`` where one stands |
| ``ACES_CONFIGS``: one's own configs | none |

A variable that is empty counts as not set. The user's data folder is ``XDG_DATA_HOME``, else ``~/.local/share``.
"""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import AcesError
from engine.names import quoted

PACKAGES = Path(__file__).resolve().parents[1]  # the folder that holds engine/, cache/ and app/
CONFIGS = PACKAGES / "engine" / "configs"
DEMO = PACKAGES / "cache" / "demo"


def store() -> Path:
    """Where finished runs and unfinished draws are kept."""
    return _named("ACES_CACHE") or _kept("cache/store", "store")


def data() -> Path:
    """Where datasets lie and are downloaded to."""
    return _named("ACES_DATA") or _kept("data", "data")


def demo() -> Path:
    """The runs, networks and pictures that ship."""
    return _named("ACES_DEMO") or DEMO


def models() -> Path:
    """Checkpoints of one's own."""
    return _named("ACES_MODELS") or Path("models")


def configs() -> list[Path]:
    """Where configs lie: those that ship, and one's own."""
    own = _named("ACES_CONFIGS")
    return [CONFIGS, *([own] if own else [])]


def is_checkout() -> bool:
    """Whether the packages stand in a checkout, and not where pip has put them."""
    return (PACKAGES / "pyproject.toml").is_file()


def _kept(in_checkout: str, in_data_folder: str) -> Path:
    """A folder to write to: what pip installed may be read-only, and is replaced by the next installation."""
    return PACKAGES / in_checkout if is_checkout() else _user_data() / "aces-explorer" / in_data_folder


def _user_data() -> Path:
    named = Path(os.environ.get("XDG_DATA_HOME", ""))
    if named.is_absolute():  # a relative one is to be ignored, says its standard
        return named
    try:
        return Path.home() / ".local" / "share"
    except RuntimeError as error:
        raise AcesError("this user has no home folder: name folders by ACES_CACHE and ACES_DATA") from error


def _named(variable: str) -> Path | None:
    text = os.environ.get(variable)
    return at_home(Path(text), variable) if text else None


def at_home(path: Path, what: str) -> Path:
    """A path with its ``~`` written out; ``what`` says it. Raises ``AcesError`` where there is no such home."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise AcesError(f"{what} is {quoted(str(path))}, and there is no such home folder") from error
