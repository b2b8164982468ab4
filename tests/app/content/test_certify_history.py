"""What a session has certified stays there: the table, the archive, and no more than what is bounded."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import streamlit as st

from app.content import certify_history
from app.content.certify_history import MOST, archive, remember
from app.services.certify_queue import JobState, View
from engine.single_image.certificate import to_json
from tests.app.content.certified_page import ID, finished


def test_a_result_is_there_again_after_the_page_was_left(server, open_certify):
    page = open_certify(theta="0.5")
    assert "get_all" not in [button.key for button in page.get("download_button")]
    page.button(key="start").click().run()
    server.job = finished(server.submitted[0])
    del page.query_params["job"]  # another page has another address
    page.run()
    (row,) = page.dataframe[-1].value.to_dict("records")
    made = server.job.certificate
    assert (row["class"], row["outcome"], row["draws"]) == (made.answer, str(made.outcome), server.job.drawn)
    assert row["picture"].startswith("data:image/png")
    assert "Certified in this session" in [header.value for header in page.header]


def test_what_failed_is_listed_by_its_state_and_says_why(server, open_certify):
    page = open_certify(theta="0.5")
    page.button(key="start").click().run()
    server.job = View(ID, server.submitted[0], JobState.FAILED, message="the worker <b>died</b>")
    page.run()
    (row,) = page.dataframe[-1].value.to_dict("records")
    assert (row["outcome"], row["said"], row["class"]) == ("failed", "the worker <b>died</b>", None)


def test_the_archive_holds_every_certificate_under_a_name_of_its_own(task):
    views = [finished(replace(task, name="../../etc/cat.png")) for _ in range(2)] + [View(ID, task, JobState.FAILED)]
    with zipfile.ZipFile(io.BytesIO(archive(views))) as packed:
        names = packed.namelist()
        assert len(names) == len(set(names)) == 6
        assert names[0] == "01-cat-certificate.json"
        assert packed.read(names[0]).decode() == to_json(views[0].certificate)


def test_the_oldest_results_go(server, monkeypatch):
    released: list[str] = []
    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(server, "release", lambda session, id: released.append(id), raising=False)
    for k in range(MOST + 2):
        remember(server, "me", f"job {k}")
    assert released == ["job 0", "job 1"]
    assert st.session_state[certify_history.JOBS] == [f"job {k}" for k in range(2, MOST + 2)]
