"""Tensors that are no weights are refused by name and kind; what training leaves beside them is not."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import AcesError
from engine.models import Hints, load
from engine.models.kinds import FLOATS, WHOLE, fault_of, other_than_meant
from engine.models.resnet import CifarResNet
from tests.engine.models.fabricated import saved, weights20

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # of torch, on its kinds

FOUR = torch.arange(16.0).reshape(4, 4)


def with_first(change) -> dict[str, torch.Tensor]:
    """A resnet20 whose first convolution is something else."""
    return {**weights20(), "conv1.weight": change(weights20()["conv1.weight"])}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda w: (w * 10).to(torch.int8), r"holds whole numbers \(int8\) where floats are meant"),
        (lambda w: w.to(torch.int64), r"holds whole numbers \(int64\) where floats are meant"),
        (lambda w: w > 0, r"holds whole numbers \(bool\) where floats are meant"),
        (lambda w: torch.complex(w, w), r"is complex \(complex64\)"),
        (lambda w: torch.complex(w, w).conj(), r"is complex \(complex64\)"),
        (lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8), r"is quantised \(qint8\)"),
        (lambda w: w.to_sparse(), r"is sparse \(sparse_coo\): save it dense"),
        (lambda w: w.reshape(16, -1).to_sparse_csr(), r"is sparse \(sparse_csr\)"),
        (lambda w: w.to("meta"), "is on the device meta"),
        (lambda w: w.to(torch.float8_e4m3fn), "is of the kind float8_e4m3fn"),
        (lambda w: w.index_fill(0, torch.tensor([0]), torch.nan), "has 27 of 432 values that are NaN or infinite"),
        (lambda w: w.double() * 1e300, "has 432 of 432 values that are NaN or infinite"),
        (lambda w: torch.zeros(1).expand(w.shape), None),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_no_weights_is_refused_by_name_and_kind(tmp_path, change, kind):
    path = saved(tmp_path / "net.pth", with_first(change))
    said = rf"net\.pth is refused: 'conv1\.weight' {kind or 'is no plain tensor that holds all its values'}"
    for hints in (Hints(), Hints(architecture="resnet20")):
        with pytest.raises(AcesError, match=said) as caught:
            load(path, hints)
        assert "\n" not in str(caught.value)


def test_infinite_statistics_are_refused_as_weights_are(tmp_path):
    state = weights20()
    state["bn1.running_var"][3] = torch.inf
    with pytest.raises(AcesError, match=r"'bn1\.running_var' has 1 of 16 values that is NaN or infinite"):
        load(saved(tmp_path / "net.pth", state))


@pytest.mark.parametrize("kind", FLOATS, ids=str)
def test_floats_of_every_size_load_as_what_they_say(tmp_path, kind):
    loaded = load(
        saved(tmp_path / "net.pth", {n: t.to(kind) if t.is_floating_point() else t for n, t in weights20().items()})
    )
    first = loaded.network.state_dict()["body.conv1.weight"]
    assert first.dtype == torch.float32
    torch.testing.assert_close(first, weights20()["conv1.weight"].to(kind).float(), rtol=0, atol=0)


def test_counters_may_be_whole_numbers_an_average_of_them_or_absent(tmp_path):
    same = load(saved(tmp_path / "a.pth", weights20())).sha256
    averaged = {n: t.float() if n.endswith("num_batches_tracked") else t for n, t in weights20().items()}
    assert load(saved(tmp_path / "b.pth", averaged)).sha256 == same
    without = {n: t for n, t in weights20().items() if not n.endswith("num_batches_tracked")}
    assert load(saved(tmp_path / "c.pth", without)).sha256 == same


def test_floats_where_whole_numbers_are_meant_are_named():
    table = {"table": torch.tensor([0, 1])}
    assert other_than_meant({"table": torch.tensor([0.5, 1.0])}, table) == (
        "'table' holds floats (float32) where whole numbers are meant"
    )
    assert other_than_meant(table, table) is None


@given(kind=st.sampled_from(FLOATS + WHOLE), shape=st.lists(st.integers(0, 4), max_size=4))
def test_plain_tensors_of_every_shape_are_taken(kind, shape):
    assert fault_of(torch.ones(shape).to(kind)) is None


@given(at=st.integers(0, 15), value=st.sampled_from([torch.nan, torch.inf, -torch.inf, 1e39, -1e300]))
def test_one_bad_value_anywhere_is_found(at, value):
    tensor = torch.arange(16.0, dtype=torch.float64)
    tensor[at] = value
    assert fault_of(tensor) == "has 1 of 16 values that is NaN or infinite"


def test_a_nested_tensor_is_none():
    assert fault_of(torch.nested.nested_tensor([FOUR, FOUR[:2]])) == "is a nested tensor: save plain ones"


def test_the_training_state_may_hold_any_kind(tmp_path):
    beside = {"optimizer": {"state": {0: {"exp_avg": torch.tensor([torch.nan])}}}, "mask": torch.eye(3).to_sparse()}
    state = OrderedDict(CifarResNet(3, 10).state_dict())
    assert load(saved(tmp_path / "net.pth", {"state_dict": state, **beside})).card.architecture == "resnet20"
