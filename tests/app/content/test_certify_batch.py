"""A batch as the page shows it: how far it is, ways to end it, a table that opens each picture's result."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from app.services.certify_queue import JobState
from engine.statistics.bounds import round_down
from tests.app.content.certified_page import FakeServer, evidence, finished, html, sampled, text
from tests.bad_pictures import GOOD

FILES = {name: GOOD[name][0] for name in ("plain.png", "turned.jpg", "palette.png")}
IDS = ("job-0", "job-1", "job-2")


@pytest.fixture
def batch(server: FakeServer, open_certify) -> AppTest:
    """The page right after three pictures were asked for."""
    page = open_certify(source="Upload", theta="0.5")
    page.file_uploader(key="upload").set_value([(name, data, "") for name, data in FILES.items()]).run()
    return page.button(key="start").click().run()


def set_job(server: FakeServer, k: int, **changes: object) -> None:
    server.batch[IDS[k]] = replace(server.batch[IDS[k]], **changes)


def finish(server: FakeServer, k: int, **draws: object) -> None:
    """As the server would have it: with all draws."""
    view = server.batch[IDS[k]]
    server.batch[IDS[k]] = replace(finished(view.task, evidence(10_000, **draws)), id=view.id, batch=view.batch)


def rows(page: AppTest) -> list[dict[str, object]]:
    """The batch's table: the first one that has an answer, and no threshold as the history has."""
    table = next(one.value for one in page.dataframe if "name" in one.value and "threshold" not in one.value)
    return table.to_dict("records")


def test_several_pictures_are_asked_for_by_one_click_and_the_first_is_opened(server, batch):
    assert [asked.name for asked in server.submitted] == list(FILES)
    assert batch.query_params["job"] == "job-0"
    assert batch.button(key="start").disabled
    assert [(row["name"], row["outcome"]) for row in rows(batch)] == [(name, "queued") for name in FILES]


def test_while_it_runs_it_says_how_far_it_is_and_of_which_picture(server, batch):
    finish(server, 0)
    task = server.batch["job-1"].task
    set_job(server, 1, state=JobState.RUNNING, found=sampled(task, evidence(4_000)), seconds=2.0)
    batch.run()
    said = batch.get("progress")[-1].proto.text
    assert said == "**1 of 3 done** · turned.jpg · 4,000 of 10,000 draws · 8.0 s left"
    assert batch.get("progress")[-1].proto.value == int(100 * (1 + 0.4) / 3)
    assert [row["draws"] for row in rows(batch)] == [10_000, 4_000, 0]
    assert "any of the 3 fails" in text(batch)
    assert "3 α = 0.003" in text(batch)


def test_one_picture_or_all_are_cancelled(server, batch):
    finish(server, 0)
    batch.run()
    batch.button(key="cancel_one").click().run()
    assert server.cancelled == ["job-1"]
    batch.button(key="cancel_all").click().run()
    assert server.cancelled[1:] == ["job-1", "job-2"]


def test_when_it_has_ended_every_picture_has_its_answer_and_its_place_in_the_history(server, batch):
    finish(server, 0)
    finish(server, 1, entropy=0.9)
    set_job(server, 2, state=JobState.FAILED, message="the worker died")
    batch.run()
    assert "cancel_all" not in [button.key for button in batch.button]
    made = server.batch["job-0"].certificate
    first, second, third = rows(batch)
    assert (first["class"], first["outcome"]) == (made.answer, "certified")
    assert first["radius"] == f"{round_down(made.radius, 3):f}"
    assert (second["outcome"], third["outcome"], third["said"]) == ("core", "failed", "the worker died")
    assert "1 certified, 1 core, 1 failed." in text(batch)
    assert [row["name"] for row in batch.dataframe[-1].value.to_dict("records")] == list(reversed(FILES))
    assert not batch.button(key="start").disabled


def test_a_running_batch_stays_on_the_page_when_an_older_result_is_opened(server, batch):
    server.job = finished(server.submitted[0])
    batch.query_params["job"] = "the-job"
    batch.run()
    assert len(rows(batch)) == 3
    assert batch.button(key="cancel_all")
    assert batch.button(key="start").disabled


def test_another_session_sees_the_batch_of_the_job_that_its_address_names(server, batch, open_certify):
    for k in range(3):
        finish(server, k)
    page = open_certify(job="job-2", theta="0.5")
    assert [row["name"] for row in rows(page)] == list(FILES)
    assert "of palette.png at θ 0.500" in html(page)


def test_the_result_of_a_picture_of_the_batch_is_no_previous_one(server, batch):
    for k in range(3):
        finish(server, k)
    batch.query_params["job"] = "job-2"
    batch.run()
    assert "Result, of palette.png" in html(batch)
    assert "Previous" not in html(batch)


def test_the_picture_that_is_looked_at_is_the_one_whose_result_is_open(server, batch):
    for k in range(3):
        finish(server, k)
    batch.button_group(key="looked_at").set_value(server.batch["job-1"].task.image.file_sha256).run()
    assert batch.query_params["job"] == "job-1"
    assert "Result, of turned.jpg" in html(batch)


def test_a_refused_batch_is_said_in_place(server, open_certify):
    server.refuses = "one job at a time"
    page = open_certify(source="Upload")
    page.file_uploader(key="upload").set_value([(name, data, "") for name, data in FILES.items()]).run()
    page.button(key="start").click().run()
    assert "one job at a time" in text(page)
    assert not page.query_params.get("job")
