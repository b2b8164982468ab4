"""What a checkpoint's path tells where the file itself does not: training method, training noise, normaliser."""

from __future__ import annotations

import re
from pathlib import Path

from engine.models.network import Constants, Normalizer

TRAININGS = ("gaussian", "smoothadv", "macer", "consistency")
SMOOTHADV = re.compile(r"smoothadv|(PGD|DDN)[_-]?\d", re.IGNORECASE)
# Salman et al. 2019, README: these divide by the deviation as well; their other networks only subtract the mean.
SMOOTHADV_NORMALIZED = re.compile(r"imagenet32|finetune_cifar_from_imagenetPGD2steps|self_training")
# noise_0.25, noise_025, ...-DDN2-512-025, gaussian-0.25, MACER's 0.25.pth
NOISE = re.compile(r"(?:noise[_-]?|-)(\d\.\d+|0\d\d|100)(?![\d.])")
NOISE_STEM = re.compile(r"(\d\.\d+)\.(?:pth|pt|tar)")

# Files under the names that their authors gave them, and what stands in front of such a network: no file says it.
ADVPROP = re.compile(r"(adv-efficientnet-b\d|tf_efficientnet_\w+_ap)-[0-9a-f]{8}\.pth")
TORCHVISION = re.compile(
    r"(alexnet|convnext|densenet|efficientnet|googlenet|mnasnet|mobilenet|regnet|resnet|resnext|shufflenet|squeezenet|swin|"
    r"vgg|vit|wide_resnet)\w*-[0-9a-f]{8}\.pth"
)
HALVES = Constants((0.5,), (0.5,))
IMAGENET = Constants((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def published_normalizer(path: Path) -> tuple[Constants, str] | None:
    """The normaliser of a published ImageNet network, by its file's name; None where that says nothing."""
    if ADVPROP.fullmatch(path.name):
        return HALVES, "the name says AdvProp, whose networks read 2x - 1"
    if TORCHVISION.fullmatch(path.name):
        return IMAGENET, "the name is one of torchvision's, whose networks read ImageNet's"
    return None


def training_of(path: Path) -> str | None:
    """The training method that a folder or the file name says."""
    text = str(path).lower()
    named = [method for method in TRAININGS if method in text]
    if len(named) == 1:
        return named[0]
    return "smoothadv" if not named and SMOOTHADV.search(text) else None


def sigma_of(path: Path) -> float | None:
    """The training noise in pixel units that file name or folders say, the nearest to the file first."""
    stem = NOISE_STEM.fullmatch(path.name)
    found = [stem[1]] if stem else NOISE.findall(re.sub(r"(\.pth|\.pt|\.tar|\.safetensors)+$", "", str(path)))
    if not found:
        return None
    return float(found[-1]) if "." in found[-1] else int(found[-1]) / 100


def normalizer_of(path: Path) -> tuple[Normalizer, str]:
    """The normaliser that a Cohen-style checkpoint was trained behind, and why it is believed to be so."""
    text = str(path)
    if SMOOTHADV_NORMALIZED.search(text) or not SMOOTHADV.search(text):
        return Normalizer.NORMALIZE, "the usual one; nothing in the path says SmoothAdv"
    return Normalizer.CENTER, "the path says SmoothAdv, whose networks subtract the mean only"


def name_of(path: Path) -> str:
    """A name for a network: its file's, or its folder's where the file is called ``checkpoint`` or the like."""
    stem = re.sub(r"(\.pth|\.pt|\.tar|\.safetensors)+$", "", path.name)
    return path.parent.name if stem in ("checkpoint", "model", "best", "top1") and path.parent.name else stem
