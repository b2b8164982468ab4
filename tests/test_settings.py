from __future__ import annotations

import pytest

from app.settings import ALPHAS, Experiment, Settings, alpha_text, cores, experiments, mismatched
from engine.runs import Meta, NetworkInfo


def smoothed(name: str, sigma: float, training: str | None = "gaussian", dataset: str = "d", **network) -> Meta:
    info = NetworkInfo(name, None, training, network.get("sigma_train", sigma))
    return Meta("smoothed", name, dataset, 10, sigma=sigma, n0=100, n=1000, network=info)


CORE = Meta("core", "core", "d", 10)


def test_runs_are_grouped_by_dataset_and_training_and_sorted_by_sigma():
    found = experiments([smoothed("b", 0.5), smoothed("x", 0.5, "macer"), smoothed("a", 0.25), CORE])
    assert [(e.training, [run.name for run in e.runs]) for e in found] == [("gaussian", ["a", "b"]), ("macer", ["x"])]


def test_a_run_without_training_still_belongs_to_an_experiment():
    assert experiments([smoothed("a", 0.5, training=None)])[0].training == "unknown"


def test_core_runs_are_those_of_the_dataset():
    assert list(cores([CORE, Meta("core", "other", "e", 10), smoothed("a", 0.5)], "d")) == ["core"]


def test_labels_are_sigmas():
    assert list(Experiment("d", "gaussian", (smoothed("a", 0.25), smoothed("b", 1.0))).labels) == ["0.25", "1"]


def test_labels_tell_runs_of_one_sigma_apart():
    runs = (smoothed("a", 0.25), smoothed("b", 0.25), smoothed("c", 0.25, sigma_train=0.5))
    assert list(Experiment("d", "gaussian", runs).labels) == ["0.25 (a)", "0.25 (b)", "0.25, trained at 0.5"]


def test_unknown_training_noise_is_no_mismatch():
    assert mismatched(smoothed("a", 0.25, sigma_train=0.5))
    assert not mismatched(smoothed("a", 0.25, sigma_train=0.25))
    assert not mismatched(smoothed("a", 0.25, sigma_train=None))


def test_settings_know_where_their_run_stands():
    experiment = Experiment("d", "gaussian", (smoothed("a", 0.25), smoothed("b", 0.5)))
    settings = Settings(experiment, experiment.runs[1], CORE)
    assert (settings.position, settings.label) == (1, "0.5")


@pytest.mark.parametrize(("sigma", "largest"), [(0.12, 1), (0.25, 2), (1.0, 5)])
def test_the_radius_axis_ends_beyond_every_ceiling(sigma, largest):
    assert Experiment("d", "gaussian", (smoothed("a", sigma),)).largest_radius == largest


def test_alphas_span_the_scale_and_are_written_without_exponents():
    assert (ALPHAS[0], ALPHAS[-1], len(ALPHAS)) == (1e-5, 0.1, 13)
    assert [float(alpha_text(alpha)) for alpha in ALPHAS] == list(ALPHAS)
    assert not any("e" in alpha_text(alpha) for alpha in ALPHAS)
