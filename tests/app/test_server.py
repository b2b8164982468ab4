"""app.server: plotly.js comes with the page, packed, and stays; everything else passes as it is."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from app import catalog, server
from app.components import files
from app.services import work
from tests import synthetic

PAGE = b"<html><head><title>x</title></head><body></body></html>"


def asked(
    path: str,
    program=server.Library,
    *,
    answer: bytes = PAGE,
    method: str = "GET",
    kind: str = "text/html; charset=utf-8",
    **headers,
):
    """Status, headers and body that the program gets through to a browser where the server below gives ``answer``."""
    sent: list[Mapping] = []

    async def below(scope, receive, send):
        start = [(b"content-type", kind.encode()), (b"content-length", str(len(answer)).encode()), (b"ETag", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        half = len(answer) // 2
        await send({"type": "http.response.body", "body": answer[:half], "more_body": True})
        await send({"type": "http.response.body", "body": answer[half:]})

    async def send(message):
        sent.append(message)

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": given}
    with ThreadPoolExecutor(1) as other:  # a browser test before this one left its loop running in this thread
        other.submit(asyncio.run, program(below)(scope, None, send)).result()
    found = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize("path", ["/", "/selection", "/behind/a/proxy/"])
def test_a_page_has_the_script_in_its_head(path):
    status, headers, body = asked(path, accept="text/html,*/*")
    assert status == 200
    assert body == PAGE.replace(b"</head>", server.SCRIPT + b"</head>")
    assert headers["content-length"] == str(len(body))
    assert "etag" not in headers  # a browser that has the old page would be told that it still stands


@pytest.mark.parametrize("how", [{"kind": "text/javascript"}, {"answer": b"no head"}, {"method": "POST"}])
def test_what_is_no_page_stays(how):
    assert asked("/x", accept="text/html", **how)[2] == how.get("answer", PAGE)


@pytest.mark.parametrize("path", ["/media/0123abcd.html", "/behind/a/proxy/media/a.html", "/component/x/index.html"])
def test_a_file_that_is_html_stays(path):
    assert asked(path, accept="text/html,*/*")[2] == PAGE  # a report asks nobody for anything


def test_what_no_reader_of_pages_asks_for_stays():
    assert asked("/", accept="application/json")[2] == PAGE


@pytest.mark.parametrize("path", [f"/{files.PATH}", f"/behind/a/proxy/{files.PATH}"])
def test_the_library_is_packed_and_stays_in_the_browser(path):
    _, headers, body = asked(path, accept_encoding="gzip, br")
    assert headers["content-encoding"] == "gzip"
    assert "immutable" in headers["cache-control"]
    assert len(body) == int(headers["content-length"]) < 600_000
    assert gzip.decompress(body) == files.LIBRARY.read_bytes()


def test_who_cannot_unpack_gets_the_library_as_it_is():
    _, headers, body = asked(f"/{files.PATH}")
    assert "content-encoding" not in headers
    assert body == files.LIBRARY.read_bytes()
    assert asked(f"/{files.PATH}", method="HEAD")[2] == b""
    assert asked(f"/{files.PATH}", method="POST", answer=b"no")[2] == b"no"


def test_the_library_is_the_version_that_figures_are_checked_by():
    checked = files.WHOLE.read_text(encoding="utf-8")
    version = checked.split("plotly.js v")[1].split()[0]
    assert version in files.LIBRARY.name
    assert f"plotly.js (cartesian - minified) v{version}" in files.LIBRARY.read_text(encoding="utf-8")[:200]


def test_what_the_first_session_needs_is_there():
    for name in server.FIRST:
        __import__(name)


def test_the_catalog_has_a_digest_that_changes_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DEMO", str(synthetic.write_demo(tmp_path / "demo", images=20)))
    before = asked("/aces/catalog", server.Changes)
    assert before[0] == 200
    assert before[1]["content-type"] == "text/plain"
    catalog.look_again()
    assert asked("/behind/a/proxy/aces/catalog", server.Changes) == before
    (tmp_path / "demo" / f"{synthetic.CORE}.npz").unlink()
    catalog.look_again()
    assert asked("/aces/catalog", server.Changes)[2] not in (before[2], b"")
    assert asked("/aces/catalog", server.Changes, method="POST", answer=b"passed on")[2] == b"passed on"


def test_a_page_and_the_server_agree_on_the_digest(tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DEMO", str(synthetic.write_demo(tmp_path / "demo", images=20)))
    (tmp_path / "demo" / "damaged.npz").write_bytes(b"damaged")
    catalog.look_again()
    assert catalog.digest() == catalog.digest_now()


UPLOAD = "/behind/a/proxy/_stcore/upload_file/mine/file"


@pytest.fixture
def kept(monkeypatch) -> MemoryUploadedFileManager:
    """Where Streamlit keeps files; of each session 5 MB go, and 15 MB in all."""
    manager = MemoryUploadedFileManager("/x")
    monkeypatch.setattr(runtime, "exists", lambda: True)
    monkeypatch.setattr(runtime, "get_instance", lambda: SimpleNamespace(uploaded_file_mgr=manager))
    monkeypatch.setattr(work, "PICTURES", 5)
    monkeypatch.setenv("ACES_MAX_UPLOAD_MB", "1")
    return manager


def keep(manager: MemoryUploadedFileManager, session: str, megabytes: int) -> None:
    data = bytes(megabytes << 20)
    manager.add_file(session, UploadedFileRec(file_id=session, name="x", type="", data=data))


def put(size: str = str(1 << 20), path: str = UPLOAD, method: str = "PUT") -> tuple[int, str]:
    sent: list[Mapping] = []

    async def below(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [(b"content-length", size.encode())]}
    with ThreadPoolExecutor(1) as other:
        other.submit(asyncio.run, server.Uploads(below)(scope, None, send)).result()
    return sent[0]["status"], sent[1]["body"].decode()


def test_files_are_taken_as_long_as_a_session_has_room(kept):
    keep(kept, "mine", 4)
    assert put()[0] == 204
    assert put(str((1 << 20) + 1)) == (429, "your files take more than 5 MB: remove some of them first\n")
    kept.remove_session_files("mine")
    assert put(str((1 << 20) + 1))[0] == 204


@pytest.mark.parametrize("size", ["", "-1", "9" * 30, "x", "\u00b2"])
def test_a_file_that_does_not_say_its_size_counts_as_the_largest(kept, size):
    assert put(size)[0] == 429  # as what streamlit takes at most is more than this server's five


def test_all_sessions_together_have_an_end(kept):
    for session in ("a", "b", "c"):
        keep(kept, session, 5)
    assert put() == (429, "this server holds as many files as it can; try again in some minutes\n")
    assert put(method="DELETE")[0] == 204
    assert put(path="/selection")[0] == 204


def test_files_on_their_way_take_room_and_give_it_back(kept):
    statuses: list[int] = []

    async def send(message):
        if "status" in message:
            statuses.append(message["status"])

    async def sending() -> None:
        go = asyncio.Event()

        async def below(scope, receive, send):
            await go.wait()
            await send({"type": "http.response.start", "status": 204, "headers": []})

        uploads = server.Uploads(below)
        size = [(b"content-length", str(3 << 20).encode())]
        scope = {"type": "http", "method": "PUT", "path": UPLOAD, "headers": size}
        first = asyncio.create_task(uploads(scope, None, send))
        await asyncio.sleep(0)
        await uploads(scope, None, send)
        go.set()
        await first
        await uploads(scope, None, send)

    with ThreadPoolExecutor(1) as other:
        other.submit(asyncio.run, sending()).result()
    assert statuses == [429, 204, 204]
