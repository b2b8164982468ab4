"""LaNet (Wang et al. 2021, "Sample-Efficient Neural Architecture Search by Learning Actions for Monte Carlo Tree
Search"): the paper's core network on CIFAR-10, in the layout of its published checkpoint.

A DARTS-style network: cells of seven nodes, each the sum of two operations on earlier states. State 0 is the output of
the cell before the last, state 1 that of the last cell, state 2 + i is node i. The 1x1 convolutions are weight
standardised (Qiao et al. 2019), at every forward pass in training and once when a network is frozen.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

SEP_3X3, MAX_POOL, SKIP, SEP_5X5 = range(4)
# Two operations a node, then the two states that they read.
GENOTYPE = ((2, 2, 0, 2, 1, 2, 0, 2, 2, 3, 2, 1, 2, 0), (0, 1, 1, 1, 2, 1, 1, 0, 3, 4, 3, 0, 3, 1))
OPERATIONS, INPUTS = GENOTYPE
NODES = len(OPERATIONS) // 2
LEAVES = tuple(sorted(set(range(2, 2 + NODES)) - set(INPUTS)))  # states that no node reads: the cell's output


class StandardizedConv2d(nn.Conv2d):
    """A 1x1 convolution whose weights have mean 0 and deviation 1 over each output channel, whatever is stored."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, 1, bias=False)

    def standardized(self) -> Tensor:
        centred = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return centred / (centred.flatten(1).std(1).view(-1, 1, 1, 1) + 1e-5)

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.standardized(), self.bias)

    def bake(self) -> nn.Module:
        """An ordinary convolution with the same answers: for inference, once and for all."""
        plain = nn.Conv2d(self.in_channels, self.out_channels, 1, bias=False)
        plain.weight = nn.Parameter(self.standardized().detach())
        return plain.train(self.training)


def pointwise(c_in: int, c_out: int) -> nn.Conv2d:
    return StandardizedConv2d(c_in, c_out)


def depthwise(channels: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)


class ReluConvBn(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.op = nn.Sequential(nn.ReLU(), pointwise(c_in, c_out), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class FactorizedReduce(nn.Module):
    """Half the resolution: two strided 1x1 convolutions, the second one pixel off, side by side."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = nn.Conv2d(c_in, c_out // 2, 1, 2, bias=False)
        self.conv_2 = nn.Conv2d(c_in, c_out // 2, 1, 2, bias=False)
        self.bn = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], 1))


class SepConv(nn.Module):
    """Depthwise and pointwise convolution, twice."""

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for s in (stride, 1):
            layers += [nn.ReLU(), depthwise(channels, kernel, s), pointwise(channels, channels)]
            layers += [nn.BatchNorm2d(channels)]
        self.op = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


def operation(code: int, channels: int, stride: int) -> nn.Module:
    if code == SKIP:
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    if code == MAX_POOL:
        return nn.MaxPool2d(3, stride, padding=1)
    return SepConv(channels, 3 if code == SEP_3X3 else 5, stride)


class Cell(nn.Module):
    """The outputs of the two cells before -> the leaves' states side by side, [B, 4 channels, H, W]."""

    def __init__(self, c_before_last: int, c_last: int, channels: int, reduces: bool, last_reduced: bool) -> None:
        super().__init__()
        self.preprocess0 = (FactorizedReduce if last_reduced else ReluConvBn)(c_before_last, channels)
        self.preprocess1 = ReluConvBn(c_last, channels)
        self._ops = nn.ModuleList(
            operation(code, channels, 2 if reduces and state < 2 else 1)
            for code, state in zip(OPERATIONS, INPUTS, strict=True)
        )

    def forward(self, before_last: Tensor, last: Tensor) -> Tensor:
        states = [self.preprocess0(before_last), self.preprocess1(last)]
        for node in range(NODES):
            a, b = 2 * node, 2 * node + 1
            states.append(self._ops[a](states[INPUTS[a]]) + self._ops[b](states[INPUTS[b]]))
        return torch.cat([states[leaf] for leaf in LEAVES], 1)


class AuxiliaryHead(nn.Module):
    """A classifier on the features at two thirds of the depth [B, C, 8, 8]; its loss (weight 0.4) helps training."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.ReLU(),
            nn.AvgPool2d(5, 3, count_include_pad=False),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


class LaNet(nn.Module):
    """Normalised 32 px images [B, 3, 32, 32] -> logits [B, num_classes]. ``auxiliary`` adds the training-time head."""

    def __init__(
        self, num_classes: int = 10, channels: int = 3, width: int = 128, layers: int = 24, auxiliary: bool = False
    ) -> None:
        super().__init__()
        reductions = (layers // 3, 2 * layers // 3)
        stem_width = 3 * width
        self.stem = nn.Sequential(nn.Conv2d(channels, stem_width, 3, padding=1, bias=False), nn.BatchNorm2d(stem_width))
        self.cells = nn.ModuleList()
        widths = [stem_width, stem_width]  # of the outputs so far
        for i in range(layers):
            width *= 2 if i in reductions else 1
            self.cells.append(Cell(widths[-2], widths[-1], width, i in reductions, i - 1 in reductions))
            widths.append(width * len(LEAVES))
        self.auxiliary_at = reductions[1]
        self.auxiliary_head = AuxiliaryHead(widths[2 + self.auxiliary_at], num_classes) if auxiliary else None
        self.classifier = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        for last in self._outputs(x):  # noqa: B007 (the last one stays)
            pass
        return self.classifier(last.mean((2, 3)))

    def with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and those of the auxiliary head."""
        assert self.auxiliary_head is not None
        for i, last in enumerate(self._outputs(x)):
            if i == self.auxiliary_at:
                auxiliary: Tensor = self.auxiliary_head(last)
        return self.classifier(last.mean((2, 3))), auxiliary

    def _outputs(self, x: Tensor) -> Iterator[Tensor]:
        """The output of every cell in turn; no more than two are held."""
        before_last = last = self.stem(x)
        for cell in self.cells:
            before_last, last = last, cell(before_last, last)
            yield last
