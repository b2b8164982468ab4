from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.services.certify_queue import JobState, Try, View
from engine.single_image import promise
from engine.single_image.messages import Attack, Judged
from engine.single_image.plan import Mode
from tests.app.content.certified_page import ID, evidence, finished, html, sampled, text, values
from tests.app_pages import turn


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (evidence(10_000), promise.PROMISE),
        (evidence(10_000, entropy=0.9), promise.PROMISE_CORE),
        (replace(evidence(10_000), guess=evidence(100, class_=3).guess, core=2), promise.PROMISE_NOTHING),
    ],
)
def test_an_answer_stands_beside_what_it_promises_and_what_not(server, task, open_certify, found, said):
    server.job = finished(task, found)
    page = open_certify(job=ID, theta="0.5")
    shown = "\n".join(caption.value for caption in page.caption).replace("\\", "")
    assert said.format(alpha=0.001) in shown
    assert "the core network gives" in shown
    assert "87.5 %. Neither is a probability of being right" in shown
    assert ("one of the classes that the networks know: T-shirt" in shown) == (said != promise.PROMISE_NOTHING)


def test_beside_the_correction_alpha_is_no_error_rate_of_the_label(open_certify):
    for correction in ("intersection-union", "bonferroni"):
        shown = text(open_certify(correction=correction))
        assert "an answer is not the system's with probability at most α" in shown
        assert "wrong with" not in shown


def test_a_waiting_job_says_how_many_are_before_it(server, task, open_certify):
    assert "Waiting: 2 before this one" in open_certify(job=ID).get("progress")[0].proto.text


def test_a_refusal_is_said_in_place(server, open_certify):
    server.refuses = "one job at a time"
    page = open_certify()
    page.button(key="start").click().run()
    assert "one job at a time" in text(page)


def test_while_it_may_be_stopped_the_answer_so_far_is_a_promise(server, task, open_certify):
    server.job = View(ID, task, JobState.RUNNING, sampled(task, evidence(5_000)), seconds=1.0)
    page = open_certify(job=ID)
    assert "**If you stop now:** Certified sneaker" in text(page)
    assert promise.PROMISE.format(alpha=0.001) in text(page).replace("\\", "")
    assert "last one was at 4,000 draws" in text(page)
    page.button(key="stop").click().run()
    page.button(key="cancel").click().run()
    assert server.ended == [JobState.STOPPED, JobState.CANCELLED]


def test_with_a_fixed_n_it_is_provisional_and_cannot_be_stopped(server, task, open_certify):
    fixed = replace(task, plan=replace(task.plan, mode=Mode.FIXED))
    server.job = View(ID, fixed, JobState.RUNNING, sampled(fixed, evidence(5_000)), seconds=1.0)
    page = open_certify(job=ID)
    assert f"Provisional until the last draw. {promise.PROMISE_NOTHING}" in text(page)
    assert "If you stop now" not in text(page)
    assert [button.key for button in page.button if button.key in ("stop", "cancel")] == ["cancel"]


def test_the_result_has_the_answer_both_units_and_every_network(server, task, open_certify):
    server.job = finished(task)
    page = open_certify(job=ID)
    assert "Certified **sneaker**: no change of the image with ℓ2 norm below 0.7927" in text(page)
    assert values(page) | {"Radius": "0.7927", "Per pixel": "7.21", "Certification network": "sneaker",
                           "Radius without ACES": "0.7927", "Core network": "sneaker",
                           "Selection": "certification"} == values(page)  # fmt: skip
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
def test_however_it_ends_there_is_a_sentence(server, task, open_certify, fields, said):
    server.job = replace(finished(task, fields.pop("drawn", None)), **fields)
    page = open_certify(job=ID)
    assert said in text(page)


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
def test_a_result_says_when_the_controls_ask_something_else(server, task, open_certify, values, said):
    server.job = finished(task)
    page = open_certify(**({"job": ID, "theta": "0.5"} | values))
    assert (f"Previous result, of {task.name} at θ 0.500" in html(page)) == bool(said)
    assert said in html(page).partition("Now chosen:")[2].partition("This is no answer to that")[0]
    assert "Certified **sneaker**" in text(page)
    assert bool(page.success) == (not said)
    assert ("Files of the previous result" in [part.label for part in page.expander]) == bool(said)


def test_the_same_values_again_make_a_result_live_again(server, task, open_certify):
    server.job = finished(task)
    page = open_certify(job=ID, theta="0.5")
    assert page.success
    turn(page, "theta", 0.6, at=1.0).run()
    assert not page.success
    turn(page, "theta", 0.5, at=2.0).run()
    assert page.success


def test_what_cannot_be_certified_now_leaves_a_result_of_before(server, task, open_certify, monkeypatch, tmp_path):
    server.job = finished(task)
    page = open_certify(job=ID, theta="0.5", source="Upload")
    page.file_uploader(key="upload").upload("a.png", b"no picture", "image/png").run()
    assert "Previous result, of" in html(page)


@pytest.mark.parametrize("name", ["![x](http://localhost/y)", "<img src=x>", "a" * 300 + ".png", "\u202egnp.txt"])
def test_a_hostile_name_is_shown_as_letters(server, task, open_certify, name):
    server.job = finished(replace(task, name=name))
    page = open_certify(job=ID, theta="0.4")
    assert name not in text(page)
    assert "<img" not in html(page)
    assert not [letter for letter in html(page) if not (letter.isprintable() or letter == "\n")]
    assert "a" * 61 not in html(page)
    assert "Previous result, of" in html(page)


@pytest.mark.parametrize("place", ["Certification.certificate", "explain.explain", "to_html"])
@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError()])
def test_a_result_that_cannot_be_shown_is_said_in_its_place(server, task, open_certify, monkeypatch, place, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    server.job = finished(task)
    monkeypatch.setattr(f"app.content.certify_result.{place}", fail)
    page = open_certify(job=ID, theta="0.5")
    assert "This result cannot be shown" in text(page)
    assert not page.button(key="start").disabled


def test_a_running_job_keeps_what_it_was_asked(server, task, open_certify):
    server.job = View(ID, task, JobState.RUNNING, sampled(task, evidence(5_000)), seconds=1.0)
    page = open_certify(job=ID, theta="0.4")
    assert f"Previous job, of {task.name} at θ 0.500" in html(page)
    assert "Now chosen: θ 0.400" in html(page)
    assert server.job.task is task
    assert not server.submitted[1:]


def test_an_attack_is_started_and_shown(server, task, open_certify):
    server.job = finished(task)
    page = open_certify(job=ID)
    page.button(key="attack").click().run()
    ((target, budget),) = server.attacks
    assert (target, budget) == (7, pytest.approx(1.55, abs=0.06))
    before, after = Judged(1000, 999, 998, 7, 7), Judged(1000, 990, 12, 5, 5)
    changed = (task.tensor / 255 * 0.9).astype(np.float32)
    server.job = replace(finished(task), attempt=Try(1.5, Attack(changed, 1.5, "class", before, after)))
    shown = text(open_certify(job=ID)).replace("\\", "")
    assert "**The answer falls**, outside the certified radius" in shown
    assert f"The image before: {promise.PROMISE.format(alpha=0.001)}" in shown
    assert f"The image after: {promise.PROMISE_NOTHING}" in shown
    server.job = replace(finished(task), attempt=Try(0.1, Attack(changed, 0.1, "class", before, before)))
    shown = text(open_certify(job=ID)).replace("\\", "")
    assert "**The answer holds**, inside the certified radius" in shown
    assert "The image after" not in shown  # within the radius the certificate speaks of it too
    server.job = replace(finished(task), attempt=Try(1.5, message="it could not be done"))
    assert "it could not be done" in text(open_certify(job=ID))
