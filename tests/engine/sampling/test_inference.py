from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch
from torch import nn

from engine.errors import AcesError
from engine.models import Network, Normalize, build
from engine.models.lanet import LaNet, StandardizedConv2d
from engine.sampling import inference
from engine.sampling.inference import FrozenNetwork, Layout, check_network, default_layout, fastest, freeze


def network(seed: int = 0) -> Network:
    """A resnet8 whose batch norms have seen data, so that folding them matters."""
    torch.manual_seed(seed)
    net = build("resnet8", "fashion_mnist")
    net.train()
    for _ in range(20):
        net(torch.rand(64, 1, 28, 28))
    return net.eval()


def test_frozen_float32_agrees_with_the_plain_network():
    net, x = network(), torch.rand(250, 1, 28, 28)
    with torch.inference_mode():
        assert torch.allclose(freeze(net)(x), net(x), atol=1e-4)


def test_frozen_bfloat16_answers_in_float32_and_close_to_the_plain_network():
    net, x = network(), torch.rand(250, 1, 28, 28)
    logits = freeze(net, "bfloat16")(x)
    assert logits.dtype == torch.float32
    with torch.inference_mode():
        plain = net(x)
    assert (logits - plain).abs().max() < 0.05 * plain.abs().max()


def test_freezing_folds_every_batch_norm_and_leaves_the_original():
    net = network()
    frozen = freeze(net)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in frozen.body.modules())
    assert any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    assert all(not p.requires_grad for p in frozen.body.parameters())


def test_weight_standardisation_is_baked_in_and_folded():
    body = LaNet(width=4, layers=6)
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    body.train()(torch.rand(16, 3, 32, 32))
    net, x = Network(nn.Identity(), body).eval(), torch.rand(50, 3, 32, 32)
    frozen = freeze(net)
    kinds = {type(module) for module in frozen.body.modules()}
    assert StandardizedConv2d not in kinds
    assert sum(isinstance(m, nn.BatchNorm2d) for m in frozen.body.modules()) == 12  # those after a concatenation
    with torch.inference_mode():
        plain = net(x)
    assert torch.allclose(frozen(x), plain, atol=1e-3 * float(plain.abs().max()))


def test_a_body_that_cannot_be_traced_is_run_as_it_is():
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)[:, :3] * (2.0 if x.sum() > 0 else 1.0)

    x = torch.rand(4, 1, 8, 8)
    assert torch.equal(freeze(Network(Normalize((0.0,), (1.0,)), Branching()))(x), 2 * x.flatten(1)[:, :3])


@pytest.mark.parametrize(("precision", "device"), [("float16", "cpu"), ("float32", "cuda:77"), ("float32", "tpu")])
def test_unknown_precision_and_missing_device_are_refused(precision, device):
    with pytest.raises(AcesError, match=precision if precision == "float16" else device):
        freeze(network(), precision, device)


# --- layouts -----------------------------------------------------------------------------------------------------


def test_the_probe_finds_a_layout_with_the_logits_of_the_default():
    net = network()
    best = fastest(net, (1, 28, 28), "bfloat16")
    x = torch.rand(250, 1, 28, 28)
    logits = torch.cat([best(part) for part in x.split(best.batch)])
    as_recorded = freeze(net, "bfloat16", layout=best.identity)
    assert torch.equal(logits, torch.cat([as_recorded(part) for part in x.split(as_recorded.batch)]))


def chosen(monkeypatch, leads: dict[Layout, list[float]], exact: bool, identity: Layout | None = None) -> FrozenNetwork:
    """What the probe chooses where layouts have these leads over the default in each round (none where not named)."""
    monkeypatch.setattr(inference, "leads", lambda a, b, shape: leads.get(a.layout, [0.9]))
    monkeypatch.setattr(inference, "same_logits", lambda a, b, shape: exact)
    monkeypatch.setattr(inference, "PROBE_SECONDS", 60.0)
    return fastest(network(), (1, 28, 28), identity=identity)


def test_a_layout_with_equal_logits_wins_by_any_lead_and_keeps_the_identity(monkeypatch):
    best = chosen(monkeypatch, {Layout(batch=125): [0.9, 1.01, 1.02]}, exact=True)
    assert (best.layout, best.identity) == (Layout(batch=125), Layout(batch=50))
    assert best.as_run["batch"] == 50


@pytest.mark.parametrize(("worst", "expected"), [(1.49, "channels_last"), (1.51, "contiguous")])
def test_a_layout_with_other_logits_must_be_much_faster_in_every_round_and_is_recorded(monkeypatch, worst, expected):
    best = chosen(monkeypatch, {Layout("contiguous"): [9.0, worst, 9.0]}, exact=False)
    assert best.layout == best.identity
    assert best.as_run["memory_format"] == expected


def test_a_run_that_was_begun_goes_on_with_the_logits_it_has(monkeypatch):
    begun = Layout("contiguous")
    best = chosen(monkeypatch, {replace(begun, batch=125): [9.0]}, exact=False, identity=begun)
    assert (best.layout, best.identity) == (begun, begun)


def test_a_tiny_network_is_not_probed():
    tiny = head(lambda x: x.flatten(1)[:, :3])
    assert fastest(tiny, (1, 8, 8)).layout == default_layout(torch.device("cpu"), (1, 8, 8))


def test_a_frozen_network_arrives_elsewhere_as_it_was():
    there = pickle.loads(pickle.dumps(freeze(network(), "bfloat16", layout=Layout(batch=25))))
    x = torch.rand(25, 1, 28, 28)
    assert torch.equal(there(x), freeze(network(), "bfloat16", layout=Layout(batch=25))(x))
    assert there.layout == Layout(batch=25)


@pytest.mark.parametrize(("size", "batch"), [(28, 50), (224, 25), (380, 5), (600, 2), (2000, 1)])
def test_larger_images_make_smaller_batches(size, batch):
    assert default_layout(torch.device("cpu"), (3, size, size)).batch == batch


@pytest.mark.slow
def test_a_compiled_network_answers_as_the_plain_one():
    net, x = network(), torch.rand(50, 1, 28, 28)
    compiled = freeze(net, layout=Layout(batch=50, compiled=True))
    assert torch.allclose(compiled(x), freeze(net)(x), atol=1e-4)
    assert compiled.as_run["compiled"] is True


def test_modules_that_can_be_baked_are():
    class Doubling(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.linear(x, 2 * self.weight)

        def bake(self) -> nn.Module:
            plain = nn.Linear(self.in_features, self.out_features, bias=False)
            plain.weight.data = 2 * self.weight.data
            return plain

    net = Network(Normalize((0.0,), (1.0,)), nn.Sequential(nn.Flatten(), Doubling(4, 3, bias=False)))
    frozen, x = freeze(net), torch.rand(5, 1, 2, 2)
    assert not any(isinstance(module, Doubling) for module in frozen.body.modules())
    with torch.inference_mode():
        assert torch.allclose(frozen(x), net(x))


# --- refusals ----------------------------------------------------------------------------------------------------


def head(function) -> Network:
    class Head(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return function(x)

    return Network(Normalize((0.0,), (1.0,)), Head())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.flatten(1)[:, :4], "4 outputs; the dataset has 3"),
        (lambda x: x.flatten(1)[:, :3] * float("nan"), "NaN"),
        (lambda x: torch.dropout(x.flatten(1)[:, :3] + 1, 0.5, train=True), "dropout"),
        (lambda x: x[:, 3], "cannot read images"),
        (lambda x: (x - x.mean(0)).flatten(1)[:, :3], "depends on the rest of its batch"),
    ],
)
def test_networks_that_cannot_be_counted_are_refused_before_sampling(function, message):
    with pytest.raises(AcesError, match=message):
        check_network(freeze(head(function)), torch.rand(1, 8, 8), 3)


def test_a_slow_network_is_not_probed(monkeypatch):
    monkeypatch.setattr(inference, "SLOW", 0.0)
    monkeypatch.setattr(inference, "leads", lambda *_: pytest.fail("it was probed"))
    assert fastest(build("resnet8", "fashion_mnist"), (1, 8, 8)).layout == default_layout(
        torch.device("cpu"), (1, 8, 8)
    )
