"""The parts of a view that figures need without a dashboard; the rest is tested with the pages' settings."""

from __future__ import annotations

from dataclasses import replace

from app import settings as pages
from engine.figures import settings
from engine.figures.settings import Choice, Settings, network_key, noise_label
from tests import synthetic


def test_the_pages_have_the_same_view():
    assert pages.Settings is settings.Settings
    assert pages.Choice is settings.Choice


def test_a_noise_is_called_as_on_the_slider():
    meta = synthetic.smoothed(0.5, images=5).meta
    assert noise_label(replace(meta, network=replace(meta.network, sigma_train=0.5))) == "0.5"
    assert noise_label(replace(meta, network=replace(meta.network, sigma_train=0.25))) == "0.5 (net 0.25)"
    assert noise_label(replace(meta, smoothing="uniform")).startswith("0.5 uniform")


def test_a_network_is_known_by_its_weights_then_by_its_name():
    meta = synthetic.smoothed(0.5, images=5).meta
    known = replace(meta, network=replace(meta.network, sha256="a" * 64, name="net"))
    assert network_key(known) == "a" * 64
    assert network_key(replace(known, network=replace(known.network, sha256=None))) == "net"
    assert network_key(replace(known, network=replace(known.network, sha256=None, name=None))) == meta.name


def test_a_composition_is_labelled_by_what_differs():
    small, large = (synthetic.smoothed(sigma, images=5).meta for sigma in (0.25, 0.5))
    core = synthetic.core(5).meta
    choices = [Choice("gaussian", noise_label(run), run, core) for run in (small, large)]
    assert settings.labels(choices) == ["σ 0.25", "σ 0.5"]
    assert Settings(choices[1], drawn=tuple(choices)).position == 1


def test_two_networks_for_one_noise_are_told_apart_by_what_their_names_add():
    run, core = synthetic.smoothed(1.0, images=5).meta, synthetic.core(5).meta
    names = [f"{run.dataset}-{run.network.training}-{rest}" for rest in ("1.0", "fast-1.0", "wide-1")]
    choices = [Choice("gaussian", noise_label(run), replace(run, name=name), core) for name in [*names, "paper"]]
    assert settings.labels(choices) == ["σ 1", "σ 1 (fast)", "σ 1 (wide)", "σ 1 (paper)"]
    alike = [f"{run.dataset}-{run.network.training}-{rest}" for rest in ("1.0", "1")]  # both say no more than the noise
    choices = [Choice("gaussian", noise_label(run), replace(run, name=name), core) for name in alike]
    assert len(set(settings.labels(choices))) == 2
