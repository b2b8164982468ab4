"""What the server does beside running the page: it gets ready for the first browser, hands out plotly.js, tells whether
the runs have changed, and takes no more files than it has room for.
"""

from __future__ import annotations

import gc
import gzip
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from anyio import to_thread
from streamlit import config, runtime

from app.components import files, fresh
from app.services.limits import Limits
from app.services.work import Kind, Room, rooms
from engine.errors import AcesError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from streamlit import App
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

FIRST = ("app.dashboard", "app.content.tradeoff")  # what the first session would otherwise wait for
FOREVER = b"public, max-age=31536000, immutable"
HEAD = b"</head>"
UPLOADS = "/_stcore/upload_file/"
MEGABYTE, LONGEST = 1 << 20, 16  # bytes, and digits of a number of them
SCRIPT = f'<script async src="./{files.PATH}"></script>'.encode()


@asynccontextmanager
async def ready(app: App) -> AsyncGenerator[None]:
    """Import what draws the first page before anybody asks for it."""
    threading.Thread(target=_take_in, daemon=True).start()
    yield


def _take_in() -> None:
    _packed()
    for name in FIRST:
        import_module(name)
    gc.freeze()  # modules stay: what looks for garbage passes over them


class Changes:
    """Answers for the digest of the catalog, of which open pages ask (fresh.js)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].endswith(f"/{fresh.PATH}"):
            await self._app(scope, receive, send)
            return
        try:
            status, body = 200, (await to_thread.run_sync(_digest)).encode()
        except AcesError:  # the page says what is wrong with the store
            status, body = 503, b""
        headers = [(b"content-type", b"text/plain"), (b"cache-control", b"no-store"), _length(body)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _digest() -> str:
    from app import catalog  # not before the first page needs it

    return catalog.digest_now()


class Uploads:
    """Takes files that readers send as long as their session, and all together, hold no more than there is room for.

    What is on its way counts by the size that it says, or by the largest that is taken.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._coming: list[tuple[str, int]] = []  # sessions and bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = _sender(scope)
        if session is None:
            await self._app(scope, receive, send)
            return
        one = session, _size(scope)
        try:
            self._make_room(rooms(Limits.from_environment())[Kind.UPLOAD], *one)
        except AcesError as error:
            await _say(send, 429, f"{error}\n".encode())
            return
        self._coming.append(one)
        try:
            await self._app(scope, receive, send)
        finally:
            self._coming.remove(one)

    def _make_room(self, room: Room, session: str, size: int) -> None:
        """Raises ``AcesError`` where the file would be more than there is room for."""
        held = [*_held(), *self._coming]
        mine = sum(size for of, size in held if of == session)
        room.refuse(_megabytes(mine + size) - 1, _megabytes(sum(size for _, size in held) + size) - 1)


def _sender(scope: Scope) -> str | None:
    """The session that sends a file; None of any other request."""
    _, is_upload, rest = scope.get("path", "").rpartition(UPLOADS)
    return rest.partition("/")[0] if is_upload and scope["type"] == "http" and scope["method"] == "PUT" else None


def _size(scope: Scope) -> int:
    said = dict(scope["headers"]).get(b"content-length", b"")
    most = (int(config.get_option("server.maxUploadSize")) + 1) * MEGABYTE
    return min(int(said), most) if said.isdigit() and len(said) < LONGEST else most


def _held() -> list[tuple[str, int]]:
    """What Streamlit keeps of each session's files, in bytes."""
    if not runtime.exists():
        return []
    kept = cast("MemoryUploadedFileManager", runtime.get_instance().uploaded_file_mgr).file_storage
    return [(session, len(file.data)) for session, sent in [*kept.items()] for file in [*sent.values()]]


def _megabytes(size: int) -> int:
    return -(-size // MEGABYTE)


class Library:
    """Has a browser load plotly.js with the page itself, packed once for all, and keep it.

    Streamlit would have it asked for by the first figure, pack it anew for everybody, and let no browser keep it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if asked and scope["path"].endswith(f"/{files.PATH}"):
            await _answer(scope, send)
        elif asked and _may_be_page(scope):
            await self._app(scope, receive, _Page(send))
        else:
            await self._app(scope, receive, send)


class _Page:
    """Passes an answer on; where it is a page, with the script in its head."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
        elif not self._start:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._finish()

    async def _finish(self) -> None:
        body = self._body.replace(HEAD, SCRIPT + HEAD, 1)
        # Not the same page as before: what identified that would have browsers keep it without the script.
        dropped = (b"content-length", b"etag", b"last-modified")
        headers = [(name, value) for name, value in self._start["headers"] if name.lower() not in dropped]
        await self._send({**self._start, "headers": [*headers, _length(body)]})
        await self._send({"type": "http.response.body", "body": body})


async def _say(send: Send, status: int, said: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), _length(said)]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": said})


def _may_be_page(scope: Scope) -> bool:
    """Whether a reader opens an address. What has an ending is a file: a report that is downloaded stays as it is."""
    is_file = "." in scope["path"].rpartition("/")[2]
    return not is_file and b"text/html" in dict(scope["headers"]).get(b"accept", b"")


def _is_page(start: Message) -> bool:
    headers = {name.lower(): value for name, value in start["headers"]}
    is_plain = b"content-encoding" not in headers
    return start["status"] == 200 and is_plain and headers.get(b"content-type", b"").startswith(b"text/html")


async def _answer(scope: Scope, send: Send) -> None:
    packs = b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b"")
    body = _packed() if packs else files.LIBRARY.read_bytes()
    headers = [
        (b"content-type", b"text/javascript; charset=utf-8"),
        _length(body),
        (b"cache-control", FOREVER),
        (b"vary", b"accept-encoding"),
        *([(b"content-encoding", b"gzip")] if packs else []),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()


@lru_cache(maxsize=1)
def _packed() -> bytes:
    return gzip.compress(files.LIBRARY.read_bytes(), mtime=0)
