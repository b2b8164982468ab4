from __future__ import annotations

from dataclasses import replace

import pytest

from app.settings import (
    ALPHAS,
    Choice,
    Experiment,
    Settings,
    alpha_text,
    combinations,
    cores,
    experiments,
    labels,
    mismatched,
    pin_text,
    pinned,
    selections,
    studies,
)
from engine.records.meta import Meta, NetworkInfo


def smoothed(name: str, sigma: float, training: str | None = "gaussian", dataset: str = "d", **network) -> Meta:
    info = NetworkInfo(name, None, training, network.get("sigma_train", sigma))
    return Meta("smoothed", name, dataset, 10, sigma=sigma, n0=100, n=1000, network=info)


CORE = Meta("core", "core", "d", 10)


def test_runs_are_grouped_by_dataset_and_training_and_sorted_by_sigma():
    found = experiments([smoothed("b", 0.5), smoothed("x", 0.5, "macer"), smoothed("a", 0.25), CORE])
    assert [(e.training, [run.name for run in e.runs]) for e in found] == [("gaussian", ["a", "b"]), ("macer", ["x"])]


def test_a_run_without_training_still_belongs_to_an_experiment():
    assert experiments([smoothed("a", 0.5, training=None)])[0].training == "unknown"


def test_what_there_is_most_of_comes_first_and_noise_levels_of_one_network_do_not_count():
    few = [smoothed("a", 0.25, dataset="a")]
    many = [smoothed(f"m{sigma}", sigma, "macer", dataset="b") for sigma in (0.25, 0.5)]
    swept = [smoothed(f"g{sigma}", sigma, dataset="b", sigma_train=0.25) for sigma in (0.125, 0.25, 0.5)]
    found = experiments([*few, *swept, *many])
    assert [(e.dataset, e.training) for e in found] == [("b", "macer"), ("b", "gaussian"), ("a", "gaussian")]
    assert [e.first for e in found] == ["0.25", "0.25", "0.25"]
    assert Experiment("d", "gaussian", (smoothed("a", 0.5, sigma_train=1.0),)).first == "0.5 (net 1)"


@pytest.mark.parametrize(
    ("created", "opens"),
    [
        (("2026-01-02", "2026-01-01", "2026-01-09", "2026-01-09"), "0.25 (a)"),
        (("2026-01-01", "2026-01-02", "2026-01-09", "2026-01-09"), "0.25 (b)"),
        ((None, "2026-01-01", "2026-01-09", "2026-01-09"), "0.25 (b)"),
        ((None, None, None, None), "0.25 (a)"),
    ],
)
def test_of_two_networks_for_the_smallest_noise_the_slider_opens_on_the_one_sampled_last(created, opens):
    runs = smoothed("a", 0.25), smoothed("b", 0.25), smoothed("c", 0.5), smoothed("d", 0.25, sigma_train=0.5)
    dated = tuple(replace(run, created=when) for run, when in zip(runs, created, strict=True))
    assert Experiment("d", "gaussian", dated).first == opens


def test_of_datasets_with_as_many_runs_one_whose_images_can_be_shown_comes_first():
    runs = [smoothed("a", 0.25, dataset="a"), smoothed("b", 0.25, dataset="b")]
    assert [e.dataset for e in experiments(runs)] == ["a", "b"]
    assert [e.dataset for e in experiments(runs, {"b"})] == ["b", "a"]
    assert [e.dataset for e in experiments([*runs, smoothed("c", 0.5, dataset="a")], {"b"})] == ["a", "b"]


def test_a_training_of_one_noise_level_does_not_bring_its_dataset_to_the_front():
    swept = [smoothed(f"{dataset}{sigma}", sigma, dataset=dataset) for dataset in "ab" for sigma in (0.25, 0.5)]
    found = experiments([smoothed("once", 0.25, "denoised", dataset="b"), *swept])
    assert [(e.dataset, e.training) for e in found] == [("a", "gaussian"), ("b", "gaussian"), ("b", "denoised")]


def test_a_second_network_for_the_same_noise_does_not_bring_its_dataset_to_the_front():
    runs = [smoothed("a", 0.25, dataset="a"), smoothed("a2", 0.25, dataset="a"), smoothed("b", 0.25, dataset="b")]
    assert [e.dataset for e in experiments(runs, {"b"})] == ["b", "a"]


def test_core_runs_are_those_of_the_dataset():
    assert list(cores([CORE, Meta("core", "other", "e", 10), smoothed("a", 0.5)], "d")) == ["core"]


def test_labels_are_sigmas():
    assert list(Experiment("d", "gaussian", (smoothed("a", 0.25), smoothed("b", 1.0))).labels) == ["0.25", "1"]


def test_labels_tell_runs_of_one_sigma_apart():
    runs = (smoothed("a", 0.25), smoothed("b", 0.25), smoothed("c", 0.25, sigma_train=0.5))
    assert list(Experiment("d", "gaussian", runs).labels) == ["0.25 (a)", "0.25 (b)", "0.25 (net 0.5)"]


def test_unknown_training_noise_is_no_mismatch():
    assert mismatched(smoothed("a", 0.25, sigma_train=0.5))
    assert not mismatched(smoothed("a", 0.25, sigma_train=0.25))
    assert not mismatched(smoothed("a", 0.25, sigma_train=None))


GAUSSIAN = Experiment("d", "gaussian", (smoothed("a", 0.25), smoothed("b", 0.5)))
MACER = Experiment("d", "macer", (smoothed("m", 0.5, "macer"),))
MECHANISM = Meta("selection", "network", "d", 10, sigma=0.5, n0=100, n=1000)


def test_settings_know_where_their_composition_stands():
    drawn = combinations([GAUSSIAN], [CORE], [None], None)
    settings = Settings(drawn[1], drawn=drawn)
    assert (settings.position, settings.label) == (1, "σ 0.5")
    assert settings.at(drawn[0], 0.7).choice == drawn[0]


def test_compositions_are_named_by_what_differs_among_them():
    other = Meta("core", "other", "d", 10)
    assert labels(combinations([GAUSSIAN], [CORE], [None], None)) == ["σ 0.25", "σ 0.5"]
    assert labels(combinations([GAUSSIAN, MACER], [CORE], [None], 0.5)) == ["gaussian · σ 0.5", "macer · σ 0.5"]
    twice = replace(GAUSSIAN, runs=(*GAUSSIAN.runs[:1], replace(GAUSSIAN.runs[0], name="again")))
    assert [label for label in twice.labels if "(" in label]  # σ alone does not name the run
    (one, two) = combinations([twice], [CORE], [None], None)
    assert labels([one]) == ["σ 0.25"]
    assert labels([one, two]) == [f"σ {one.noise}", f"σ {two.noise}"]
    assert labels(combinations([MACER], [CORE, other], [None], None)) == ["σ 0.5 · core", "σ 0.5 · other"]


def test_a_selection_run_joins_the_certification_runs_of_its_own_noise():
    found = combinations([GAUSSIAN], [CORE], [None, MECHANISM], None)
    assert [(choice.noise, choice.selection) for choice in found] == [
        ("0.25", "entropy"),
        ("0.5", "entropy"),
        ("0.5", "network"),
    ]


def test_selection_mechanisms_are_the_entropy_and_those_of_the_dataset():
    assert list(selections([MECHANISM, CORE], "d")) == ["entropy", "network"]
    assert list(selections([MECHANISM], "e")) == ["entropy"]


def test_a_pin_is_read_back():
    choices = combinations([GAUSSIAN], [CORE], [None, MECHANISM], None)
    pin = pinned(pin_text(choices[2], 0.25), choices)
    assert pin is not None
    assert (pin.choice, pin.theta) == (choices[2], 0.25)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "gaussian~0.5~core~entropy~2", "gaussian~0.5~core~entropy~x", "a~b~c~d~0.5"]
)
def test_a_mangled_pin_is_none(text):
    assert pinned(text, combinations([GAUSSIAN], [CORE], [None], None)) is None


def test_a_pin_finds_its_run_whose_label_has_grown_unless_that_may_be_another():
    text = pin_text(combinations([GAUSSIAN], [CORE], [None], None)[1], 0.25)
    grown = Experiment("d", "gaussian", (smoothed("a", 0.25), smoothed("b", 0.5, sigma_train=0.25)))
    pin = pinned(text, combinations([grown], [CORE], [None], None))
    assert pin is not None
    assert pin.choice.certify_run.name == "b"
    two = Experiment("d", "gaussian", (*grown.runs, smoothed("c", 0.5, sigma_train=1.0)))
    assert pinned(text, combinations([two], [CORE], [None], None)) is None


def test_the_address_of_a_composition_is_the_values_of_its_controls():
    choice = Choice("gaussian", "0.5", smoothed("b", 0.5), CORE, MECHANISM)
    assert choice.address == ("gaussian", "0.5", "core", "network")


@pytest.mark.parametrize(("sigma", "largest"), [(0.12, 1), (0.25, 2), (1.0, 5)])
def test_the_radius_axis_ends_beyond_every_ceiling(sigma, largest):
    assert Experiment("d", "gaussian", (smoothed("a", sigma),)).largest_radius == largest


def test_alphas_span_the_scale_and_are_written_without_exponents():
    assert (ALPHAS[0], ALPHAS[-1], len(ALPHAS)) == (1e-5, 0.1, 13)
    assert [float(alpha_text(alpha)) for alpha in ALPHAS] == list(ALPHAS)
    assert not any("e" in alpha_text(alpha) for alpha in ALPHAS)


def test_collections_never_share_certification_runs_and_lend_what_would_be_of_no_use():
    mine, theirs = smoothed("mine", 0.25), smoothed("theirs", 0.25)
    core, other = Meta("core", "core", mine.dataset, 10), Meta("core", "other", mine.dataset, 10)
    of = {"mine": "own", "theirs": "paper", "core": "paper", "other": "loose"}
    found = studies([mine, theirs, core, other], of)
    assert {name: [meta.name for meta in metas] for name, metas in found.items()} == {
        "own": ["mine", "core", "other"],  # it has no core network of its own
        "paper": ["theirs", "core", "other"],  # a collection of core networks alone lends them to all
    }
    assert list(studies([mine, theirs, core], of | {"core": "own"})) == ["own", "paper"]
    assert [m.name for m in studies([mine, theirs, core, other], of | {"other": "own"})["paper"]] == ["theirs", "core"]
    assert list(studies([mine, core], {"mine": "own", "core": "own"})) == ["own"]
    assert studies([mine], of) == {}


def test_two_collections_are_told_apart_in_addresses_and_labels_and_one_is_not_named():
    core = Meta("core", "core", "d", 10)
    a, b = (Choice("gaussian", "0.25", smoothed(n, 0.25), core, collection=n) for n in ("demo", "paper"))
    assert a.address[0] == "demo › gaussian"
    assert labels([a, b]) == ["demo · σ 0.25", "paper · σ 0.25"]
    assert labels([a]) == ["σ 0.25"]
    assert pinned(pin_text(b, 0.3), [a, b]).choice is b
    alone = Choice("gaussian", "0.25", smoothed("demo", 0.25), core)
    assert pinned(pin_text(a, 0.3), [alone]).choice is alone  # as the other collection has gone
    assert pinned("gaussian~0.25 (paper)~core~entropy~0.300", [a, b]).choice is b  # from before there were collections
    assert pinned("gaussian~0.25~core~entropy~0.300", [a, b]) is None  # either of them would read so


def test_of_names_that_say_dataset_training_and_noise_labels_show_the_rest():
    named = {"d-gaussian-0.25": "σ 0.25", "d-gaussian-fast-0.25": "σ 0.25 (fast)", "paper": "σ 0.25 (paper)"}
    twins = Experiment("d", "gaussian", tuple(smoothed(name, 0.25) for name in named))
    assert labels(combinations([twins], [CORE], [None], None)) == list(named.values())
    swept = replace(twins, runs=(smoothed("d-gaussian-1.0@0.25", 0.25, sigma_train=1.0), *twins.runs[:2]))
    expected = ["σ 0.25 (net 1)", "σ 0.25", "σ 0.25 (fast)"]
    assert labels(combinations([swept], [CORE], [None], None)) == expected


def test_labels_of_runs_stand_for_their_names_and_never_make_two_alike():
    core, other = Meta("core", "core", "d", 10), Meta("core", "other", "d", 10)
    run = smoothed("run", 0.25)
    choices = [Choice("gaussian", "0.25", run, c) for c in (core, other)]
    assert labels(choices, {"core": "Ours"}) == ["σ 0.25 · Ours", "σ 0.25 · other"]
    assert labels(choices, {"run": "Wide"}) == ["Wide · σ 0.25 · core", "Wide · σ 0.25 · other"]
    assert len(set(labels(choices, {"core": "x", "other": "x"}))) == 2
