from __future__ import annotations

import pytest
from safetensors.torch import save_file

from engine.errors import AcesError
from engine.models import architecture, assemble
from engine.sampling.config import read_config
from engine.sampling.plan_runs import jobs
from tests import toy
from tests.engine.sampling.sampled_runs import selecting

pytestmark = pytest.mark.usefixtures("toy_dataset")


def test_other_noise_than_in_training_is_named_in_the_run(tmp_path):
    config = toy.config(tmp_path)
    text = config.read_text().replace("noisy.safetensors", "noisy.safetensors\n    sigma: [0.25, 0.5]")
    config.write_text(text)
    with pytest.raises(AcesError, match=r"trained at sigma 0.25 and is to be sampled at 0.5: .* `other_sigma: true`"):
        jobs(read_config(config))
    config.write_text(text.replace("[0.25, 0.5]", "[0.25, 0.5]\n    other_sigma: true"))
    assert [job.name for job in jobs(read_config(config))] == ["noisy", "noisy@0.5", "plain"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dataset: toy", "dataset: mnits", "unknown dataset 'mnits'; known: .*, toy$"),
        ("dataset: toy", "dataset: mnist", "of MNIST only logs can be read here"),
        ("n: 600", "n: 0", "toy.yaml: n: Input should be greater than or equal to 1"),
        ("n: 600", "draws: 600", "toy.yaml: the file: unknown key 'draws'; known: "),
        ("noisy.safetensors", "absent.safetensors", "no checkpoint at .*absent.safetensors"),
        ("n0: 50", "precision: float8", "toy.yaml: precision: Input should be"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line_that_names_it(tmp_path, old, new, message):
    config = toy.config(tmp_path)
    config.write_text(config.read_text().replace(old, new))
    with pytest.raises(AcesError, match=message) as caught:
        read_config(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("outputs", "part", "message"),
    [
        (3, "select", "has 3 outputs; selection by network needs 2"),
        (1, "select", "has one output: its softmax is 1 whatever the image"),
        (2, "certify", "has 2 outputs; toy has 3 classes"),
        (1000, "core", "has 1000 outputs; toy has 3 classes"),
    ],
)
def test_networks_that_do_not_fit_their_part_are_refused_before_anything_is_sampled(tmp_path, outputs, part, message):
    with pytest.raises(AcesError, match=message):
        jobs(read_config(selecting(tmp_path, outputs, part)))


def test_a_config_can_have_the_normaliser_probed_and_warns_when_that_tells_nothing(tmp_path, caplog):
    network = assemble(architecture("resnet8"), toy.CARD)
    path = toy.config(tmp_path)
    save_file(network.body.state_dict(), tmp_path / "noisy.safetensors")
    path.write_text(
        path.read_text().replace("noisy.safetensors", "noisy.safetensors\n    normalizer: probe\n    sigma: [0.5]")
    )
    job = jobs(read_config(path))[0]
    assert job.checkpoint.why.startswith("by a probe: normalize ")
    assert "at sigma 0.5" in job.checkpoint.why
    assert "too close to tell" in caplog.text
