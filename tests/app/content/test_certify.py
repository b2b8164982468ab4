"""The Certify page in every state of a job, driven without a browser and without sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.content import certify
from app.services.certify_queue import JobState, Task, Try, View
from cache.catalog import DEMO, Catalog
from engine.datasets import card
from engine.errors import AcesError
from engine.records.draws import Draws
from engine.single_image import promise
from engine.single_image.case import Case
from engine.single_image.certify import Certification
from engine.single_image.evidence import Evidence, Pool
from engine.single_image.messages import Attack, Judged
from engine.single_image.plan import Mode
from engine.single_image.subject import Networks
from engine.single_image.system import Selector
from engine.weights import weights_of
from tests.app_pages import turn
from tests.bad_pictures import BAD, GOOD

ID = "the-job"


@dataclass
class FakeServer:
    """Answers pages at once, and remembers what it was asked."""

    job: View | None = None
    known_rate: float | str | None = 2_000.0
    refuses: str = ""
    submitted: list[Task] = field(default_factory=list)
    ended: list[JobState] = field(default_factory=list)
    attacks: list[tuple[int, float]] = field(default_factory=list)

    def rate(self, pair: object, sigma: float) -> float | str | None:
        return self.known_rate

    def view(self, session: str, id: str) -> View | None:
        return self.job if id == ID else None

    def submit(self, session: str, task: Task) -> str:
        if self.refuses:
            raise AcesError(self.refuses)
        self.submitted.append(task)
        self.job = View(ID, task, JobState.QUEUED, ahead=2)
        return ID

    def end(self, id: str, ending: JobState) -> None:
        self.ended.append(ending)

    def try_to_break(self, id: str, target: int, budget: float) -> None:
        self.attacks.append((target, budget))

    def leave(self, session: str) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    monkeypatch.setenv("ACES_DEMO", str(DEMO))
    monkeypatch.setattr(certify, "server_for", lambda limits: fake)
    monkeypatch.setattr(certify, "visit", lambda limits: certify.Visit("me", fake))
    return fake


@pytest.fixture
def open_page(server: FakeServer, open_app: Callable[..., AppTest]) -> Callable[..., AppTest]:
    return partial(open_app, "certify", training="gaussian")


@pytest.fixture
def task(server: FakeServer, open_page: Callable[..., AppTest]) -> Task:
    """What the page asks for when its button is clicked."""
    open_page(theta="0.5").button(key="start").click().run()
    return server.submitted[0]


def evidence(k: int, class_: int = 7, entropy: float = 0.2, *, select: bool = False) -> Evidence:
    def draws(count: int) -> Draws:
        return Draws(np.full(count, class_, np.uint16), np.full(count, entropy, np.float32))

    found = Evidence(10, class_, draws(100), draws(k))
    if not select:
        return found
    found = replace(found, select=Pool.none())
    return found.with_draws("guess", draws(100), "select").with_draws("estimate", draws(k), "select")


def sampled(task: Task, evidence: Evidence, **networks: object) -> Certification:
    """What the worker would say of a task: who answers, and these draws."""
    asked = task.asked
    answers = Networks(
        asked.dataset, card(asked.dataset).classes, asked.certify, asked.core, asked.precision, "cpu", asked.select,
        asked.mechanism,
    )  # fmt: skip
    return Certification(Case(task.tensor, task.image, task.plan, 1), replace(answers, **networks), evidence)


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
    assert asked.asked.certify.name == "fashion_mnist-gaussian-0.5"
    assert asked.pair.precision == "bfloat16"
    assert page.query_params["job"] == ID
    assert page.button(key="start").disabled


def test_to_keep_the_best_of_several_answers_is_said_to_be_a_choice(open_page):
    said = text(open_page(sigma="0.5"))
    assert "one picture under several σ, networks or θ and keep the best answer is a choice too" in said
    assert "give each of k tries α / k" in said


def test_a_selection_network_is_asked_for_and_its_noise_is_its_own(server, open_page):
    chosen = "fashion_mnist-gaussian-0.25-selection-0.5"
    page = open_page(sigma="0.25", select=chosen)
    assert f"selected by {chosen} at its own σ 0.25" in text(page)
    page.button(key="start").click().run()
    (asked,) = server.submitted
    run = Catalog(demo=DEMO).resolve(chosen)
    assert asked.plan.sigma_select == run.noise
    assert (asked.asked.select, asked.asked.mechanism) == (run.network, "network")
    assert asked.pair.select == Selector(weights_of(run), run.network.sha256, "network")


def test_a_result_of_another_selection_is_no_answer_to_the_controls(server, open_page):
    chosen = "fashion_mnist-gaussian-0.25-selection-0.5"
    open_page(sigma="0.25", select=chosen).button(key="start").click().run()
    server.job = finished(server.submitted[0], evidence(10_000, select=True))
    assert "Previous result, of" not in html(open_page(job=ID, sigma="0.25", select=chosen))
    page = open_page(job=ID, sigma="0.25")
    assert "Previous result, of" in html(page)
    assert "Now chosen: selected by entropy. This is" in html(page)


def test_with_a_selection_network_numbers_say_whose_draws_they_count(server, open_page):
    chosen = "fashion_mnist-gaussian-0.25-selection-0.5"
    page = open_page(sigma="0.5", select=chosen)
    page.button(key="start").click().run()
    (asked,) = server.submitted
    assert (asked.plan.sigma, asked.plan.sigma_select) == (0.5, 0.25)
    server.job = View(ID, asked, JobState.RUNNING, sampled(asked, evidence(5_000, select=True)), seconds=1.0)
    page = open_page(job=ID, sigma="0.5", select=chosen)
    assert "5,000 of 10,000 draws of each network" in page.get("progress")[0].proto.text
    server.job = finished(asked, evidence(10_000, select=True))
    page = open_page(job=ID, sigma="0.5", select=chosen)
    assert f"Scores: draws of the selection network {chosen} under noise of σ 0.25" in text(page)
    assert "entropy" not in " ".join(metric.help for metric in page.metric)
    assert "selected by" not in html(page)  # the selection network says it


@pytest.mark.parametrize("missing", ["fashion_mnist-gaussian-0.25-selection-0.5", "fashion_mnist-core"])
def test_without_a_networks_weights_there_is_a_sentence_and_no_way_to_start(open_page, monkeypatch, tmp_path, missing):
    for file in DEMO.iterdir():
        if file.name != f"{missing}.safetensors":
            (tmp_path / file.name).symlink_to(file)
    monkeypatch.setenv("ACES_DEMO", str(tmp_path))
    page = open_page(sigma="0.25", select="fashion_mnist-gaussian-0.25-selection-0.5")
    assert [error.value for error in page.error if f"the weights of '{missing}' are missing" in error.value]
    assert page.button(key="start").disabled
    other = open_page(sigma="0.25")
    assert other.button(key="start").disabled == (missing == "fashion_mnist-core")


def test_a_mechanism_without_words_of_its_own_is_called_by_its_name(server, task, open_page):
    server.job = finished(task, mechanism="margin")
    page = open_page(job=ID, theta="0.5")
    assert "margin score of the certification network's draws" in " ".join(metric.help for metric in page.metric)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (evidence(10_000), promise.PROMISE),
        (evidence(10_000, entropy=0.9), promise.PROMISE_CORE),
        (replace(evidence(10_000), guess=evidence(100, class_=3).guess, core=2), promise.PROMISE_NOTHING),
    ],
)
def test_an_answer_stands_beside_what_it_promises_and_what_not(server, task, open_page, found, said):
    server.job = finished(task, found)
    page = open_page(job=ID, theta="0.5")
    shown = "\n".join(caption.value for caption in page.caption).replace("\\", "")
    assert said.format(alpha=0.001) in shown
    assert ("one of the classes that the networks know: T-shirt" in shown) == (said != promise.PROMISE_NOTHING)


def test_beside_the_correction_alpha_is_no_error_rate_of_the_label(open_page):
    for correction in ("intersection-union", "bonferroni"):
        shown = text(open_page(correction=correction))
        assert "an answer is not the system's with probability at most α" in shown
        assert "wrong with" not in shown


def test_a_waiting_job_says_how_many_are_before_it(server, task, open_page):
    assert "Waiting: 2 before this one" in open_page(job=ID).get("progress")[0].proto.text


def test_a_refusal_is_said_in_place(server, open_page):
    server.refuses = "one job at a time"
    page = open_page()
    page.button(key="start").click().run()
    assert "one job at a time" in text(page)


def test_while_it_may_be_stopped_the_answer_so_far_is_a_promise(server, task, open_page):
    server.job = View(ID, task, JobState.RUNNING, sampled(task, evidence(5_000)), seconds=1.0)
    page = open_page(job=ID)
    assert "**If you stop now:** Certified sneaker" in text(page)
    assert promise.PROMISE.format(alpha=0.001) in text(page).replace("\\", "")
    assert "last one was at 4,000 draws" in text(page)
    page.button(key="stop").click().run()
    page.button(key="cancel").click().run()
    assert server.ended == [JobState.STOPPED, JobState.CANCELLED]


def test_with_a_fixed_n_it_is_provisional_and_cannot_be_stopped(server, task, open_page):
    fixed = replace(task, plan=replace(task.plan, mode=Mode.FIXED))
    server.job = View(ID, fixed, JobState.RUNNING, sampled(fixed, evidence(5_000)), seconds=1.0)
    page = open_page(job=ID)
    assert f"Provisional until the last draw. {promise.PROMISE_NOTHING}" in text(page)
    assert "If you stop now" not in text(page)
    assert [button.key for button in page.button if button.key in ("stop", "cancel")] == ["cancel"]


def finished(task: Task, drawn: Evidence | None = None, **networks: object) -> View:
    found = sampled(task, drawn or evidence(10_000), **networks)
    return View(ID, task, JobState.DONE, found, ended=datetime(2026, 1, 1, tzinfo=UTC))


def test_the_result_has_the_answer_both_units_and_every_network(server, task, open_page):
    server.job = finished(task)
    page = open_page(job=ID)
    assert "Certified **sneaker**: no change of the image with ℓ2 norm below 0.78" in text(page)
    assert values(page) | {"Radius": "0.7844", "Per pixel": "7.14", "Certification": "sneaker", "... alone": "0.7844",
                           "Core alone": "sneaker", "Selection": "certification"} == values(page)  # fmt: skip
    assert [one.proto.component_name for one in page.get("bidi_component")].count("aces_figure") == 3
    assert len(page.get("download_button")) == 3


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": JobState.FAILED, "found": None, "message": "the process ended"}, "the process ended"),
        ({"state": JobState.CANCELLED, "found": None}, "Cancelled: no certificate"),
        ({"state": JobState.STOPPED, "message": "The time limit was reached."}, "The time limit was reached."),
        ({"drawn": evidence(10_000, entropy=0.9)}, "by the core network, without a radius"),
        ({"drawn": evidence(10_000, entropy=0.501)}, "core network"),
    ],
)
def test_however_it_ends_there_is_a_sentence(server, task, open_page, fields, said):
    server.job = replace(finished(task, fields.pop("drawn", None)), **fields)
    page = open_page(job=ID)
    assert said in text(page)


def html(page: AppTest) -> str:
    return "\n".join(element.proto.body for element in page.get("html"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"theta": "0.4"}, "θ 0.400"),
        ({"sigma": "0.5"}, "σ 0.5"),
        ({"alpha": "0.01"}, "α 0.01"),
        ({"n": "5,000"}, "n 5,000"),
        ({"mode": "Fixed n"}, "promise fixed-n"),
        ({"correction": "bonferroni"}, "correction bonferroni"),
        ({"dataset": "cifar10"}, "dataset cifar10"),
        ({"core": "fashion_mnist-core"}, ""),  # the same
        ({"training": "consistency"}, "certification network fashion_mnist-consistency-0.25"),
        ({"source": "Upload"}, "no picture"),
    ],
)
def test_a_result_says_when_the_controls_ask_something_else(server, task, open_page, values, said):
    server.job = finished(task)
    page = open_page(**({"job": ID, "theta": "0.5"} | values))
    assert (f"Previous result, of {task.name} at θ 0.500" in html(page)) == bool(said)
    assert said in html(page).partition("Now chosen:")[2].partition("This is no answer to that")[0]
    assert "Certified **sneaker**" in text(page)
    assert bool(page.success) == (not said)
    assert ("Files of the previous result" in [part.label for part in page.expander]) == bool(said)


def test_the_same_values_again_make_a_result_live_again(server, task, open_page):
    server.job = finished(task)
    page = open_page(job=ID, theta="0.5")
    assert page.success
    turn(page, "theta", 0.6, at=1.0).run()
    assert not page.success
    turn(page, "theta", 0.5, at=2.0).run()
    assert page.success


def test_what_cannot_be_certified_now_leaves_a_result_of_before(server, task, open_page, monkeypatch, tmp_path):
    server.job = finished(task)
    page = open_page(job=ID, theta="0.5", source="Upload")
    page.file_uploader(key="upload").upload("a.png", b"no picture", "image/png").run()
    assert "Previous result, of" in html(page)


@pytest.mark.parametrize("name", ["![x](http://localhost/y)", "<img src=x>", "a" * 300 + ".png", "\u202egnp.txt"])
def test_a_hostile_name_is_shown_as_letters(server, task, open_page, name):
    server.job = finished(replace(task, name=name))
    page = open_page(job=ID, theta="0.4")
    assert name not in text(page)
    assert "<img" not in html(page)
    assert not [letter for letter in html(page) if not (letter.isprintable() or letter == "\n")]
    assert "a" * 61 not in html(page)
    assert "Previous result, of" in html(page)


@pytest.mark.parametrize("place", ["Certification.certificate", "explain.explain", "to_html"])
@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError()])
def test_a_result_that_cannot_be_shown_is_said_in_its_place(server, task, open_page, monkeypatch, place, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    server.job = finished(task)
    monkeypatch.setattr(f"app.content.certify_result.{place}", fail)
    page = open_page(job=ID, theta="0.5")
    assert "This result cannot be shown" in text(page)
    assert not page.button(key="start").disabled


def test_a_running_job_keeps_what_it_was_asked(server, task, open_page):
    server.job = View(ID, task, JobState.RUNNING, sampled(task, evidence(5_000)), seconds=1.0)
    page = open_page(job=ID, theta="0.4")
    assert f"Previous job, of {task.name} at θ 0.500" in html(page)
    assert "Now chosen: θ 0.400" in html(page)
    assert server.job.task is task
    assert not server.submitted[1:]


def test_an_attack_is_started_and_shown(server, task, open_page):
    server.job = finished(task)
    page = open_page(job=ID)
    page.button(key="attack").click().run()
    ((target, budget),) = server.attacks
    assert (target, budget) == (7, pytest.approx(1.55, abs=0.06))
    before, after = Judged(1000, 999, 998, 7, 7), Judged(1000, 990, 12, 5, 5)
    changed = (task.tensor / 255 * 0.9).astype(np.float32)
    server.job = replace(finished(task), attempt=Try(1.5, Attack(changed, 1.5, "class", before, after)))
    shown = text(open_page(job=ID)).replace("\\", "")
    assert "**The answer falls**, outside the certified radius" in shown
    assert f"The image before: {promise.PROMISE.format(alpha=0.001)}" in shown
    assert f"The image after: {promise.PROMISE_NOTHING}" in shown
    server.job = replace(finished(task), attempt=Try(0.1, Attack(changed, 0.1, "class", before, before)))
    shown = text(open_page(job=ID)).replace("\\", "")
    assert "**The answer holds**, inside the certified radius" in shown
    assert "The image after" not in shown  # within the radius the certificate speaks of it too
    server.job = replace(finished(task), attempt=Try(1.5, message="it could not be done"))
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
