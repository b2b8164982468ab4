"""The architectures that can be built by name: a frozen card each, and one builder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from engine.datasets import DatasetCard, Transform, card
from engine.errors import AcesError
from engine.models.efficientnet import (
    SIZES,
    efficientnet,
    efficientnet_lite0,
    efficientnet_lite0_x3,
    efficientnet_url,
    lite0_weights,
)
from engine.models.lanet import LaNet
from engine.models.network import Network, Normalizer, normalizer
from engine.models.resnet import HALF, STEM, CifarResNet


@dataclass(frozen=True)
class Architecture:
    """How to build one body, and what is known of it.

    ``build(num_classes, channels)`` maps normalised images to logits. ``dataset`` is the one that the card's numbers
    are for, ``size`` its input in pixels: ``parameters`` and ``macs`` (multiply-accumulates an image) at its classes.
    ``head`` is the weight whose rows are the outputs. ``mean`` and ``std``, where given, win over the dataset's.
    ``transform`` is what the network wants to see of a larger picture; ``weights`` names published ones: URL or file.
    """

    name: str
    build: Callable[[int, int], nn.Module]
    paper: str
    about: str
    dataset: str
    size: int
    parameters: int | None = None
    macs: int | None = None
    head: str = "fc.weight"
    normalizer: Normalizer = Normalizer.NORMALIZE
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    transform: Transform | None = None
    weights: Callable[[], str] | None = None

    def normalisation(self, data: DatasetCard) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation per channel on a dataset."""
        return (self.mean, self.std) if self.mean is not None and self.std is not None else (data.mean, data.std)


def _cifar_resnet(
    depth: int, dataset: str, parameters: int, macs: int, about: str, times: int = 1, half: bool = False
) -> Architecture:
    """``times``: so many times the published channels; ``half``: at half the resolution from the first layer on."""
    n, rest = divmod(depth - 2, 6)
    assert rest == 0, depth
    name = "resnet50-cifar" if depth == 50 else f"resnet{depth}"  # resnet50 is ImageNet's
    return Architecture(
        f"{name}{'' if times == 1 else f'x{times}'}{'-half' if half else ''}",
        partial(CifarResNet, n, width=16 * times, stem=HALF if half else STEM),
        "He et al. 2016",
        about,
        dataset=dataset,
        size=card(dataset).shape[1],
        parameters=parameters,
        macs=macs,
    )


def _resnet50(num_classes: int, channels: int) -> nn.Module:
    from torchvision.models import resnet50

    return _grey_or_colour(resnet50(num_classes=num_classes), channels)


def _resnet50_url() -> str:
    from torchvision.models import ResNet50_Weights

    return str(ResNet50_Weights.IMAGENET1K_V1.url)


def _resnet18_ddrs(num_classes: int, channels: int) -> nn.Module:
    """torchvision's ResNet-18 without the first batch norm; its published softmax output is left to the caller."""
    from torchvision.models import resnet18

    net = resnet18(num_classes=num_classes)
    net.bn1 = nn.Identity()
    return _grey_or_colour(net, channels)


def _grey_or_colour(net: nn.Module, channels: int) -> nn.Module:
    first = net.conv1
    assert isinstance(first, nn.Conv2d)
    if channels != first.in_channels:
        net.conv1 = nn.Conv2d(channels, first.out_channels, 7, 2, 3, bias=False)
    return net


def _efficientnet(variant: int, parameters: int, macs: int) -> Architecture:
    size = SIZES[variant]
    return Architecture(
        f"efficientnet-b{variant}",
        partial(efficientnet, variant),
        "Tan and Le 2019",
        "the paper's core network on ImageNet" if variant == 7 else "a core network on ImageNet",
        dataset="imagenet",
        size=size,
        parameters=parameters,
        macs=macs,
        head="_fc.weight",
        transform=Transform(crop=size, resize=size, bicubic=True),  # as in the evaluation of efficientnet-pytorch
        weights=partial(efficientnet_url, variant),
    )


ARCHITECTURES: dict[str, Architecture] = {
    a.name: a
    for a in (
        _cifar_resnet(8, "fashion_mnist", 77_754, 9_345_920, "the demo's certification networks"),
        _cifar_resnet(14, "fashion_mnist", 174_970, 20_183_936, "between the demo's networks"),
        _cifar_resnet(14, "cifar10", 696_618, 105_743_616, "wider; the demo's core network on CIFAR-10", times=2),
        _cifar_resnet(20, "cifar10", 272_474, 40_813_184, "small; the demo's core network on Fashion-MNIST"),
        _cifar_resnet(8, "cifar10", 1_230_666, 49_465_856, "small and wide, for noise", times=4, half=True),
        _cifar_resnet(
            14, "cifar10", 2_780_746, 106_088_960, "the same, deeper: of the preset `fast`", times=4, half=True
        ),
        _cifar_resnet(50, "cifar10", 758_554, 111_592_064, "certification networks of Sun et al. 2025"),
        _cifar_resnet(110, "cifar10", 1_730_714, 253_149_824, "the paper's certification network on CIFAR-10"),
        Architecture(
            "resnet110-macer",
            partial(CifarResNet, 18),
            "Zhai et al. 2020",
            "the same, reading images in [0, 1] as they are",
            dataset="cifar10",
            size=32,
            parameters=1_730_714,
            macs=253_149_824,
            normalizer=Normalizer.NONE,
        ),
        Architecture(
            "resnet18-ddrs",
            _resnet18_ddrs,
            "Alfarra et al. 2022",
            "certification networks of data-dependent smoothing",
            dataset="cifar10",
            size=32,
            parameters=11_181_514,
            macs=37_016_576,
        ),
        Architecture(
            "lanet",
            LaNet,
            "Wang et al. 2021",
            "the paper's core network on CIFAR-10",
            dataset="cifar10",
            size=32,
            parameters=44_591_498,
            macs=6_962_696_192,
            head="classifier.weight",
            mean=(0.49139968, 0.48215827, 0.44653124),
            std=(0.24703233, 0.24348505, 0.26158768),
        ),
        Architecture(
            "resnet50",
            _resnet50,
            "He et al. 2016",
            "the paper's certification network on ImageNet; torchvision's",
            dataset="imagenet",
            size=224,
            parameters=25_557_032,
            macs=4_089_184_256,
            weights=_resnet50_url,
        ),
        _efficientnet(0, 5_288_548, 385_814_752),
        _efficientnet(1, 7_794_184, 686_802_832),
        _efficientnet(2, 9_109_994, 993_561_872),
        _efficientnet(3, 12_233_232, 1_827_141_392),
        _efficientnet(4, 19_341_616, 4_393_771_024),
        _efficientnet(5, 30_389_784, 10_266_384_752),
        _efficientnet(6, 43_040_704, 19_067_593_536),
        _efficientnet(7, 66_347_960, 37_745_884_192),
        Architecture(
            "efficientnet-lite0",
            efficientnet_lite0,
            "Tan and Le 2019",
            "an ImageNet network whose weights come as a package",
            dataset="imagenet",
            size=224,
            parameters=4_652_008,
            macs=385_187_552,
            head="_fc.weight",
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
            transform=Transform(crop=224, resize=256, bicubic=True),
            weights=lite0_weights,
        ),
        Architecture(
            "efficientnet-lite0-x3",
            efficientnet_lite0_x3,
            "Tan and Le 2019",
            "the same for small images, which it enlarges; to be trained from those weights",
            dataset="cifar10",
            size=32,
            parameters=3_383_818,
            macs=70_526_432,
            head="net._fc.weight",
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
        ),
    )
}


def architecture(name: str) -> Architecture:
    """The card of an architecture. Raises ``AcesError`` on an unknown name, listing the known ones."""
    if name not in ARCHITECTURES:
        raise AcesError(f"unknown architecture '{name}'; known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def build(name: str, dataset: str, outputs: int | None = None) -> Network:
    """An untrained network for a dataset, with an output a class unless ``outputs`` says how many.

    Raises ``AcesError`` on an unknown name, listing the known ones.
    """
    return assemble(architecture(name), card(dataset), outputs)


def assemble(chosen: Architecture, data: DatasetCard, outputs: int | None = None) -> Network:
    """An untrained network behind its normaliser, with a dataset's classes as outputs unless said otherwise."""
    first = normalizer(chosen.normalizer, *chosen.normalisation(data))
    return Network(first, chosen.build(outputs or data.num_classes, data.shape[0]))
