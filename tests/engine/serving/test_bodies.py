"""Bodies: pictures out of them, no more and no longer than may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.serving.bodies import BodyLimits, RefusedError, pictures_in, read_body

LIMITS = BodyLimits(most=1_000, seconds=0.2, pictures=2)
FORM = "multipart/form-data; boundary=xx"


def form(*parts: tuple[str, bytes]) -> bytes:
    return b"".join(b"--xx\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n" for head, data in parts) + b"--xx--\r\n"


def picture(name: str, data: bytes) -> tuple[str, bytes]:
    return f'Content-Disposition: form-data; name="images"; filename="{name}"\r\nContent-Type: image/png', data


async def sent(*parts: bytes, pause: float = 0.0, endless: bool = False) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(pause)
        yield part
    while endless:
        await asyncio.sleep(0.01)
        yield b"x" * 100


def read(parts: AsyncIterator[bytes], **headers: str) -> bytes:
    return asyncio.run(read_body(parts, {name.replace("_", "-"): value for name, value in headers.items()}, LIMITS))


def test_a_body_is_its_parts():
    assert read(sent(b"a", b"b"), content_length="2") == b"ab"
    assert read(sent()) == b""
    assert read(sent(b"x" * 1_000)) == b"x" * 1_000


@pytest.mark.parametrize(
    ("parts", "headers", "status"),
    [
        (lambda: sent(b"x" * 1_001), {}, 413),
        (lambda: sent(b"x"), {"content_length": "1001"}, 413),
        (lambda: sent(endless=True), {}, 413),
        (lambda: sent(endless=True), {"content_length": "1" * 30}, 413),
        (lambda: sent(b"x", b"y", pause=0.15), {"content_length": "2"}, 408),
        (lambda: sent(b"x", pause=5.0), {}, 408),
    ],
)
def test_what_is_too_large_or_too_slow_is_refused(parts, headers, status):
    with pytest.raises(RefusedError) as caught:
        read(parts(), **headers)
    assert caught.value.status == status
    assert "\n" not in str(caught.value)


def test_a_picture_is_the_body_or_a_file_of_a_form():
    for kind in ("image/png", "image/jpeg; q=1", "application/octet-stream", ""):
        assert pictures_in(b"abc", kind, LIMITS) == [("", b"abc")]
    body = form(
        picture("a.png", b"1\r\n--x2"), ('Content-Disposition: form-data; name="more"', b"text"), picture("b", b"")
    )
    assert pictures_in(body, FORM, LIMITS) == [("a.png", b"1\r\n--x2"), ("b", b"")]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "image/png", 400),
        (b"abc", "text/html", 415),
        (b"abc", "application/json", 415),
        (b"abc", "\x00\xff", 415),
        (b"abc", "multipart/form-data", 400),
        (b"abc", FORM, 400),
        (b"", FORM, 400),
        (form(), FORM, 400),
        (form(('Content-Disposition: form-data; name="images"', b"no file")), FORM, 400),
        (form(*[picture(str(k), b"1") for k in range(3)]), FORM, 413),
        (form((f"Content-Disposition: {'x' * 9_000}", b"1")), FORM, 400),
        (b"--xx\r\n" + b"y" * 900, FORM, 400),
    ],
)
def test_what_holds_no_pictures_is_refused(body, kind, status):
    with pytest.raises(RefusedError) as caught:
        pictures_in(body, kind, LIMITS)
    assert caught.value.status == status
