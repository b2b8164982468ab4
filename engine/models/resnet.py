"""CIFAR-style ResNets (He et al. 2016, section 4.2), for 28 px grey and 32 px colour images.

6n+2 layers: a 3x3 stem without max-pooling, three stages of n basic blocks at 1x, 2x and 4x
the width, stride 2 into the second and third, a 1x1 projection with batch norm where the
shape changes (option B), global average pooling and one linear layer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

STEM, HALF = (3, 1), (5, 2)  # kernel and stride of the first convolution: He et al.'s, and one that halves the sides


def conv3x3(c_in: int, c_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(c_in, c_out, stride), nn.BatchNorm2d(c_out)
        self.conv2, self.bn2 = conv3x3(c_out, c_out), nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + shortcut)


class CifarResNet(nn.Module):
    """[B, channels, H, W] -> logits [B, num_classes]; ``stem``: kernel and stride of the first convolution."""

    def __init__(
        self, n: int, num_classes: int, channels: int = 3, width: int = 16, stem: tuple[int, int] = STEM
    ) -> None:
        super().__init__()
        kernel, stride = stem
        self.conv1 = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(n, width, width, 1)
        self.layer2 = _stage(n, width, 2 * width, 2)
        self.layer3 = _stage(n, 2 * width, 4 * width, 2)
        self.fc = nn.Linear(4 * width, num_classes)
        self.apply(_init)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


def _stage(n: int, c_in: int, c_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(c_in, c_out, stride), *(BasicBlock(c_out, c_out, 1) for _ in range(n - 1)))


def _init(module: nn.Module) -> None:
    # Weights without values, of which shapes alone are asked, need none; to draw them, torch would load its compiler.
    if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
        fan = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
        nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan))
