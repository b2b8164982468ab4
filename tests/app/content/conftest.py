from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from streamlit.testing.v1 import AppTest

from app.content import certify
from app.services.certify_queue import Task
from cache.catalog import DEMO
from tests.app.content.certified_page import FakeServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setenv("ACES_DEMO", str(DEMO))
    monkeypatch.setattr(certify, "server_for", lambda limits: fake)
    monkeypatch.setattr(certify, "visit", lambda limits: certify.Visit("me", fake))
    return fake


@pytest.fixture
def open_certify(server: FakeServer, open_app: Callable[..., AppTest]) -> Callable[..., AppTest]:
    """Opens the page Certify, behind which is a fake server."""
    return partial(open_app, "certify", training="gaussian")


@pytest.fixture
def task(server: FakeServer, open_certify: Callable[..., AppTest]) -> Task:
    """What the page asks for when its button is clicked."""
    open_certify(theta="0.5").button(key="start").click().run()
    return server.submitted[0]
