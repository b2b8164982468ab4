"""The Certify page in every state of a job, driven without a browser and without sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import certify
from app.jobs import State, Task, Try, View
from cache.shelf import DEMO
from engine.draws import Draws
from engine.errands import Attack, Judged
from engine.errors import AcesError
from engine.evidence import Evidence
from engine.plan import Mode
from tests.bad_pictures import BAD, GOOD

ID = "the-job"


@dataclass
class FakeServer:
    """Answers pages at once, and remembers what it was asked."""

    job: View | None = None
    known_rate: float | str | None = 2_000.0
    refuses: str = ""
    submitted: list[Task] = field(default_factory=list)
    ended: list[State] = field(default_factory=list)
    attacks: list[tuple[int, float]] = field(default_factory=list)

    def rate(self, pair: object, sigma: float) -> float | str | None:
        return self.known_rate

    def view(self, session: str, id: str) -> View | None:
        return self.job if id == ID else None

    def submit(self, session: str, task: Task) -> str:
        if self.refuses:
            raise AcesError(self.refuses)
        self.submitted.append(task)
        self.job = View(ID, task, 1, State.QUEUED, ahead=2)
        return ID

    def end(self, id: str, ending: State) -> None:
        self.ended.append(ending)

    def try_to_break(self, id: str, target: int, budget: float) -> None:
        self.attacks.append((target, budget))

    def leave(self, session: str) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setenv("ACES_DEMO", str(DEMO))
    monkeypatch.setattr(certify, "_server", lambda limits: fake)
    monkeypatch.setattr(certify, "_visit", lambda limits: certify._Visit("me", fake))
    return fake


@pytest.fixture
def open_page(server: FakeServer, open_app: Callable[..., AppTest]) -> Callable[..., AppTest]:
    return partial(open_app, "certify", training="gaussian")


@pytest.fixture
def task(server: FakeServer, open_page: Callable[..., AppTest]) -> Task:
    """What the page asks for when its button is clicked."""
    open_page(theta="0.5").button(key="start").click().run()
    return server.submitted[0]


def evidence(k: int, class_: int = 7, entropy: float = 0.2) -> Evidence:
    def draws(count: int) -> Draws:
        return Draws(np.full(count, class_, np.uint16), np.full(count, entropy, np.float32))

    return Evidence(10, class_, draws(100), draws(k))


def values(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def text(page: AppTest) -> str:
    kinds = (page.markdown, page.caption, page.info, page.success, page.warning, page.error)
    return "\n".join(element.value for kind in kinds for element in kind)


def test_before_the_start_it_says_what_can_be_had(open_page):
    page = open_page(sigma="0.5")
    assert values(page) == {"Least n": "13", "Ceiling": "1.568", "Time": "≈ 5.0 s"}
    assert not page.button(key="start").disabled
    assert not page.error


def test_the_button_asks_for_what_the_page_shows(server, open_page):
    page = open_page(theta="0.42", sigma="0.5", alpha="0.01", correction="bonferroni", mode="Fixed n", n="5,000")
    page.button(key="start").click().run()
    (asked,) = server.submitted
    assert (asked.plan.sigma, asked.plan.theta, asked.plan.alpha, asked.plan.n) == (0.5, 0.42, 0.01, 5_000)
    assert (asked.plan.mode, asked.plan.correction) == (Mode.FIXED, "bonferroni")
    assert asked.networks.certify.name == "fashion_mnist-gaussian-0.5"
    assert asked.pair.precision == "bfloat16"
    assert page.query_params["job"] == ID
    assert page.button(key="start").disabled


def test_a_waiting_job_says_how_many_are_before_it(server, task, open_page):
    assert "Waiting: 2 before this one" in open_page(job=ID).get("progress")[0].proto.text


def test_a_refusal_is_said_in_place(server, open_page):
    server.refuses = "one job at a time"
    page = open_page()
    page.button(key="start").click().run()
    assert "one job at a time" in text(page)


def test_while_it_may_be_stopped_the_answer_so_far_is_a_promise(server, task, open_page):
    server.job = View(ID, task, 1, State.RUNNING, evidence(5_000), seconds=1.0)
    page = open_page(job=ID)
    assert "**If you stop now:** Certified sneaker" in text(page)
    assert "last one was at 4,000 draws" in text(page)
    page.button(key="stop").click().run()
    page.button(key="cancel").click().run()
    assert server.ended == [State.STOPPED, State.CANCELLED]


def test_with_a_fixed_n_it_is_provisional_and_cannot_be_stopped(server, task, open_page):
    fixed = replace(task, plan=replace(task.plan, mode=Mode.FIXED))
    server.job = View(ID, fixed, 1, State.RUNNING, evidence(5_000), seconds=1.0)
    page = open_page(job=ID)
    assert "Provisional until the last draw" in text(page)
    assert "If you stop now" not in text(page)
    assert [button.key for button in page.button if button.key in ("stop", "cancel")] == ["cancel"]


def finished(task: Task, **fields: object) -> View:
    view = View(ID, task, 1, State.DONE, evidence(10_000), ended=datetime(2026, 1, 1, tzinfo=UTC))
    return replace(view, **fields)


def test_the_result_has_the_answer_both_units_and_every_network(server, task, open_page):
    server.job = finished(task)
    page = open_page(job=ID)
    assert "Certified **sneaker**: no change of the image with ℓ2 norm below 0.78" in text(page)
    assert values(page) | {"Radius": "0.7844", "Per pixel": "7.14", "Certification": "sneaker", "... alone": "0.7844",
                           "Core alone": "sneaker", "Selection": "certify"} == values(page)  # fmt: skip
    assert len(page.get("bidi_component")) == 3
    assert len(page.get("download_button")) == 3


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": State.FAILED, "evidence": None, "message": "the process ended"}, "the process ended"),
        ({"state": State.CANCELLED, "evidence": None}, "Cancelled: no certificate"),
        ({"state": State.STOPPED, "message": "The time limit was reached."}, "The time limit was reached."),
        ({"evidence": evidence(10_000, entropy=0.9)}, "by the core network, without a radius"),
        ({"evidence": evidence(10_000, entropy=0.501)}, "core network"),
    ],
)
def test_however_it_ends_there_is_a_sentence(server, task, open_page, fields, said):
    server.job = finished(task, **fields)
    page = open_page(job=ID)
    assert said in text(page)


def test_an_attack_is_started_and_shown(server, task, open_page):
    server.job = finished(task)
    page = open_page(job=ID)
    page.button(key="attack").click().run()
    ((target, budget),) = server.attacks
    assert (target, budget) == (7, pytest.approx(1.55, abs=0.06))
    before, after = Judged(1000, 999, 998, 7, 7), Judged(1000, 990, 12, 5, 5)
    changed = (task.tensor / 255 * 0.9).astype(np.float32)
    server.job = finished(task, attempt=Try(1.5, Attack(changed, 1.5, "class", before, after)))
    assert "**The answer falls**, outside the certified radius" in text(open_page(job=ID))
    server.job = finished(task, attempt=Try(1.5, message="it could not be done"))
    assert "it could not be done" in text(open_page(job=ID))


def test_what_is_no_image_gets_a_sentence_and_no_button(open_page):
    page = open_page(source="Upload")
    for name, (data, message) in BAD.items():
        if message:
            page.file_uploader(key="upload").upload(name, data, "image/png").run()
            assert not page.exception
            assert message in text(page)
            assert page.button(key="start").disabled


def test_images_that_can_be_read_say_what_was_left_out(open_page):
    page = open_page(source="Upload")
    page.file_uploader(key="upload").upload("a.jpg", GOOD["cmyk.jpg"][0], "image/jpeg").run()
    assert "Converted from CMYK" in text(page)
    assert not page.button(key="start").disabled


def test_networks_without_weights_are_said(open_page, monkeypatch, tmp_path, server):
    for run in DEMO.glob("*.npz"):
        (tmp_path / run.name).write_bytes(run.read_bytes())
    monkeypatch.setenv("ACES_DEMO", str(tmp_path))
    assert "the weights of 'fashion_mnist-gaussian-0.25' are missing" in text(open_page())


def test_networks_that_cannot_be_loaded_are_said(server, open_page):
    server.known_rate = "no readable checkpoint"
    assert "no readable checkpoint" in text(open_page())


def test_a_job_that_is_gone_is_said_once_and_leaves_the_address(open_page):
    page = open_page(job="nobody")
    assert "The job of this address is gone" in text(page)
    assert "job" not in page.query_params


def test_limits_that_make_no_sense_are_said(open_page, monkeypatch):
    monkeypatch.setenv("ACES_MAX_N", "lots")
    assert "ACES_MAX_N is 'lots'" in text(open_page())
