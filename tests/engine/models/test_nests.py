"""Whatever wraps or nests the weights, what is loaded is the bare network's."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from engine.errors import AcesError
from engine.models import Hints, Normalizer, load
from engine.models.nests import choose, levels, nests
from tests.engine.models.fabricated import CIFAR_MEAN, CIFAR_STD, IMAGENET_MEAN, saved, weights20

PREFIXES = ("module", "1", "_orig_mod", "model", "net", "network", "student", "teacher", "ema", "backbone", "0")
KEYS = ("model", "net_g", "params", "weights", "ema", "student", "checkpoint", "best", "0", "module")
BESIDE = {"epoch": 3, "best": 0.5, "note": "text", "flags": [1, 2], "seed": torch.tensor(4), "args": {"lr": 0.1}}
OPTIMIZER = {"state": {0: {"exp_avg": torch.zeros(9), "step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]}


def under(prefix: str, state: dict[str, torch.Tensor] | None = None) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in (weights20() if state is None else state).items()}


@cache
def bare(folder) -> str:
    return load(saved(folder / "bare.pth", weights20())).sha256


def sha256(tmp_path, data: object, **said) -> str:
    return load(saved(tmp_path / "net.pth", data), Hints(**said)).sha256


@pytest.mark.parametrize(
    "data",
    [
        under("_orig_mod."),
        under("module._orig_mod."),
        under("_orig_mod.module."),
        under("model._fsdp_wrapped_module."),
        {name.replace("layer1.", "layer1._fsdp_wrapped_module."): t for name, t in weights20().items()},
        {
            name.replace("layer1.0.", "layer1.0._checkpoint_wrapped_module._orig_mod."): t
            for name, t in weights20().items()
        },
        {"n_averaged": torch.tensor(7), **under("module.")},
        {"n_averaged": torch.tensor(7), **under("module._orig_mod.")},
        {"state_dict": {"n_averaged": torch.tensor(7), **under("module.module.")}},
        {"pytorch-lightning_version": "2.4.0", "state_dict": under("model."), "hyper_parameters": {"lr": 0.1}},
        {"state_dict": under("model._orig_mod.net."), "loops": {"fit_loop": {"state_dict": {}}}, "callbacks": {}},
        {"model": weights20(), "epoch": 3},
        {"ema": {"shadow": under("module."), "decay": 0.999}},
        {"student": under("module.backbone."), "optimizer": OPTIMIZER, "epoch": 1},
        {"checkpoint": {"model": {"params": weights20()}}},
        {"model": weights20(), "criterion": {"center": torch.zeros(10)}},
        {"model": weights20(), "optimizer": {"m": dict(weights20()), "v": dict(weights20())}},
        {"model": OrderedDict(weights20()), "scheduler": {"last": torch.tensor(1.0)}, "rng_state": torch.zeros(3)},
    ],
    ids=lambda data: " ".join(list(data)[:3])[:40],
)
def test_wrappers_and_nests_leave_the_identity_of_the_bare_weights(tmp_path, data):
    assert sha256(tmp_path, data) == bare(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    prefixes=st.lists(st.sampled_from(PREFIXES), max_size=4),
    keys=st.lists(st.sampled_from(KEYS), max_size=3),
    beside=st.lists(st.sampled_from(sorted(BESIDE)), max_size=3),
    kind=st.sampled_from([torch.float32, torch.float64]),  # which hold the values of float32
    ordered=st.booleans(),
)
def test_nests_prefixes_and_kinds_in_any_combination(tmp_path, prefixes, keys, beside, kind, ordered):
    state = {name: t.to(kind) if t.is_floating_point() else t for name, t in weights20().items()}
    data: dict[str, object] = under("".join(f"{prefix}." for prefix in prefixes), state)
    data = OrderedDict(data) if ordered else data
    for key in reversed(keys):
        data = {**{name: BESIDE[name] for name in beside}, key: data}
    assert sha256(tmp_path, data) == bare(tmp_path)
    if keys:
        assert sha256(tmp_path, data, weights=".".join(keys)) == bare(tmp_path)


any_key = st.text(max_size=5) | st.integers()


@given(st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just(torch.zeros(2)),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(any_key, inside, max_size=4),
    max_leaves=20,
).filter(lambda data: isinstance(data, dict)))  # fmt: skip
def test_any_structure_is_searched_without_surprise(data):
    for nest in nests(data):
        assert nest.weights
        inside = data
        for key in nest.keys:
            inside = inside[key]
        assert inside is nest.weights
        assert levels(nest.weights)


def test_of_several_sets_one_is_to_be_named(tmp_path):
    other = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in weights20().items()}
    data = {"state_dict": under("module."), "state_dict_ema": under("module.", other), "epoch": 3}
    sets = r"state_dict \(128 tensors\), state_dict_ema \(128 tensors\)"
    with pytest.raises(AcesError, match=rf"several sets of weights: {sets}; say which with --weights state_dict, or"):
        sha256(tmp_path, data)
    assert sha256(tmp_path, data, weights="state_dict") == bare(tmp_path)
    assert sha256(tmp_path, data, weights="state_dict_ema") != bare(tmp_path)
    with pytest.raises(AcesError, match=r"holds no weights under 'teacher'; it holds state_dict \("):
        sha256(tmp_path, data, weights="teacher")


def test_a_student_and_a_teacher_in_one_set_are_told_by_their_names(tmp_path):
    other = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in weights20().items()}
    data = {"state_dict": {**under("student."), **under("teacher.module.", other)}}
    with pytest.raises(AcesError, match=r"those under student fit resnet20: say --weights student to take them"):
        sha256(tmp_path, data)
    assert sha256(tmp_path, data, weights="student") == bare(tmp_path)
    assert sha256(tmp_path, data, weights="state_dict.student") == bare(tmp_path)
    assert sha256(tmp_path, data, weights="teacher") == sha256(tmp_path, other)


def test_a_loss_beside_the_network_is_left_out_where_that_is_said(tmp_path):
    data = {"state_dict": {**under("model."), "criterion.weight": torch.ones(10)}}
    with pytest.raises(AcesError, match=r"nearest is resnet\d+.*; those under model fit resnet20: say --weights model"):
        sha256(tmp_path, data)
    assert sha256(tmp_path, data, weights="model") == bare(tmp_path)


def test_constants_of_a_normaliser_are_known_under_any_wrapper(tmp_path):
    mean, std = torch.tensor(CIFAR_MEAN), torch.tensor(CIFAR_STD)
    for data in (
        {"normalize.mean": mean.view(-1, 1, 1), "normalize.std": std.view(-1, 1, 1), **under("body.")},
        {"module.0.means": mean, "module.0.sds": std, **under("module.1.")},
        {"model": {"mu": mean.view(1, -1, 1, 1), "sigma": std.view(1, -1, 1, 1), **under("model.")}},
    ):
        assert sha256(tmp_path, data) == bare(tmp_path)
    only = load(saved(tmp_path / "net.pth", {"module.0.means": mean, **under("module.1.")}))
    assert only.normalizer == Normalizer.CENTER
    with pytest.raises(AcesError, match=r"normalises with means \[0\.485, 0\.456, 0\.406\]"):
        sha256(tmp_path, {"normalize.mean": torch.tensor(IMAGENET_MEAN), **under("body.")})


class Normalising(nn.Module):
    """A network of somebody's own that has its constants inside, and a part called as wrappers are."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((3,), 0.5))
        self.model = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, 10))

    def forward(self, x):
        return self.model(x - self.mean.view(-1, 1, 1))


def test_names_that_are_the_networks_own_stay(tmp_path):
    own = f"{__name__}:Normalising"
    net = Normalising()
    plain = load(saved(tmp_path / "a.pth", net.state_dict()), Hints(architecture=own))
    assert torch.equal(plain.network.body.mean, net.mean)
    wrapped = {f"module.{name}": tensor for name, tensor in net.state_dict().items()}
    assert load(saved(tmp_path / "b.pth", wrapped), Hints(architecture=own)).sha256 == plain.sha256


def test_names_that_become_the_same_stay_apart():
    both = {"a._orig_mod.w": torch.zeros(1), "a.w": torch.ones(1)}
    assert list(levels(both)[0].weights) == list(both)


def test_a_file_that_holds_itself_is_searched_once():
    data: dict[str, object] = {"model": {"w": torch.zeros(3)}}
    data["self"] = data
    data["deep"] = deep = {}
    for _ in range(100):
        deep["x"] = deep = {}
    deep["x"] = {"w": torch.zeros(3)}
    assert [nest.keys for nest in nests(data)] == [("model",)]


def test_endless_names_are_cut(tmp_path):
    assert len(levels({"a." * 10_000 + "w": torch.zeros(1)})) == 16


@pytest.mark.parametrize("key", ["\x1b[31mred", "a" * 10_000, "[red]x", ""])
def test_a_key_is_quoted_harmlessly(tmp_path, key):
    path = saved(tmp_path / "net.pth", {key: weights20(), "b": dict(weights20())})
    with pytest.raises(AcesError, match="several sets of weights") as caught:
        load(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    with pytest.raises(AcesError, match="no weights under"):
        choose(path, nests({"a": weights20()}), key or "nothing")
