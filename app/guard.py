"""Who is answered, and what a browser may do with an answer: names of this server, and headers that protect its pages.

Streamlit answers under any name and sends no such headers. A page of somebody else's could have its own name lead to
this machine (DNS rebinding) and so read what only this machine's user may.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streamlit import config

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSED = ("/_stcore/metrics",)  # tells of sessions and memory; a proxy that wants it asks the machine instead
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # a line in Streamlit's page; plotly's WebGL compiles
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' blob:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),  # an address holds names of runs
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
ADVICE = b"This server does not answer to that name. Its owner can allow it: aces app --allow-host NAME\n"


class Guard:
    """Refuses requests and connections under a foreign name, and closes what visitors have no use for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif not is_ours(_host(scope)):
            await _refuse(scope, send, 403, ADVICE)
        elif scope["path"].endswith(CLOSED):
            await _refuse(scope, send, 404, b"Not found\n")
        else:
            await self._app(scope, receive, _guarded(send) if scope["type"] == "http" else send)


def is_ours(host: str | None) -> bool:
    """Whether this server answers under the name of a Host header.

    Where ``server.allowedHosts`` names some, under these ("*.example.com" for all below it, "*" for any). Otherwise
    under addresses, this machine's names, and the one that it was told to listen on: none can lead here by a stranger's
    choice.
    """
    name = _name(host)
    if name is None:
        return False
    allowed = [str(one).strip().lower().rstrip(".") for one in config.get_option("server.allowedHosts")]
    if allowed:
        return any(_matches(name, one) for one in allowed) or name in ("localhost", "127.0.0.1")  # health checks
    return _is_address(name) or name in _own()


def _host(scope: Scope) -> str | None:
    """The Host header; None without one, or with several that a proxy may read otherwise than we do."""
    found = [value for name, value in scope["headers"] if name.lower() == b"host"]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _name(host: str | None) -> str | None:
    try:
        parts = urlsplit(f"//{host or ''}")
        _ = parts.port  # a number, or an error
    except ValueError:
        return None
    is_bare = not (parts.username or parts.password or parts.path or parts.query or parts.fragment)
    return parts.hostname.lower().rstrip(".") if parts.hostname and is_bare else None


def _matches(name: str, allowed: str) -> bool:
    return allowed in ("*", name) or (allowed.startswith("*.") and name.endswith(allowed[1:]))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _own() -> set[str]:
    listening = config.get_option("server.address"), config.get_option("browser.serverAddress")
    return {"localhost", socket.gethostname().lower(), *(str(one).lower() for one in listening if one)}


async def _refuse(scope: Scope, send: Send, status: int, why: bytes) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(why)).encode()), *HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else why})


def _guarded(send: Send) -> Send:
    """``send`` that adds the headers which an answer does not have yet."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            message = {**message, "headers": [*message["headers"], *(one for one in HEADERS if one[0] not in given)]}
        await send(message)

    return sending
