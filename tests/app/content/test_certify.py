"""The Certify page in every state of a job, driven without a browser and without sampling."""

from __future__ import annotations

from app.services.certify_queue import JobState, View
from cache.catalog import DEMO, Catalog
from engine.single_image.plan import Mode
from engine.single_image.system import Selector
from engine.weights import weights_of
from tests.app.content.certified_page import ID, evidence, finished, html, sampled, text, values


def test_before_the_start_it_says_what_can_be_had(open_certify):
    page = open_certify(sigma="0.5")
    assert values(page) == {"Least n": "13", "Ceiling": "1.585", "Time": "≈ 5.0 s"}
    assert not page.button(key="start").disabled
    assert not page.error


def test_the_button_asks_for_what_the_page_shows(server, open_certify):
    page = open_certify(theta="0.42", sigma="0.5", alpha="0.01", correction="bonferroni", mode="Fixed n", n="5,000")
    page.button(key="start").click().run()
    (asked,) = server.submitted
    assert (asked.plan.sigma, asked.plan.theta, asked.plan.alpha, asked.plan.n) == (0.5, 0.42, 0.01, 5_000)
    assert (asked.plan.mode, asked.plan.correction) == (Mode.FIXED, "bonferroni")
    assert asked.asked.certify.name == "fashion_mnist-gaussian-0.5"
    assert asked.pair.precision == "bfloat16"
    assert page.query_params["job"] == ID
    assert page.button(key="start").disabled


def test_to_keep_the_best_of_several_answers_is_said_to_be_a_choice(open_certify):
    said = text(open_certify(sigma="0.5"))
    assert "one picture under several σ, networks or θ and keep the best answer is a choice too" in said
    assert "give each of k tries α / k" in said


def test_a_selection_network_is_asked_for_and_its_noise_is_its_own(server, open_certify):
    chosen = "fashion_mnist-gaussian-0.25-selection-0.5"
    page = open_certify(sigma="0.25", select=chosen)
    assert f"selected by {chosen} at its own σ 0.25" in text(page)
    page.button(key="start").click().run()
    (asked,) = server.submitted
    run = Catalog(demo=DEMO).resolve(chosen)
    assert asked.plan.sigma_select == run.noise
    assert (asked.asked.select, asked.asked.mechanism) == (run.network, "network")
    assert asked.pair.select == Selector(weights_of(run), run.network.sha256, "network")


def test_a_result_of_another_selection_is_no_answer_to_the_controls(server, open_certify):
    chosen = "fashion_mnist-gaussian-0.25-selection-0.5"
    open_certify(sigma="0.25", select=chosen).button(key="start").click().run()
    server.job = finished(server.submitted[0], evidence(10_000, select=True))
    assert "Previous result, of" not in html(open_certify(job=ID, sigma="0.25", select=chosen))
    page = open_certify(job=ID, sigma="0.25")
    assert "Previous result, of" in html(page)
    assert "Now chosen: selected by entropy. This is" in html(page)


def test_with_a_selection_network_numbers_say_whose_draws_they_count(server, open_certify):
    chosen = "fashion_mnist-gaussian-0.25-selection-0.5"
    page = open_certify(sigma="0.5", select=chosen)
    page.button(key="start").click().run()
    (asked,) = server.submitted
    assert (asked.plan.sigma, asked.plan.sigma_select) == (0.5, 0.25)
    server.job = View(ID, asked, JobState.RUNNING, sampled(asked, evidence(5_000, select=True)), seconds=1.0)
    page = open_certify(job=ID, sigma="0.5", select=chosen)
    assert "5,000 of 10,000 draws of each network" in page.get("progress")[0].proto.text
    server.job = finished(asked, evidence(10_000, select=True))
    page = open_certify(job=ID, sigma="0.5", select=chosen)
    assert f"Scores: draws of the selection network {chosen} under noise of σ 0.25" in text(page)
    assert "entropy" not in " ".join(metric.help for metric in page.metric)
    assert "selected by" not in html(page)  # the selection network says it


def test_a_mechanism_without_words_of_its_own_is_called_by_its_name(server, task, open_certify):
    server.job = finished(task, mechanism="margin")
    page = open_certify(job=ID, theta="0.5")
    assert "margin score of the certification network's draws" in " ".join(metric.help for metric in page.metric)


def test_a_job_that_is_gone_is_said_once_and_leaves_the_address(open_certify):
    page = open_certify(job="nobody")
    assert "The job of this address is gone" in text(page)
    assert "job" not in page.query_params
