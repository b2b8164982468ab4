"""The tables of docs/zoo.md: they say what the shipped runs say, and count as they claim."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from benchmarks import zoo
from engine.models import ARCHITECTURES
from engine.records.runs import SelectionRun, write_run
from engine.statistics.margin import Bound
from engine.statistics.metrics import standalone
from tests import synthetic

PAPERS = f"paper's {zoo.PAPERS}"
DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "zoo.md"


def test_the_document_holds_the_tables_of_the_shipped_runs():
    written = DOCUMENT.read_text()
    for title, table in zoo.report():
        assert f"### {title}\n\n{table}\n" in written


def test_the_height_of_a_front_is_its_best_point_at_or_above_the_floor():
    rng = np.random.default_rng(0)
    nac, acr = rng.integers(0, 500, 200) / 5, rng.random(200)
    floors = [0, 20, 33.4, float(nac.max()), 100.1]
    expected = [max((a for n, a in zip(nac, acr, strict=True) if n >= f), default=np.nan) for f in floors]
    np.testing.assert_array_equal(zoo.height(nac, acr, floors), expected)


@pytest.fixture
def folder(tmp_path):
    """Gaussian and MACER at one noise, Gaussian also under another, and the entropies once more as a selection run."""
    gaussian, core = synthetic.smoothed(0.25, 60), synthetic.core(60)
    macer = replace(
        gaussian.meta, name="other", network=replace(gaussian.meta.network, training="macer", sha256="3" * 64)
    )
    copied = SelectionRun(
        replace(gaussian.meta, kind="selection", name=f"{gaussian.meta.name}-copy"),
        *(gaussian.index, gaussian.thetas, gaussian.select_counts0, gaussian.select_counts, gaussian.entropy_median),
    )
    runs = {
        "gaussian": gaussian,
        "macer": replace(synthetic.smoothed(0.5, 60), meta=macer),
        "swept": replace(synthetic.smoothed(0.5, 60, sigma_train=0.25)),
        "core": core,
        "copied": copied,
    }
    for name, run in runs.items():
        write_run(run, tmp_path / f"{name}.npz")
    return tmp_path


def test_methods_are_compared_at_their_training_noise_only(folder):
    tables = dict(zoo.report(folder))
    alone = tables["Networks alone: fashion_mnist"].splitlines()[2:]
    assert [line.split(" | ")[1] for line in alone] == ["gaussian", "macer"]
    assert len(tables["One network under other noise: fashion_mnist"].splitlines()) == 2 + 2


def test_the_difference_to_gaussian_is_that_of_the_average_certified_radii(folder):
    (one,) = zoo.zoos(folder)
    gaussian, macer = (standalone(run).acr for run in one.at_training_noise)
    assert f"{macer - gaussian:+.3f} [" in dict(zoo.report(folder))["Networks alone: fashion_mnist"]


def test_every_core_network_has_its_front_and_the_most_accurate_one_serves_elsewhere(folder):
    title = "ACES with the entropy mechanism: ACR on the front: fashion_mnist"
    assert "core" not in dict(zoo.report(folder))[title]
    worse = synthetic.core(60)
    wrong = (worse.label + 1) % 10
    write_run(
        replace(worse, meta=replace(worse.meta, name="a-core"), prediction=wrong, logits=None), folder / "a-core.npz"
    )
    lines = dict(zoo.report(folder))[title].splitlines()[2:]
    assert [line.split(" | ")[2] for line in lines] == 2 * ["`a-core`", f"`{synthetic.CORE}`"]
    (one,) = zoo.zoos(folder)
    assert one.core.meta.name == synthetic.CORE


@pytest.fixture(scope="module")
def cifar10():
    """Zoo of the shipped runs of CIFAR-10, and the rows of its table beside the paper: by noise, method and network."""
    (one,) = (zoo_ for zoo_ in zoo.zoos() if zoo_.dataset == "cifar10")
    head, *rows = zoo.paper_rows(one)
    return one, {tuple(row[:3]): dict(zip(head[3:], row[3:], strict=True)) for row in rows}


def test_every_network_of_the_paper_stands_above_ours(cifar10):
    one, rows = cifar10
    kinds = {
        (f"{run.meta.noise:g}", run.meta.network.training, f"our {one.architecture(run)}")
        for run in one.at_training_noise
    }
    papers = set(product(("0.25", "0.5", "1"), zoo.METHODS, (PAPERS,)))
    assert set(rows) == kinds | papers
    assert [row[:2] for row in rows if row[2] == PAPERS] == list(product(("0.25", "0.5", "1"), zoo.METHODS))
    assert all(zoo.NONE not in (row["NAC"], row["ACR"]) for row in rows.values())


def test_a_network_of_the_paper_without_one_of_ours_stands_above_a_gap(cifar10):
    one, _ = cifar10
    without = replace(one, smoothed=tuple(run for run in one.smoothed if run.meta.network.training != "macer"))
    gaps = [row for row in zoo.paper_rows(without) if row[2] == "ours"]
    assert [row[:2] for row in gaps] == [["0.25", "macer"], ["0.5", "macer"], ["1", "macer"]]
    assert all(set(row[3:]) == {zoo.NONE} for row in gaps)


def test_two_networks_of_one_noise_and_method_each_have_their_rows(cifar10):
    one, _ = cifar10
    first = one.at_training_noise[0]
    info = replace(first.meta.network, name="twin", sha256="0" * 64)
    twin = replace(first, meta=replace(first.meta, name=f"{first.meta.name}-twin", network=info))
    two = replace(one, smoothed=(first, twin))
    head, *rows = zoo.alone_rows(two)
    assert head[1:3] == ["method", "network"]
    assert [row[2] for row in rows] == [one.architecture(first), "twin"]
    assert rows[0][5] == zoo.NONE
    assert rows[1][5].startswith("+0.000 [")


def test_the_text_says_of_the_fast_network_what_its_run_says(cifar10):
    one, _ = cifar10
    run = next(run for run in one.at_training_noise if run.meta.name == "cifar10-gaussian-fast-0.25")
    alone, margin = standalone(run, radii=zoo.RADII), standalone(run, bound=Bound.MARGIN)
    right = run.class_counts[np.arange(len(run.label)), run.label] / run.class_counts.sum(axis=1)
    text = " ".join(DOCUMENT.read_text().split())
    for said in (
        f"a NAC of {alone.nac:.1f} and an ACR of {alone.acr:.3f},",
        f"{alone.certified_accuracy[0]:.1f} % at r = 0.25 and {alone.certified_accuracy[1]:.1f} % at r = 0.5",
        f"opens with, its ACR is {margin.acr:.3f}",
        f"{100 * right.mean():.1f} % of its noisy answers about them are right",
        f"and {one.cards[run.meta.network.sha256]['test_accuracy_under_noise']} % over the whole test split",
    ):
        assert said in text


@pytest.mark.parametrize(("sigma", "reached", "before"), [("0.25", 84.5, 62), ("0.5", 84.5, 62), ("1", 87.6, 71)])
def test_the_text_says_of_consistency_from_the_fast_network_what_its_runs_say(cifar10, sigma, reached, before):
    one, rows = cifar10
    run = next(run for run in one.at_training_noise if run.meta.name == f"cifar10-consistency-fast-{float(sigma)}")
    alone = standalone(run)
    papers, small = (float(rows[sigma, "consistency", name]["ACR"]) for name in (PAPERS, "our resnet8"))
    assert (round(100 * alone.acr / papers, 1), round(100 * small / papers)) == (reached, before)
    text = " ".join(DOCUMENT.read_text().split())
    assert f"{alone.nac:.1f} and an ACR of {alone.acr:.3f}" in text or f"{alone.nac:.1f} and {alone.acr:.3f}, " in text
    assert f"{rows[sigma, 'consistency', PAPERS]['NAC']} and {papers}" in text
    right = run.class_counts[np.arange(len(run.label)), run.label] / run.class_counts.sum(axis=1)
    assert f"{100 * right.mean():.1f}" in text
    assert f"{one.cards[run.meta.network.sha256]['test_accuracy_under_noise']}" in text


def test_consistency_beats_the_fast_network_by_what_the_text_says(cifar10):
    one, _ = cifar10
    runs = {run.meta.name: run for run in one.at_training_noise}
    twins = runs["cifar10-gaussian-fast-0.25"], runs["cifar10-consistency-fast-0.25"]
    _, first, second = zoo.alone_rows(replace(one, smoothed=twins))
    assert first[-4] == zoo.NONE
    difference = second[-4].replace("+", "")
    assert f"Consistency has {difference} more ACR" in " ".join(DOCUMENT.read_text().split())


def test_the_text_says_of_the_denoised_network_what_its_run_and_its_denoisers_card_say():
    (one,) = (zoo_ for zoo_ in zoo.zoos() if zoo_.dataset == "fashion_mnist")
    runs = {run.meta.name.removeprefix("fashion_mnist-"): run for run in one.at_training_noise}
    twins = runs["gaussian-0.25"], runs["denoised-0.25"]
    trained, denoised = (standalone(run) for run in twins)
    front = zoo.front_rows(replace(one, smoothed=twins))
    heights = {name: row[-1] for name, row in zip(("", "trained", "denoised"), front, strict=True)}
    difference = list(zoo.alone_rows(replace(one, smoothed=twins)))[-1][-4].replace("-", "−")
    denoiser = next(card for card in one.cards.values() if card["name"] == "fashion_mnist-denoiser-stability-0.25")
    network = one.cards[runs["gaussian-0.25"].meta.network.sha256]
    text = " ".join(DOCUMENT.read_text().split())
    for said in (
        f"a denoiser of {denoiser['parameters']:,} parameters",
        f"860 and {denoiser['training_seconds']:,} s of one core",
        f"behind the one that ships on {denoiser['test_accuracy_under_noise']} %",
        f"trained under that noise on {network['test_accuracy_under_noise']:.2f} %",
        f"a NAC of {denoised.nac:.1f} and an ACR of {denoised.acr:.3f}, that",
        f"that ResNet-8 {trained.nac:.1f} and {trained.acr:.3f}",
        f"Paired by image the difference is {difference}",
        f"{heights['denoised']} at a NAC of 90 %, against {heights['trained']}",
    ):
        assert said in text


def test_methods_that_the_paper_does_not_have_come_last(cifar10):
    one, _ = cifar10
    first = one.at_training_noise[0]
    info = replace(first.meta.network, training="denoised")
    denoised = replace(first, meta=replace(first.meta, name="a", network=info))
    assert zoo.by_noise_and_method([denoised, first]) == [first, denoised]


def test_the_papers_row_is_as_printed_and_its_costs_follow_from_the_recipe(cifar10):
    row = cifar10[1]["0.25", "smoothadv", PAPERS]
    assert (row["NAC"], row["ACR"], row["certified at 0.25"], row["certified at 0.5"]) == (
        "74.2",
        "0.544",
        "66.8",
        "57.2",
    )
    assert row["parameters"] == "1,730,714"
    macs = ARCHITECTURES["resnet110"].macs
    assert row["training, 10¹² multiplications"] == f"{50_000 * 150 * 8 * (1 + 10) * macs / 1e12:,.0f}"
    assert row["sampling, 10¹² multiplications"] == f"{500 * 100_100 * macs / 1e12:,.0f}"
    assert cifar10[1]["1", "smoothadv", PAPERS]["certified at 0.25"] == zoo.NONE  # not printed


def test_our_row_is_the_runs_and_its_cards(cifar10):
    one, rows = cifar10
    run = next(run for run in one.at_training_noise if run.meta.network.training == "consistency")
    row, alone, card = (
        rows["0.25", "consistency", f"our {one.architecture(run)}"],
        standalone(run),
        one.cards[run.meta.network.sha256],
    )
    assert (row["NAC"], row["ACR"]) == (f"{alone.nac:.1f}", f"{alone.acr:.3f}")
    assert (row["parameters"], row["training, seconds"]) == (f"{card['parameters']:,}", f"{card['training_seconds']:,}")


@pytest.mark.parametrize(("hyper", "times"), [({}, 1), ({"copies": 2}, 2), ({"copies": 4, "steps": 10}, 44)])
def test_noise_vectors_and_steps_of_attacks_are_passes(hyper, times):
    assert zoo.passes(60_000, 8, hyper) == 480_000 * times


def test_data_that_the_paper_does_not_use_has_no_table_beside_it(folder):
    (one,) = zoo.zoos(folder)
    assert list(zoo.paper_rows(one)) == []


def test_a_copy_of_the_entropies_selects_exactly_as_they_do(folder):
    table = dict(zoo.report(folder))["Entropy against selection networks: fashion_mnist"]
    entropy, copied = (line.strip("| ").split(" | ") for line in table.splitlines()[2:])
    assert copied[1:-1] == entropy[1:-1]
    assert copied[-1] == "+0.0000 [+0.0000, +0.0000]"


def test_tables_replace_those_of_their_heading_and_new_ones_come_last(tmp_path):
    document = tmp_path / "zoo.md"
    document.write_text("# Zoo\n\n### One\n\n| old |\n|---|\n\nWords.\n")
    zoo.write_into(document, [("One", "| a |\n|---|"), ("Two", "| b |\n|---|")])
    expected = "# Zoo\n\n### One\n\n| a |\n|---|\n\nWords.\n\n### Two\n\n| b |\n|---|\n"
    assert document.read_text() == expected
    zoo.write_into(document, [("One", "| a |\n|---|"), ("Two", "| b |\n|---|")])
    assert document.read_text() == expected
