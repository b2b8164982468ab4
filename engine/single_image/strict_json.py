"""JSON from a stranger: what two readers could read differently, or a terminal would obey, is refused."""

from __future__ import annotations

import json
import math
from typing import Any

from engine.errors import AcesError

MAX_DIGITS = 20  # of an integer: more than 64 bits hold
MAX_LETTERS = 5_000  # of a string
MAX_RECORDS = 100_000  # lists and objects: each takes many times the memory of its text
MAX_STRINGS = 500_000


def parse(text: str | bytes) -> Any:
    """The value. Raises ``AcesError`` for what is no JSON, for entries that stand twice, for numbers that are none or
    have no end, for strings that are not printable or too long, and for lists too deep or too many to be followed.
    """
    try:
        _check_size(text)
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite, parse_int=_integer
        )
        _check_strings(value)
    except RecursionError as error:
        raise AcesError("the file: nested too deeply") from error
    except AcesError:
        raise
    except ValueError as error:  # of JSON, and of its encoding
        raise AcesError(f"the file: invalid JSON ({' '.join(str(error).split())[:120]})") from error
    return value


def _check_size(text: str | bytes) -> None:
    """Counted in the text, before anything is made of it."""
    encoded = text.encode(errors="replace") if isinstance(text, str) else text
    if encoded.count(b"[") + encoded.count(b"{") > MAX_RECORDS or encoded.count(b'"') > 2 * MAX_STRINGS:
        raise AcesError(f"the file: more than {MAX_RECORDS:,} lists and objects, or {MAX_STRINGS:,} strings")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise AcesError(f"{_short(twice)} stands twice")
    return found


def _no_number(name: str) -> float:
    raise AcesError(f"the file: {name} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise AcesError(f"the file: {_short(digits)} is too large a number")
    return value


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise AcesError(f"the file: an integer of {len(digits):,} digits")
    return int(digits)


def _check_strings(value: Any, where: str = "") -> None:
    """Names of entries are strings as well. Raises ``AcesError`` that says where the bad one stands."""
    if isinstance(value, str):
        if len(value) > MAX_LETTERS:
            raise AcesError(f"{where or 'the file'}: a text of {len(value):,} letters")
        if not value.isprintable():
            raise AcesError(f"{where or 'the file'}: {_short(value)} is not printable")
    elif isinstance(value, dict):
        for name, part in value.items():
            _check_strings(name, where)
            _check_strings(part, f"{where}.{_short(name)}" if where else _short(name))
    elif isinstance(value, list):
        for at, part in enumerate(value):
            if not isinstance(part, int | float):  # of numbers there may be millions
                _check_strings(part, f"{where}.{at}")


def _short(name: str) -> str:
    """A name in a message: escaped, and not too much of it."""
    shown = name if name.isprintable() else ascii(name)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"
