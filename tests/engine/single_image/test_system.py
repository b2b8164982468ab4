"""A system as a value: loaded from runs or files, and asked about pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cache.catalog import DEMO, Catalog
from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.single_image import System
from engine.single_image.picture import to_png
from engine.single_image.plan import LaterPlan, Mode
from engine.single_image.system import PairSpec, Selector, find_network
from engine.statistics.aces import Outcome
from engine.statistics.chains import Later
from engine.statistics.corrections import Correction
from engine.statistics.looks import Split
from engine.statistics.margin import Bound
from engine.weights import weights_of
from tests import toy

CERTIFY, CORE = "fashion_mnist-gaussian-0.5", "fashion_mnist-core"
SELECT = "fashion_mnist-gaussian-0.25-selection-0.5"


@pytest.fixture(scope="module")
def runs() -> Catalog:
    return Catalog(demo=DEMO)


@pytest.fixture(scope="module")
def shoe() -> bytes:
    with np.load(DEMO / "fashion_mnist_images.npz") as file:
        return to_png(file["images"][3])


def test_names_of_runs_say_networks_noise_and_precision(runs):
    system = System.load(CERTIFY, CORE, 0.4, alpha=0.01, correction="bonferroni", runs=runs)
    certify, core = runs.resolve(CERTIFY), runs.resolve(CORE)
    digests = certify.network.sha256, core.network.sha256
    assert system.pair == PairSpec(
        weights_of(certify), weights_of(core), "bfloat16", "cpu", digests, dataset="fashion_mnist"
    )
    assert (system.sigma, system.sigma_select, system.smoothing) == (0.5, None, "gaussian")
    assert (system.theta, system.alpha, system.correction) == (0.4, 0.01, Correction.BONFERRONI)
    assert System.load(certify, core, 0.4, alpha=0.01, correction="bonferroni") == system  # runs as well as names


def test_the_margin_is_a_systems_bound_unless_the_papers_correction_or_another_is_asked_for():
    pair = PairSpec(Path("a"), Path("b"))
    system = System(pair, 0.5, 0.3)
    assert (system.bound, system.plan().bound, system.plan().split) == (Bound.MARGIN, Bound.MARGIN, Split.HALF_LAST)
    assert system.plan(mode=Mode.FIXED).split is Split.EVEN
    assert System(pair, 0.5, 0.3, correction="bonferroni").bound is Bound.COMPLEMENT
    assert System(pair, 0.5, 0.3, correction="bonferroni", bound="margin").bound is Bound.MARGIN
    plan = system.plan()
    system.check_plan(replace(plan, split=Split.EVEN))  # how, as n is
    with pytest.raises(AcesError, match="the plan's bound is complement, and the system's margin"):
        system.check_plan(replace(plan, bound=Bound.COMPLEMENT))


def test_a_selection_run_brings_its_own_noise(runs):
    system = System.load(CERTIFY, CORE, 0.4, select=SELECT, runs=runs)
    run = runs.resolve(SELECT)
    assert system.pair.select == Selector(weights_of(run), run.network.sha256, "network")
    assert (system.sigma, system.sigma_select) == (0.5, 0.25)


def test_what_is_given_wins(runs):
    system = System.load(CERTIFY, CORE, 0.4, sigma=0.3, smoothing="uniform", precision="float32", runs=runs)
    assert (system.sigma, system.smoothing, system.pair.precision) == (0.3, "uniform", "float32")
    assert system.plan().smoothing_card.norm == "ℓ1"


def test_runs_under_different_noise_need_one_named(runs):
    uniform = replace(runs.resolve(CERTIFY), smoothing="uniform")
    with pytest.raises(AcesError, match="gaussian and uniform noise"):
        System.load(uniform, runs.resolve(CORE), 0.4, select=runs.resolve(SELECT))
    named = System.load(uniform, runs.resolve(CORE), 0.4, select=runs.resolve(SELECT), smoothing="gaussian")
    assert named.smoothing == "gaussian"
    assert System.load(uniform, runs.resolve(CORE), 0.4).smoothing == "uniform"


@pytest.mark.usefixtures("toy_dataset")
def test_files_say_the_noise_that_their_networks_were_trained_with(tmp_path):
    certify = toy.checkpoint(tmp_path / "noisy.safetensors", sigma=0.75)
    core = toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0, seed=1)
    select = toy.selector(tmp_path / "chooser.safetensors", sigma=0.25)
    system = System.load(certify, str(core), 0.5, select=select)
    assert (system.sigma, system.sigma_select, system.pair.precision) == (0.75, 0.25, "float32")
    other = toy.checkpoint(tmp_path / "new" / "noisy.safetensors", sigma=0.75, seed=9)
    before = system.open()
    assert system.open() is before
    certify.write_bytes(other.read_bytes())
    assert system.open().networks.certify != before.networks.certify  # what stands there now


@pytest.mark.parametrize(
    "wrong", [{"theta": 1.5}, {"alpha": 0.0}, {"sigma": -1.0}, {"correction": "holm"}, {"smoothing": "laplace"},
              {"sigma_select": 0.5}, {"bound": "exact"},
              {"pair": PairSpec(Path("a"), Path("b"), select=Selector(Path("c")))}]
)  # fmt: skip
def test_a_system_that_could_not_be_is_refused(wrong):
    with pytest.raises(AcesError):
        System(**{"pair": PairSpec(Path("a"), Path("b")), "sigma": 0.5, "theta": 0.5} | wrong)


def test_a_name_needs_a_place_to_look_it_up():
    with pytest.raises(AcesError, match="runs=Catalog"):
        find_network("some-run", "smoothed", None)
    assert find_network(Path("not-there.pth"), "core", None).path == Path("not-there.pth")


def test_predict_certify_and_explain_speak_of_one_system(runs, shoe):
    system = System.load(CERTIFY, CORE, 0.6, runs=runs)
    (found,) = system.predict([shoe], n=1_000)
    (made,) = system.certify(shoe, system.plan(n=2_000))
    told = system.explain(shoe, n=1_000)
    assert found.answer == made.prediction == told.prediction == told.c_hat
    assert (found.name, found.selected) == (made.answer, told.selected)
    assert made.outcome == told.outcome.label == Outcome.CERTIFIED.label
    assert (told.label, told.certify.n) == (ABSTAIN, 1_000)
    assert made.draws == 2_100
    at_0 = replace(system, theta=0.0)
    (core,) = at_0.predict([shoe], n=1_000)
    assert core.selected == at_0.explain(shoe, n=1_000).selected == "core"


def test_what_is_uncertain_is_no_answer(runs):
    grey = to_png(np.full((1, 28, 28), 128, np.uint8))
    system = System.load(CERTIFY, CORE, 0.6, runs=runs)
    unsure = [answer for answer in system.predict([grey] * 2, n=10) if answer.answer == ABSTAIN]
    assert all(answer.name is None for answer in unsure)
    (any_,) = system.predict([grey], n=50)  # of none of the classes, and answered all the same, or not
    said = system.promise(any_)
    assert ("one of the classes that the networks know" in said) == (any_.name is not None)
    assert "Neither is a probability of being right" in said
    assert system.promise(replace(any_, answer=ABSTAIN, name=None)).startswith("Nothing is promised of this image.")
    assert [answer.selected for answer in system.predict([grey], n=3)] == ["undecided"]  # three draws tell nothing


def test_an_array_and_the_picture_of_it_are_one_image(runs):
    with np.load(DEMO / "fashion_mnist_images.npz") as file:
        images = file["images"][:3]
    system = System.load(CERTIFY, CORE, 0.6, runs=runs)
    by_array = system.certify(images, system.plan(n=300), seed=1)
    by_file = system.certify([to_png(image) for image in images], system.plan(n=300), seed=1)
    assert [made.segments for made in by_array] == [made.segments for made in by_file]
    each = system.predict_each(images[:, 0] / 255, n=400, together=2)
    assert sorted(at for at, _ in each) == [0, 1, 2]
    with pytest.raises(AcesError, match="image 1: the array holds NaN"):
        system.predict([images[0], np.full((1, 28, 28), np.nan)])


BEHIND = "fashion_mnist-gaussian-0.25"


def test_votes_that_select_and_later_stages_are_loaded_as_their_runs_say(runs):
    later = Later(BEHIND, 0.4, 0.3), Later(runs.resolve("fashion_mnist-gaussian-1.0"), 0.6, by_votes=True)
    system = System.load(CERTIFY, CORE, p0=0.7, then=later, runs=runs)
    assert system.then == (LaterPlan(0.25, 0.4, 0.3), LaterPlan(1.0, p0=0.6))
    assert [network.sha256 for network in system.pair.then] == [
        runs.resolve(name).network.sha256 for name in (BEHIND, "fashion_mnist-gaussian-1.0")
    ]
    assert (system.theta, system.threshold, system.bound) == (None, 0.7, Bound.MARGIN)
    assert System.load(CERTIFY, CORE, p0=0.7, runs=runs).bound is Bound.COMPLEMENT
    with pytest.raises(AcesError, match="the plan's then is"):
        system.check_plan(replace(system.plan(), then=system.then[:1]))
    with pytest.raises(AcesError, match="a stage needs one of them"):
        System.load(CERTIFY, CORE, runs=runs)


def test_a_chain_predicts_certifies_and_explains_as_one_system(runs, shoe):
    system = System.load(CERTIFY, CORE, 0.0, then=[Later(BEHIND, 0.9)], runs=runs)
    (found,) = system.predict([shoe], n=300)
    (made,) = system.certify(shoe, system.plan(n=300))
    told = system.explain(shoe, n=300)
    assert found.answer == made.prediction == told.prediction == told.then[0].c_hat
    assert (found.selected, len(told.asked)) == ("later", 2)
    assert "by stage 2 of 2" in made.statement
    assert made.outcome == told.outcome.label == Outcome.CERTIFIED.label


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ([Later(CERTIFY, 0.3)], "stands twice in the chain"),
        ([Later(BEHIND)] * 4, "a chain of 5 stages; it may have 4"),
        ([Later("cifar10-gaussian-0.25")], "choose networks of one dataset"),
        ([Later(CORE)], "is a core run, where a smoothed run is asked for"),
    ],
)
def test_a_chain_that_could_not_be_is_refused(runs, then, said):
    with pytest.raises(AcesError, match=said):
        System.load(CERTIFY, CORE, 0.3, then=then, runs=runs).open()
