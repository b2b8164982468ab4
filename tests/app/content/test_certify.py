"""The Certify page in every state of a job, driven without a browser and without sampling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.services.certify_queue import JobState, View
from cache.catalog import DEMO, Catalog
from engine.errors import AcesError
from engine.records.meta import Meta
from engine.single_image.evidence import Pool
from engine.single_image.plan import LaterPlan, Mode
from engine.single_image.system import Selector
from engine.single_image.until import Until
from engine.weights import weights_of
from tests.app.content.certified_page import ID, evidence, finished, html, sampled, text, values


def test_before_the_start_it_says_what_can_be_had(open_certify):
    page = open_certify(sigma="0.5")
    assert values(page) == {"Smallest n": "13", "Ceiling": "1.585", "Time": "≈ 5.0 s"}
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


def test_until_it_is_decided_asks_for_early_looks_and_says_at_most(server, open_certify):
    page = open_certify(sigma="0.5", mode="Until decided", until_r="0.4")
    assert values(page)["Time"] == "≤ 5.0 s"
    assert "Giving up is an abstention" in text(page)
    page.button(key="start").click().run()
    (asked,) = server.submitted
    assert (asked.until, asked.plan.mode, asked.plan.first, asked.plan.version) == (Until(0.4), Mode.EARLY, 20, 7)
    page = open_certify(sigma="0.5", mode="Until decided", until="Any answer")
    page.button(key="start").click().run()
    assert server.submitted[-1].until == Until()
    page = open_certify(sigma="0.5")
    page.button(key="start").click().run()
    assert (server.submitted[-1].until, server.submitted[-1].plan.first) == (None, 1_000)


def test_a_decided_result_says_how_it_ended_and_belongs_to_its_question(server, open_certify):
    how = {"sigma": "0.5", "mode": "Until decided"}
    open_certify(**how, until_r="0.05").button(key="start").click().run()
    server.job = finished(server.submitted[0], evidence(80))
    page = open_certify(job=ID, **how, until_r="0.05")
    assert "Radius 0.05 is certified after 80 of at most 10,000 draws." in text(page)
    assert "Previous result" not in html(page)
    page = open_certify(job=ID, **how, until_r="1.5")
    assert "Now chosen: until radius 1.5. This is" in html(page)
    page = open_certify(job=ID, sigma="0.5")
    assert "Now chosen: until n or a click. This is" in html(page)


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


CHAIN = {"theta": "0.1", "then": "gaussian · 0.25", "theta2": "0.4", "votes2": "0.3"}


def test_votes_that_select_are_certified_as_the_settings_have_them(server, open_certify):
    page = open_certify(select="votes", p0="0.8", sigma="0.5")
    assert "more than p₀ = 0.8 of the votes" in text(page)
    page.button(key="start").click().run()
    (asked,) = server.submitted
    assert (asked.plan.p0, asked.plan.theta, asked.plan.t, asked.plan.bound) == (0.8, None, 0.5, "complement")
    server.job = finished(asked, evidence(10_000))
    page = open_certify(job=ID, select="votes", p0="0.8", sigma="0.5")
    assert not page.error
    assert "p₀ 0.800" in html(page)
    assert "No score selects but the votes" in text(page)
    assert "here the votes for the class do: there is none yet" in text(page)
    assert "Previous" in html(open_certify(job=ID, select="votes", p0="0.7", sigma="0.5"))


def test_a_chain_is_certified_as_the_settings_have_it_and_says_which_stage_answers(server, open_certify):
    page = open_certify(sigma="0.5", **CHAIN)
    said = "then gaussian σ 0.25, θ 0.400, t 0.3 (fashion_mnist-gaussian-0.25) before the core network"
    assert said in text(page)
    page.button(key="start").click().run()
    (asked,) = server.submitted
    assert asked.plan.then == (LaterPlan(0.25, 0.4, 0.3),)
    assert [network.checkpoint.name for network in asked.pair.then] == ["fashion_mnist-gaussian-0.25.safetensors"]
    assert [network.name for network in asked.asked.later] == ["fashion_mnist-gaussian-0.25"]
    drawn = evidence(10_000, entropy=0.3)
    drawn = replace(drawn, then=(Pool(drawn.guess, drawn.estimate),))
    server.job = View(ID, asked, JobState.RUNNING, sampled(asked, drawn, then=asked.asked.later), seconds=1.0)
    page = open_certify(job=ID, sigma="0.5", **CHAIN)
    assert "draws of each network" in page.get("progress")[0].proto.text
    assert "stage 2 of 2, which is guessed to answer" in text(page)
    server.job = finished(asked, drawn, then=asked.asked.later)
    page = open_certify(job=ID, sigma="0.5", **CHAIN)
    assert not page.error
    assert not page.exception
    assert "by stage 2 of 2" in text(page)
    assert "Draws of stage 2 of 2, which is guessed to answer." in text(page)
    assert "this is a chain: there is none yet" in text(page)
    assert len(page.get("download_button")) == 3
    assert list(page.dataframe[0].value["stage"]) == [1, 2] * 5
    assert "Previous" in html(open_certify(job=ID, sigma="0.5", theta="0.1"))


def test_a_chain_to_a_network_without_weights_says_which_and_certifies_nothing(server, open_certify, monkeypatch):
    def missing(run: Meta) -> Path:
        if run.name == "fashion_mnist-gaussian-0.25":
            raise AcesError(f"weights of '{run.name}' are missing")
        return weights_of(run)

    monkeypatch.setattr("engine.single_image.system.weights_of", missing)
    page = open_certify(sigma="0.5", **CHAIN)
    assert "weights of 'fashion_mnist-gaussian-0.25' are missing" in text(page)
    assert page.button(key="start").disabled
