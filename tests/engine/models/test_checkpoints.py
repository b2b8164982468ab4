"""Checkpoints as the field publishes them, fabricated key by key, come back with the logits they were made with."""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine import datasets
from engine.datasets import ImageSet
from engine.errors import AcesError
from engine.models import ARCHITECTURES, Hints, Normalizer, load, probe, weights_sha256
from engine.models.files import strip_prefixes
from engine.models.lanet import LaNet
from engine.models.own import find
from engine.models.resnet import CifarResNet
from tests import ROOT

CIFAR_MEAN, CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LANET_MEAN, LANET_STD = (0.49139968, 0.48215827, 0.44653124), (0.24703233, 0.24348505, 0.26158768)
ONES = (1.0, 1.0, 1.0)


class First(nn.Module):
    """The normaliser of the smoothing repositories: its constants are plain attributes, in no state dict."""

    def __init__(self, mean=(0.0, 0.0, 0.0), std=ONES) -> None:
        super().__init__()
        self.means, self.sds = torch.tensor(mean), torch.tensor(std)

    def forward(self, x):
        return (x - self.means.view(-1, 1, 1)) / self.sds.view(-1, 1, 1)


def lively(net: nn.Module) -> nn.Module:
    """Give batch norms statistics of their own: at their defaults a wrong order would go unseen."""
    generator = torch.Generator().manual_seed(1)
    for name, value in net.state_dict().items():
        if name.endswith("running_mean"):
            value.copy_(0.1 * torch.randn(value.shape, generator=generator))
        elif name.endswith("running_var"):
            value.copy_(0.8 + 0.4 * torch.rand(value.shape, generator=generator))
    return net.eval()


def cohen(path: Path, net: nn.Module, arch: str, **changes) -> Path:
    """The four keys that Cohen, Salman, Consistency and the ACES authors save."""
    momentum = {"state": {94_000: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    return saved(path, {"epoch": 90, "arch": arch, "state_dict": net.state_dict(), "optimizer": momentum, **changes})


def saved(path: Path, data: object, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(data, path, **options)
    return path


def same_answers(path: Path, original: nn.Module, hints: Hints | None = None, size: int = 32):
    """The checkpoint, whose logits must be the original's to the last bit."""
    checkpoint = load(path, hints or Hints())
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, found = original(x), checkpoint.network(x)
    assert expected.std() > 1e-3
    assert torch.equal(found, expected)
    return checkpoint


def resnet110(classes: int = 10) -> nn.Module:
    return lively(CifarResNet(18, classes))


@pytest.mark.parametrize(
    ("depth", "classes", "parameters", "entries"),
    [
        (110, 10, 1_730_714, 668),
        (110, 2, 1_730_194, 668),
        (110, 1, 1_730_129, 668),
        (110, 100, 1_736_564, 668),
        (110, 1000, 1_795_064, 668),
        (20, 10, 272_474, 128),
    ],
)
def test_cifar_resnets_have_the_published_names_in_the_published_order(depth, classes, parameters, entries):
    n = (depth - 2) // 6
    batch_norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    names = ["conv1.weight", *(f"bn1.{x}" for x in batch_norm)]
    for stage in (1, 2, 3):
        for block in range(n):
            at = f"layer{stage}.{block}"
            for k in (1, 2):
                names += [f"{at}.conv{k}.weight", *(f"{at}.bn{k}.{x}" for x in batch_norm)]
            if stage > 1 and block == 0:
                names += [f"{at}.downsample.0.weight", *(f"{at}.downsample.1.{x}" for x in batch_norm)]
    net = ARCHITECTURES[f"resnet{depth}"].build(classes, 3)
    assert list(net.state_dict()) == [*names, "fc.weight", "fc.bias"]
    assert len(net.state_dict()) == entries
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_lanet_has_the_published_counts_with_and_without_the_auxiliary_head():
    with torch.device("meta"):
        bare, whole, small = LaNet(), LaNet(auxiliary=True), LaNet(width=36)
    assert sum(p.numel() for p in bare.parameters()) == 44_591_498
    assert sum(p.numel() for p in whole.parameters()) == 45_256_340
    assert len(whole.state_dict()) == 1726
    assert sum(p.numel() for p in small.parameters()) == pytest.approx(3.71e6, rel=2e-3)
    assert whole.auxiliary_head.classifier.in_features == 768


def test_cohen_on_cifar10(tmp_path):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), resnet110())
    path = cohen(tmp_path / "cifar10" / "gaussian" / "noise_0.25" / "checkpoint.pth.tar", net, "cifar_resnet110")
    loaded = same_answers(path, net)
    assert (loaded.card.architecture, loaded.outputs, loaded.normalizer) == ("resnet110", 10, Normalizer.NORMALIZE)
    assert (loaded.card.name, loaded.card.training, loaded.card.sigma_train) == ("noise_0.25", "gaussian", 0.25)


def test_cohen_on_imagenet(tmp_path):
    net = nn.Sequential(First(IMAGENET_MEAN, IMAGENET_STD), nn.DataParallel(lively(find("resnet50").build(1000, 3))))
    assert "1.module.conv1.weight" in net.state_dict()
    assert len(net.state_dict()) == 320
    path = cohen(tmp_path / "checkpoint.pth.tar", net, "resnet50")
    loaded = same_answers(path, net, size=64)
    assert (loaded.card.architecture, loaded.card.dataset, loaded.outputs) == ("resnet50", "imagenet", 1000)


SALMAN = "PGD_10steps_multiNoiseSamples-8-multitrain-eps_255-cifar10-resnet110-noise_025"


@pytest.mark.parametrize(
    ("place", "std", "kind"),
    [
        (f"cifar10/smoothadv/checkpoint-cifar10-{SALMAN}.pth.tar", ONES, Normalizer.CENTER),
        ("cifar10/PGD_2steps/eps_64/noise_0.25/checkpoint.pth.tar", ONES, Normalizer.CENTER),
        ("cifar10/finetune_cifar_from_imagenetPGD2steps/PGD_10steps/checkpoint.pth.tar", CIFAR_STD, "normalize"),
        ("cifar10/self_training/PGD_4steps/checkpoint.pth.tar", CIFAR_STD, Normalizer.NORMALIZE),
    ],
)
def test_salman_behind_the_normaliser_that_the_path_tells(tmp_path, place, std, kind):
    net = nn.Sequential(First(CIFAR_MEAN, std), resnet110())
    loaded = same_answers(cohen(tmp_path / place, net, "cifar_resnet110"), net)
    assert loaded.normalizer == kind
    assert "SmoothAdv" in loaded.why


@pytest.mark.parametrize(("kind", "mean", "std"), [("center", CIFAR_MEAN, ONES), ("none", (0.0, 0.0, 0.0), ONES)])
def test_a_normaliser_that_is_asked_for_wins(tmp_path, kind, mean, std):
    net = nn.Sequential(First(mean, std), resnet110())
    path = cohen(tmp_path / "checkpoint.pth.tar", net, "cifar_resnet110")
    assert same_answers(path, net, Hints(normalizer=Normalizer(kind))).why == "as asked for"


def test_salman_on_small_imagenet_uses_the_constants_of_cifar10(tmp_path):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), resnet110(1000))
    path = cohen(tmp_path / "imagenet32" / "PGD_2steps" / "checkpoint.pth.tar", net, "imagenet32_resnet110")
    assert same_answers(path, net).outputs == 1000


def test_macer(tmp_path):
    net = resnet110()
    path = saved(tmp_path / "macer" / "noise_0.25" / "0.25.pth", {"net": net.state_dict(), "epoch": 440})
    loaded = same_answers(path, net)
    assert (loaded.card.architecture, loaded.normalizer) == ("resnet110-macer", Normalizer.NONE)
    assert (loaded.card.training, loaded.card.sigma_train, loaded.format) == ("macer", 0.25, "MACER")


def test_consistency(tmp_path):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), lively(CifarResNet(3, 10)))
    path = cohen(tmp_path / "consistency" / "noise_0.50" / "checkpoint.pth.tar", net, "cifar_resnet20")
    loaded = same_answers(path, net)
    assert (loaded.card.architecture, loaded.card.training, loaded.card.sigma_train) == ("resnet20", "consistency", 0.5)


@pytest.mark.parametrize(("outputs", "arch"), [(2, "cifar_resnet110"), (2, "cifar_resnet110_binary"), (1, "any")])
def test_the_authors_selection_networks_whatever_arch_says(tmp_path, outputs, arch):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), resnet110(outputs))
    folder = tmp_path / "gaussian" / "noise_0.25_selection_model" / "selection_model_gaussian_025_binary_050"
    loaded = same_answers(cohen(folder / "checkpoint.pth.tar", net, arch), net)
    assert (loaded.outputs, loaded.card.architecture, loaded.card.sigma_train) == (outputs, "resnet110", 0.25)


def test_smoothing_ensembles_in_the_old_format_of_torch(tmp_path):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), resnet110())
    state = OrderedDict((name, t) for name, t in net.state_dict().items() if "num_batches_tracked" not in name)
    data = {"epoch": 150, "arch": "cifar_resnet110", "state_dict": state, "optimizer": {}}
    path = saved(tmp_path / "checkpoint-1000.pth.tar", data, _use_new_zipfile_serialization=False)
    assert same_answers(path, net).card.name == "checkpoint-1000"


def test_acr_weakness(tmp_path):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), lively(CifarResNet(8, 10)))
    assert same_answers(cohen(tmp_path / "a.pth.tar", net, "cifar_resnet50"), net).card.architecture == "resnet50-cifar"
    cifar100 = datasets.card("cifar100")
    net = nn.Sequential(First(cifar100.mean, cifar100.std), resnet110(100))
    path = cohen(tmp_path / "b.pth.tar", net, "cifar100_resnet110")
    assert same_answers(path, net, Hints(dataset=cifar100)).outputs == 100


def test_data_dependent_smoothing(tmp_path):
    body = lively(find("resnet18-ddrs").build(10, 3))
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), body)
    path = saved(tmp_path / "cifar10.pth", {"state_dict": body.state_dict(), "epoch": 3})
    assert same_answers(path, net).card.architecture == "resnet18-ddrs"


def test_lanet(tmp_path):
    body = LaNet(auxiliary=True).train()
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # one pass settles the statistics: at random weights activations would overflow
    with torch.inference_mode():
        body.with_auxiliary(torch.rand(2, 3, 32, 32))
    body.eval()
    net = nn.Sequential(First(LANET_MEAN, LANET_STD), body)
    optimizer = {"state": {}, "param_groups": []}
    data = {"epoch": 600, "model_state_dict": body.state_dict(), "optimizer_state_dict": optimizer}
    path = saved(tmp_path / "lanas_128_99.03" / "top1.pt", data)
    loaded = same_answers(path, net)
    assert (loaded.card.architecture, loaded.card.name, loaded.outputs) == ("lanet", "lanas_128_99.03", 10)


def test_efficientnet_whose_file_is_the_state_dict(tmp_path):
    body = lively(find("efficientnet-b0").build(1000, 3))
    net = nn.Sequential(First(IMAGENET_MEAN, IMAGENET_STD), body)
    path = saved(tmp_path / "efficientnet-b0-355c32eb.pth", body.state_dict())
    loaded = same_answers(path, net, size=64)
    assert (loaded.card.architecture, loaded.transform.crop) == ("efficientnet-b0", 224)


def test_a_bare_state_dict_as_safetensors(tmp_path):
    body = lively(CifarResNet(3, 10))
    save_file(body.state_dict(), tmp_path / "net.safetensors")
    same_answers(tmp_path / "net.safetensors", nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), body))


def test_forks_that_register_the_normalisers_constants(tmp_path):
    body = lively(CifarResNet(3, 10))
    inside = {f"1.{name}": tensor for name, tensor in body.state_dict().items()}
    center = {"0.means": torch.tensor(CIFAR_MEAN), **inside}
    path = saved(tmp_path / "a.pth.tar", {"state_dict": center, "arch": "cifar_resnet20"})
    assert same_answers(path, nn.Sequential(First(CIFAR_MEAN), body)).normalizer == Normalizer.CENTER
    other = {"0.means": torch.tensor(IMAGENET_MEAN), "0.sds": torch.tensor(IMAGENET_STD), **inside}
    path = saved(tmp_path / "b.pth.tar", {"state_dict": other})
    with pytest.raises(AcesError, match=r"normalises with means .* name the right dataset"):
        load(path)


def test_prefixes_are_stripped_only_when_all_names_share_them():
    tensor = torch.zeros(1)
    assert list(strip_prefixes({"module.1.a": tensor, "module.1.b": tensor})) == ["a", "b"]
    assert list(strip_prefixes({"1.module.a": tensor, "1.module.1.b": tensor})) == ["a", "1.b"]
    assert list(strip_prefixes({"1.a": tensor, "fc.b": tensor})) == ["1.a", "fc.b"]


def test_identity_depends_on_weights_and_normaliser_not_on_the_file(tmp_path):
    body = lively(CifarResNet(3, 10))
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), body)
    a = cohen(tmp_path / "a.pth.tar", net, "cifar_resnet20")
    b = saved(tmp_path / "b.pt", body.state_dict(), _use_new_zipfile_serialization=False)
    assert load(a).sha256 == load(b).sha256 == weights_sha256(load(a).network)
    assert load(a, Hints(normalizer=Normalizer.CENTER)).sha256 != load(a).sha256


def test_the_demos_networks_keep_their_identity():
    demo = ROOT / "cache" / "demo"
    known = {
        "fashion_mnist-core": "cea10843f4efd3e2",
        "fashion_mnist-gaussian-0.5": "871952072a44ce74",
    }
    assert {name: load(demo / f"{name}.safetensors").sha256[:16] for name in known} == known


# --- which normaliser -----------------------------------------------------------------------------------------------


def bright_or_dark(n: int = 60) -> ImageSet:
    """Two classes of bright images that a threshold tells apart, exactly where the normaliser is the right one."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % 2
    images = (180 + 40 * label[:, None, None, None] + rng.integers(-5, 6, (n, 3, 32, 32))).astype(np.uint8)
    return ImageSet("cifar10", "test", np.arange(n), label, images)


def threshold_at(value: float) -> nn.Module:
    """Says 1 where what it sees is above ``value`` on average, among ten classes."""
    net = CifarLike()
    with torch.no_grad():
        net.fc.weight.zero_()
        net.fc.bias.fill_(-1e3)
        net.fc.weight[1], net.fc.bias[0], net.fc.bias[1] = 1.0, 0.0, -3 * value
    return net


class CifarLike(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 10)

    def forward(self, x):
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize(
    ("kind", "middle"), [(Normalizer.NONE, 0.784), (Normalizer.CENTER, 0.311), (Normalizer.NORMALIZE, 1.55)]
)
def test_the_probe_finds_the_normaliser_that_a_network_was_trained_behind(tmp_path, kind, middle):
    path = saved(tmp_path / "net.pth", threshold_at(middle).state_dict())
    hints = Hints(architecture=f"{__name__}:CifarLike", dataset=datasets.card("cifar10"))
    checkpoint, scores = probe(path, hints, bright_or_dark(), sigma=0.05)
    assert checkpoint.normalizer == kind
    assert scores.accuracy[kind] == 100
    assert "by a probe" in checkpoint.why


def test_a_probe_without_a_clear_winner_says_so(tmp_path):
    path = saved(tmp_path / "net.pth", threshold_at(-9.0).state_dict())  # says 1 whatever it sees
    hints = Hints(architecture=f"{__name__}:CifarLike", dataset=datasets.card("cifar10"))
    checkpoint, scores = probe(path, hints, bright_or_dark(), sigma=0.25)
    assert scores.close
    assert "too close to tell" in checkpoint.why


# --- bad input ------------------------------------------------------------------------------------------------------


class Payload:
    """What a malicious pickle does when it is loaded carelessly."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: {"state_dict": {"a": p}}, lambda p: {"net": {}, "epoch": p}])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_does_nothing(tmp_path, wrap, zipped):
    marker = tmp_path / "it-ran"
    path = saved(tmp_path / "evil.pth.tar", wrap(Payload(marker)), _use_new_zipfile_serialization=zipped)
    with pytest.raises(AcesError, match=r"refused: it names \w+\.system"):
        load(path)
    assert not marker.exists()


def test_a_whole_pickled_network_is_refused(tmp_path):
    with pytest.raises(AcesError, match=r"refused: it names .*; save its state dict alone"):
        load(saved(tmp_path / "net.pt", CifarResNet(1, 10)))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("keep", [0.5, 0.99, 0.0])
def test_a_truncated_checkpoint_says_so(tmp_path, keep, zipped):
    net = CifarResNet(1, 10)
    path = saved(tmp_path / "net.pth.tar", {"state_dict": net.state_dict()}, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(AcesError, match=r"net\.pth\.tar is (damaged|empty|refused)") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([torch.zeros(1)], "holds a list, not weights by name"),
        ({}, "holds no weights by name"),
        ({"state_dict": {}}, "holds no weights by name"),
        ({"state_dict": {"a": 1}}, "'a' is no tensor"),
        ({"epoch": 3}, "'epoch' is no tensor"),
    ],
)
def test_files_without_weights_say_what_they_hold(tmp_path, data, message):
    with pytest.raises(AcesError, match=message):
        load(saved(tmp_path / "net.pth", data))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AcesError, match=r"no checkpoint at .*absent\.pth"):
        load(tmp_path / "absent.pth")


def test_weights_that_fit_nothing_name_the_nearest_architecture_and_what_differs(tmp_path):
    state = CifarResNet(3, 10).state_dict()
    del state["layer1.0.conv1.weight"]
    path = saved(tmp_path / "net.pth.tar", {"state_dict": {**state, "extra": torch.zeros(1)}, "arch": "lenet"})
    differs = r"nearest is resnet20: 1 missing: layer1\.0\.conv1\.weight; 1 unexpected: extra"
    with pytest.raises(AcesError, match=rf"\(the file says lenet\); {differs}"):
        load(path)


def test_a_wrong_architecture_is_refused_with_the_one_that_fits(tmp_path):
    path = saved(tmp_path / "net.pth", CifarResNet(3, 10).state_dict())
    with pytest.raises(AcesError, match=r"do not fit resnet110 \(450 missing: .*\); they fit resnet20"):
        load(path, Hints(architecture="resnet110"))


def test_colour_networks_are_refused_on_grey_images(tmp_path):
    path = saved(tmp_path / "net.pth", CifarResNet(3, 10).state_dict())
    with pytest.raises(AcesError, match="reads images of 3 channels; those of fashion_mnist have 1"):
        load(path, Hints(dataset=datasets.card("fashion_mnist")))


# --- networks of one's own ------------------------------------------------------------------------------------------


def tiny() -> nn.Module:
    """A network that a user might bring."""
    torch.manual_seed(3)
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, 10))


def test_a_function_of_ones_own_reads_images_as_they_are(tmp_path):
    net = tiny()
    path = saved(tmp_path / "mine.pth", net.state_dict())
    hints = Hints(architecture=f"{__name__}:tiny", dataset=datasets.card("cifar10"))
    assert same_answers(path, net, hints).normalizer == Normalizer.NONE
    with pytest.raises(AcesError, match="is the module on PYTHONPATH"):
        load(path, Hints(architecture="nowhere:tiny"))


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_torchscript_brings_its_own_code(tmp_path):
    net = tiny().eval()
    path = tmp_path / "mine.pt"
    torch.jit.script(net).save(str(path))
    hints = Hints(dataset=datasets.card("cifar10"), trust=True)
    loaded = same_answers(path, net, hints)
    assert (loaded.format, loaded.card.architecture, loaded.outputs) == ("TorchScript", "torchscript", None)
    path.write_bytes(path.read_bytes() + b" ")
    assert load(path, hints).sha256 != loaded.sha256


def test_any_model_of_timm_by_name(tmp_path):
    timm = pytest.importorskip("timm")
    net = lively(timm.create_model("resnet10t", num_classes=10))
    path = saved(tmp_path / "net.pth", net.state_dict())
    loaded = load(path, Hints(architecture="timm:resnet10t"))
    assert (loaded.outputs, loaded.transform.crop) == (10, 176)
    with pytest.raises(AcesError, match="timm knows no model 'resnet10x'"):
        load(path, Hints(architecture="timm:resnet10x"))


def test_without_timm_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(AcesError, match="pip install timm"):
        find("timm:resnet18")


def test_weights_that_nobody_publishes_are_asked_for_as_a_file():
    with pytest.raises(AcesError, match="nobody publishes weights of lanet"):
        load(Path("published"), Hints(architecture="lanet"))


def test_published_weights_that_cannot_be_downloaded_say_which_file_to_put_where(tmp_path, monkeypatch):
    def offline(*_args, **_kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(AcesError, match=r"put that file at .*checkpoints.efficientnet-b7-dcc49843\.pth"):
        load(Path("published"), Hints(architecture="efficientnet-b7"))
