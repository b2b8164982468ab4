"""Growth is one entry: somebody else's mechanism, noise or correction, through sampling, certificates and pages."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.pages import PAGES, PageCard
from engine import mechanisms
from engine.datasets import DATASETS, DatasetCard, ImageSet, on_disk
from engine.errors import AcesError
from engine.mechanisms import MECHANISMS, Mechanism, Words
from engine.models import build, load
from engine.models.formats import FORMATS, CheckpointFormat
from engine.models.network import Normalizer
from engine.published import import_logs
from engine.records.compose import compose
from engine.records.runs import read_run
from engine.sampling.config import Config, read_config
from engine.smoothing import SMOOTHINGS, Smoothing
from engine.statistics import corrections
from engine.statistics.aces import Outcome, certify
from engine.statistics.bounds import ceiling
from engine.statistics.corrections import CORRECTIONS, Correction, CorrectionCard, Levels
from engine.statistics.explain import explain
from engine.training.presets import preset
from tests import toy


def least_margin(logits):
    """One less the margin of the two likeliest classes."""
    first, second = logits.float().softmax(1).topk(2, dim=1).values.unbind(1)
    return (1 - (first - second)).clamp(0.0, 1.0)


@pytest.fixture
def margin(monkeypatch: pytest.MonkeyPatch) -> Mechanism:
    card = Mechanism("margin", least_margin, lambda m: m, Words("margin", "lost margin", "a lost margin", "margin"))
    monkeypatch.setitem(MECHANISMS, card.name, card)
    return card


@pytest.fixture
def three_quarters(monkeypatch: pytest.MonkeyPatch) -> Correction:
    """Three quarters of alpha for the selection, the rest for the class: a Bonferroni correction, unevenly shared."""
    card = CorrectionCard("three-quarters", Levels(4 / 3, 4, 4 / 3, 4), "Three quarters of α go to the selection.")
    monkeypatch.setitem(CORRECTIONS, card.name, card)
    return Correction(card.name)


def laplace_noise(shape, generator, device):
    """Of deviation 1, by its distribution function's inverse."""
    u = torch.rand(shape, generator=generator, device=device) - 0.5
    return -u.sign() * (1 - 2 * u.abs()).clamp_min(1e-30).log() / math.sqrt(2)


def laplace_link(p):
    """b log(1 / (2 (1 - p))) for p >= 1/2, b = 1 / sqrt 2 (Teng, Lee, Yuan 2020), and odd about it."""
    smaller = np.minimum(p, 1 - p)
    return np.sign(p - 0.5) * -np.log(2 * smaller) / math.sqrt(2)


@pytest.fixture
def laplace(monkeypatch: pytest.MonkeyPatch) -> Smoothing:
    card = Smoothing(
        name="laplace",
        order=1,
        noise=laplace_noise,
        shown=lambda rng, shape: rng.laplace(0, 1 / math.sqrt(2), shape),
        link=laplace_link,
        label="Laplace noise",
        source="Teng, Lee, Yuan 2020",
        tex=r"\ell({p})",
        text="ℓ({p})",
    )
    monkeypatch.setitem(SMOOTHINGS, card.name, card)
    return card


@pytest.mark.usefixtures("toy_dataset")
def test_noise_is_sampled_kept_composed_and_certified_under_its_name(call, laplace, tmp_path):
    config = toy.config(tmp_path)
    entry = "  - {checkpoint: noisy.safetensors, smoothing: laplace}\n"
    config.write_text(config.read_text().replace("core:", f"{entry}core:"))
    store = ("--cache", tmp_path / "store")
    status, _, err = call("precompute", config, *store)
    assert status == 0, err
    runs = {}
    for name in ("noisy", "noisy@laplace-0.25"):
        assert call("export", name, "-o", tmp_path / "run.npz", *store)[0] == 0
        runs[name] = read_run(tmp_path / "run.npz")
    plain, other = runs.values()
    assert (plain.meta.version, other.meta.version) == (1, 2)
    assert other.meta.smoothing == laplace.name
    assert not np.array_equal(plain.select_counts, other.select_counts)  # draws of their own
    chosen = ("--certify", "noisy@laplace-0.25", "--core", "plain")
    status, _, err = call("table", *chosen, "--theta", "1", *store)
    assert (status, err.strip()) == (0, "radii are ℓ1, under Laplace noise")
    core = toy.core_run(n_images=len(other.index))
    answer = certify(compose(other, replace(core, index=other.index, label=other.label)), [1.0])
    assert answer.radius.max() <= ceiling(0.25, other.meta.n, 0.001, laplace_link)
    assert answer.radius.max() > 0


@pytest.mark.usefixtures("toy_dataset")
def test_a_mechanism_is_sampled_kept_and_composed_under_its_name(call: Callable, margin: Mechanism, tmp_path: Path):
    config = toy.config(tmp_path)
    entry = "{checkpoint: noisy.safetensors, mechanism: margin, name: by-margin}"
    config.write_text(f"{config.read_text()}select:\n  - {entry}\n")
    store = ("--cache", tmp_path / "store")
    status, _, err = call("precompute", config, *store)
    assert status == 0, err
    exported = tmp_path / "by-margin.npz"
    assert call("export", "by-margin", "-o", exported, *store)[0] == 0
    run = read_run(exported)
    assert run.meta.mechanism == margin.name
    assert mechanisms.words_of(run.meta).score == "lost margin"
    chosen = ("--certify", "noisy", "--core", "plain", "--select", "by-margin")
    assert call("table", *chosen, "--theta", "0:1:0.5", *store)[0] == 0


@pytest.mark.parametrize("words_are_given", [True, False])
def test_a_mechanisms_words_are_what_an_explanation_says(margin, monkeypatch, words_are_given):
    if not words_are_given:
        monkeypatch.setitem(MECHANISMS, margin.name, Mechanism(margin.name, least_margin, lambda m: m))
    c = compose(toy.smoothed_run(), toy.core_run())
    words = mechanisms.words_for(margin.name)
    said = explain(c, int(c.index[0]), 0.5, 0.001, Correction.BONFERRONI, words).words
    assert said.score == ("lost margin" if words_are_given else "margin score")


def test_a_correction_certifies_between_the_levels_that_it_names(three_quarters):
    c = compose(toy.smoothed_run(), toy.core_run())
    found = certify(c, [0.3, 0.6], 0.01, three_quarters)
    parts = {share: certify(c, [0.3, 0.6], share, Correction.BONFERRONI) for share in (0.015, 0.005)}
    np.testing.assert_array_equal(found.radius_select, parts[0.015].radius_select)
    np.testing.assert_array_equal(found.radius_certify, parts[0.005].radius_certify)
    assert {Outcome.CERTIFIED, Outcome.CORE} <= set(np.unique(found.outcome))


@pytest.mark.usefixtures("toy_dataset")
def test_a_correction_is_an_option_of_the_command_line_and_of_the_page(call, three_quarters, tmp_path, open_app):
    store = ("--cache", tmp_path / "store")
    assert call("precompute", toy.config(tmp_path), *store)[0] == 0
    table = ("table", "--certify", "noisy", "--core", "plain", *store)
    status, out, err = call(*table, "--correction", three_quarters)
    assert (status, err, bool(out)) == (0, "", True)
    assert call(*table, "--correction", "holm")[0] == 2
    page = open_app("certify")
    box = page.selectbox(key="correction")
    assert three_quarters in box.options
    box.set_value(str(three_quarters)).run()
    assert corrections.CORRECTIONS[three_quarters].promises in [one.value for one in page.caption]


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DatasetCard:
    """Bright, grey and dark squares in one file below the data folder; of their networks, others published logs."""

    def read(split: str, place: Path | None = None) -> ImageSet:
        images = np.load((place or tmp_path / "shapes") / f"{split}.npy")
        return ImageSet("shapes", split, np.arange(24), np.arange(24) % 3, images)

    card = DatasetCard(
        name="shapes", title="Shapes", classes=("dark", "grey", "bright"), shape=(1, 8, 8), mean=(0.4,), std=(0.3,),
        every=4, reader=read, recipes="mnist", files=("shapes/test.npy",), images=24, logged_as=("shapes-v2",),
    )  # fmt: skip
    monkeypatch.setitem(DATASETS, card.name, card)
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    return card


def write_shapes(folder: Path) -> None:
    folder.mkdir()
    for split in ("train", "test"):
        np.save(folder / f"{split}.npy", toy.images(split).images)


def test_a_dataset_is_found_on_the_disk_and_read_by_its_reader(shapes: DatasetCard, tmp_path: Path):
    assert not on_disk(shapes.name)
    write_shapes(tmp_path / "shapes")
    write_shapes(tmp_path / "elsewhere")
    assert on_disk(shapes.name)
    for data in (None, {"path": tmp_path / "elsewhere"}):
        images = Config(dataset=shapes.name, data=data).images()
        assert images.index.tolist() == [0, 4, 8, 12, 16, 20]
        assert (images.array() == toy.images("test").every(4).array()).all()


def test_a_dataset_is_named_in_configs_and_on_the_command_line_and_trained_by_its_recipes(shapes, call, tmp_path):
    write_shapes(tmp_path / "shapes")
    assert preset("paper", "macer", shapes.name, 0.5) == preset("paper", "macer", "fashion_mnist", 0.5)
    train = ("train", "gaussian", "--sigma", "0.25", "--epochs", "1", "-o", tmp_path / "models")
    status, out, err = call(*train, "--dataset", "shape")
    assert (status, out) == (2, "")
    assert (
        "unknown dataset 'shape'; known: fashion_mnist, cifar10, cifar100, imagenet, imagenet_preview, shapes\n" in err
    )
    status, _, err = call(*train, "--dataset", shapes.name)
    assert status == 0, err
    config = tmp_path / "shapes.yaml"
    config.write_text("dataset: shapes\ncertify: [{checkpoint: models/shapes-gaussian-0.25.safetensors}]\n")
    assert read_config(config).card() is shapes
    config.write_text("dataset: shape\n")
    with pytest.raises(AcesError, match=r"unknown dataset 'shape'; known: .*, shapes$"):
        read_config(config)


def test_a_datasets_published_logs_are_recognised_by_their_folder(shapes: DatasetCard, tmp_path: Path):
    log = tmp_path / "shapes-v2" / "gaussian" / "noise_0.25" / "eval.tsv"
    log.parent.mkdir(parents=True)
    rows = [f"{index}\t{index % 3}\t{index % 3}\t0.4\t1\t0:00:01" for index in range(0, 24, 2)]
    text = "\n".join(["idx\tlabel\tpredict\tradius\tcorrect\ttime", *rows[:-1], ""])
    log.write_text(text)
    meta = import_logs(log)[0].meta
    assert (meta.dataset, meta.num_classes, meta.network.training) == (shapes.name, shapes.num_classes, "gaussian")
    assert "holds 11 of the 12 images 0, 2, ..., 22: the first missing is 22" in meta.extra["notes"]
    log.write_text(text.replace("20\t2\t2", "24\t0\t0"))
    with pytest.raises(AcesError, match="idx is '24'"):
        import_logs(log)


def test_a_page_is_opened_under_its_path(monkeypatch, tmp_path, open_app):
    (tmp_path / "greeting.py").write_text(
        "import streamlit as st\n\n\ndef show(settings):\n    st.write('greetings')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(PAGES, "greeting", PageCard("greeting", "Greeting", "greeting", needs_runs=False))
    page = open_app("greeting")
    assert "greetings" in [one.value for one in page.markdown]
    assert "greetings" not in [one.value for one in open_app("runs").markdown]


def test_a_checkpoint_format_is_read_with_what_its_card_says(monkeypatch, tmp_path):
    def centred(path, architecture):
        return Normalizer.CENTER, f"{path.name} holds a {architecture.name}"

    card = CheckpointFormat("a house's", "house", "house-training", centred, {"resnet110": "resnet110-macer"})
    monkeypatch.setitem(FORMATS, card.key, card)
    path = tmp_path / "net.pt"
    torch.save({"house": build("resnet110", "cifar10").body.state_dict(), "epoch": 3}, path)
    loaded = load(path)
    assert (loaded.format, loaded.card.training, loaded.card.architecture) == (
        "a house's",
        "house-training",
        "resnet110-macer",
    )
    assert (loaded.normalizer, loaded.why) == (Normalizer.CENTER, "net.pt holds a resnet110-macer")
    monkeypatch.delitem(FORMATS, card.key)
    unknown = load(path)
    assert (unknown.format, unknown.card.architecture) == ("state dict under house", "resnet110")
