"""The body of a request -> the pictures in it. It is read into memory: no more of it, and no longer, than it may be.

One picture is the body itself; several are files of a form (``multipart/form-data``). Nothing is written to disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from python_multipart.multipart import MultipartParser, parse_options_header

from engine.errors import AcesError

MOST_HEADER = 8_000  # bytes of the headers of one part of a form
LINGER = 1.0  # seconds that a body which is refused is still taken, so that its sender hears why


@dataclass(frozen=True)
class BodyLimits:
    """``most``: bytes of a body; ``seconds`` until it must be there; ``pictures`` in it."""

    most: int = 10_000_000
    seconds: float = 10.0
    pictures: int = 16


class RefusedError(AcesError):
    """A request that is not answered: the HTTP status says why, and the message in a line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_body(parts: AsyncIterator[bytes], headers: Mapping[str, str], limits: BodyLimits) -> bytes:
    """A body. Raises ``RefusedError`` with 413 where it is too large, by its header or by what comes, and with 408
    where it is too slow.
    """
    declared = headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.most:
        await _linger(parts)
        raise RefusedError(413, _too_large(limits))
    found, size = [], 0
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in parts:
                size += len(part)
                if size > limits.most:
                    break
                found.append(part)
    except TimeoutError as error:
        raise RefusedError(408, f"the body was not there after {limits.seconds:g} s: send it faster") from error
    if size > limits.most:
        await _linger(parts)
        raise RefusedError(413, _too_large(limits))
    return b"".join(found)


def pictures_in(body: bytes, content_type: str, limits: BodyLimits) -> list[tuple[str, bytes]]:
    """The pictures of a body, each with its file's name, if it has one. ``RefusedError`` for none, and too many."""
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        found = _files(body, options.get(b"boundary", b""), limits)
    elif kind.startswith(b"image/") or kind in (b"application/octet-stream", b""):
        found = [("", body)] if body else []
    else:
        said = ascii(kind.decode("latin-1"))[1:-1][:60]
        raise RefusedError(415, f"a body of {said}: send one picture as image/*, or several as multipart/form-data")
    if not found:
        raise RefusedError(400, "no picture: send one as the body, or several as files of a form")
    return found


def _too_large(limits: BodyLimits) -> str:
    return f"the body has more than {limits.most / 1e6:g} MB: send less at once, or smaller pictures"


async def _linger(parts: AsyncIterator[bytes]) -> None:
    try:
        async with asyncio.timeout(LINGER):
            async for _ in parts:
                pass
    except TimeoutError:
        pass


@dataclass
class _Part:
    name: bytes = b""
    value: bytes = b""
    disposition: bytes = b""
    data: bytes = b""


def _files(body: bytes, boundary: bytes, limits: BodyLimits) -> list[tuple[str, bytes]]:
    """The files of a form; its other fields are passed over."""
    if not boundary:
        raise RefusedError(400, "a form without a boundary")
    found: list[tuple[str, bytes]] = []
    part = _Part()
    chunks: list[bytes] = []

    def begin() -> None:
        nonlocal part
        part = _Part()
        chunks.clear()

    def field(data: bytes, start: int, end: int) -> None:
        part.name += data[start:end]
        _check_header(part)

    def value(data: bytes, start: int, end: int) -> None:
        part.value += data[start:end]
        _check_header(part)

    def header_end() -> None:
        if part.name.lower() == b"content-disposition":
            part.disposition = part.value
        part.name = part.value = b""

    def end() -> None:
        name = parse_options_header(part.disposition)[1].get(b"filename")
        if name is None:
            return
        if len(found) == limits.pictures:
            raise RefusedError(413, f"more than {limits.pictures} pictures in one request: send them in several")
        found.append((name.decode("utf-8", "replace"), b"".join(chunks)))

    callbacks: Any = {
        "on_part_begin": begin,
        "on_header_field": field,
        "on_header_value": value,
        "on_header_end": header_end,
        "on_part_data": lambda data, start, end: chunks.append(data[start:end]),
        "on_part_end": end,
    }
    try:
        parser = MultipartParser(boundary, callbacks)
        parser.write(body)
        parser.finalize()
    except RefusedError:
        raise
    except Exception as error:  # of a form that is none
        raise RefusedError(400, f"the form cannot be read ({type(error).__name__})") from error
    return found


def _check_header(part: _Part) -> None:
    if len(part.name) + len(part.value) > MOST_HEADER:
        raise RefusedError(400, "a part of the form has headers without end")
