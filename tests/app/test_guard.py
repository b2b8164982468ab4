from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from streamlit import config

from app.guard import HEADERS, Guard, is_ours


@pytest.fixture
def allow(monkeypatch):
    def allowing(*names: str, listening: str = "127.0.0.1") -> None:
        given = {"server.allowedHosts": list(names), "server.address": listening, "browser.serverAddress": None}
        monkeypatch.setattr(config, "get_option", given.__getitem__)

    return allowing


OURS = [
    "localhost",
    "localhost:8501",
    "127.0.0.1:8501",
    "[::1]:8501",
    "192.168.0.7",
    "LOCALHOST.",
    socket.gethostname(),
]
FOREIGN = ["evil.example", "localhost.evil.example", "127.0.0.1.nip.example:8501", "evil.example:80", "", None]
BROKEN = ["a@localhost", "localhost/x", "localhost:port", "localhost:99999", "[::1", "localhost?x", "local host", "::1"]


@pytest.mark.parametrize("host", OURS)
def test_it_answers_to_addresses_and_names_of_this_machine(allow, host):
    allow()
    assert is_ours(host)


@pytest.mark.parametrize("host", FOREIGN + BROKEN)
def test_it_answers_to_no_foreign_or_broken_name(allow, host):
    allow()
    assert not is_ours(host)


def test_names_that_are_allowed_are_the_only_ones_beside_the_machine_s_own_health_checks(allow):
    allow("Aces.example.com", "*.lab.example")
    assert is_ours("aces.EXAMPLE.com:443")
    assert is_ours("a.lab.example")
    assert is_ours("127.0.0.1:8501")
    assert not is_ours("lab.example")
    assert not is_ours("xlab.example")
    assert not is_ours("192.168.0.7")
    allow("*")
    assert is_ours("evil.example")


def test_it_answers_to_the_name_that_it_listens_on(allow):
    allow(listening="aces.internal")
    assert is_ours("aces.internal:8501")


def through(kind: str, path: str, host: str | None = "localhost", given=()) -> tuple[list[dict], bool]:
    """What is sent, and whether the server below was asked."""
    sent: list[dict] = []
    asked = False

    async def below(scope, receive, send):
        nonlocal asked
        asked = True
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": list(given)})
            await send({"type": "http.response.body", "body": b"page"})

    async def send(message):
        sent.append(message)

    headers = [] if host is None else [(b"host", host.encode())]
    scope = {"type": kind, "method": "GET", "path": path, "headers": headers}
    with ThreadPoolExecutor(1) as other:
        other.submit(asyncio.run, Guard(below)(scope, None, send)).result()
    return sent, asked


def test_every_answer_has_the_headers_and_keeps_its_own(allow):
    allow()
    own = (b"Referrer-Policy", b"no-referrer")
    (start, body), asked = through("http", "/selection", given=[own])
    assert asked
    assert body["body"] == b"page"
    names = [name.lower() for name, _ in start["headers"]]
    assert sorted(names) == sorted(name for name, _ in HEADERS)
    assert own in start["headers"]
    assert b"frame-ancestors 'self'" in dict(start["headers"])[b"content-security-policy"]


@pytest.mark.parametrize("host", [None, "evil.example"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_foreign_name_reaches_nothing(allow, kind, host):
    allow()
    sent, asked = through(kind, "/_stcore/stream", host)
    assert not asked
    assert sent[0].get("status") == 403 or sent == [{"type": "websocket.close", "code": 1008}]


def test_two_host_headers_are_refused(allow):
    allow()
    asked = []

    async def below(scope, receive, send):
        asked.append(scope)

    async def send(message):
        pass

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [(b"host", b"localhost"), (b"Host", b"localhost")],
    }
    with ThreadPoolExecutor(1) as other:
        other.submit(asyncio.run, Guard(below)(scope, None, send)).result()
    assert not asked


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/behind/a/proxy/_stcore/metrics"])
def test_nobody_reads_how_many_are_here(allow, path):
    allow()
    sent, asked = through("http", path)
    assert sent[0]["status"] == 404
    assert not asked


def test_what_is_neither_request_nor_connection_passes(allow):
    allow()
    assert through("lifespan", "")[1]
