from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.models.lanet import LaNet
from tests.engine.models.fabricated import LANET_MEAN, LANET_STD, First, same_answers, saved


def test_lanet_has_the_published_counts_with_and_without_the_auxiliary_head():
    with torch.device("meta"):
        bare, whole, small = LaNet(), LaNet(auxiliary=True), LaNet(width=36)
    assert sum(p.numel() for p in bare.parameters()) == 44_591_498
    assert sum(p.numel() for p in whole.parameters()) == 45_256_340
    assert len(whole.state_dict()) == 1726
    assert sum(p.numel() for p in small.parameters()) == pytest.approx(3.71e6, rel=2e-3)
    assert whole.auxiliary_head.classifier.in_features == 768


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
