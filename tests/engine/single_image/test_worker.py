"""The worker's end of the pipe, in this process; that it starts, stops and dies is tested with the queue."""

from __future__ import annotations

from dataclasses import replace
from multiprocessing import Pipe

import pytest

from engine.single_image import worker as module
from engine.single_image.case import Case
from engine.single_image.messages import Attack, Break, Core, Done, Drawn, Failed, Probe, Rate, Sample
from engine.single_image.plan import LaterPlan, Plan
from engine.single_image.system import LaterNetwork, PairSpec
from engine.single_image.until import Until
from engine.single_image.worker import Worker
from tests import toy
from tests.engine.single_image.toy_case import SUBJECT, TENSOR

pytestmark = pytest.mark.usefixtures("toy_dataset")
PLAN = Plan(sigma=2.0, theta=0.8, n=1_000, n0=60)
CASE = Case(TENSOR, SUBJECT, PLAN, 11)


@pytest.fixture
def files(tmp_path) -> PairSpec:
    core = toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0, seed=1)
    return PairSpec(toy.checkpoint(tmp_path / "noisy.safetensors"), core)


@pytest.fixture
def asked():
    """Asks a worker: its messages, and its last word."""
    here, there = Pipe()

    def answer(request):
        last = worker.reply_to(request)
        said = []
        while here.poll():
            said.append(here.recv())
        return said, last

    worker = Worker(there)
    yield answer
    here.close()
    there.close()


def test_a_case_is_answered_by_the_core_network_and_then_draw_by_draw(asked, files):
    (core, *drawn), last = asked(Sample(1, files, CASE))
    assert isinstance(core, Core)
    assert core.networks.dataset == "toy"
    assert all(isinstance(part, Drawn) for part in drawn)
    assert {stage: sum(len(p.draws) for p in drawn if p.stage == stage) for stage in ("guess", "estimate")} == {
        "guess": PLAN.n0, "estimate": PLAN.n,
    }  # fmt: skip
    assert last == Done()
    again, _ = asked(Sample(2, files, CASE))
    assert [part.draws.classes.tolist() for part in again[1:]] == [part.draws.classes.tolist() for part in drawn]


def test_draws_end_at_the_look_that_answers(asked, files):
    case = replace(CASE, plan=replace(PLAN, theta=0.0, first=20))
    (_, *drawn), last = asked(Sample(1, files, case, Until(1.0)))  # at that theta nothing is selected
    assert [len(part.draws) for part in drawn] == [PLAN.n0, 20]
    assert last == Done()


def test_a_probe_gives_a_rate_and_an_attack_what_it_found(asked, files):
    (rate,), last = asked(Probe(1, files, 0.25))
    assert isinstance(rate, Rate)
    assert rate.rate > 0
    assert last == Done()
    (found,), last = asked(Break(2, files, PLAN, TENSOR, 0, 0.1))
    assert isinstance(found, Attack)
    assert found.norm <= 0.1 + 1e-6
    assert last == Done()


def test_what_cannot_be_done_is_one_sentence_and_the_next_request_is_served(asked, files, tmp_path):
    gone = replace(files, certify=tmp_path / "gone.safetensors")
    said, last = asked(Sample(1, gone, CASE))
    assert said == []
    assert isinstance(last, Failed)
    assert "gone.safetensors" in last.message
    assert asked(Sample(2, files, CASE))[1] == Done()


def test_a_fault_of_our_own_is_said_and_ends_nothing(asked, files, monkeypatch, capfd):
    with monkeypatch.context() as broken:
        broken.setattr(module, "open_once", lambda _: 1 / 0)
        _, last = asked(Sample(1, files, CASE))
    assert last == Failed("sampling failed (ZeroDivisionError: division by zero); the server's log has more")
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert asked(Sample(2, files, CASE))[1] == Done()


def test_all_networks_of_a_chain_are_probed_and_drawn(asked, files, tmp_path):
    """One of them twice, which a probe asks at one noise: of that no answer comes."""
    later = LaterNetwork(toy.checkpoint(tmp_path / "behind.safetensors", seed=3)), LaterNetwork(files.certify)
    chain = replace(files, then=later)
    (rate,), last = asked(Probe(1, chain, 0.5))
    assert isinstance(rate, Rate)
    assert rate.rate > 0
    assert last == Done()
    plan = replace(PLAN, then=(LaterPlan(1.0, 0.5), LaterPlan(0.5, p0=0.6)))
    (core, *drawn), last = asked(Sample(2, chain, replace(CASE, plan=plan)))
    assert [info.name for info in core.networks.then] == ["behind", "noisy"]
    for role in ("certify", "then", "then-2"):
        assert sum(len(part.draws) for part in drawn if part.network == role) == PLAN.n0 + PLAN.n
    assert last == Done()
    twice = replace(plan, then=(LaterPlan(1.0, 0.5), LaterPlan(2.0, 0.5)))
    _, last = asked(Sample(3, chain, replace(CASE, plan=twice)))
    assert isinstance(last, Failed)
    assert "stands twice" in last.message
