"""What training loops save beside the weights is passed over, and nothing of it runs."""

from __future__ import annotations

import argparse
import collections
import datetime
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AcesError
from engine.models import load
from engine.models.inert import NAMES, Inert
from tests.engine.models.fabricated import saved, weights20


@pytest.mark.parametrize(
    "beside",
    [
        np.int64(90),
        np.float64(0.91),
        np.zeros(3),
        np.float32([1, 2]),
        np.bool_(True),
        argparse.Namespace(lr=0.1, out=Path("/tmp/x")),
        Path("/tmp/x"),
        datetime.datetime(2026, 1, 1),
        datetime.timedelta(seconds=3),
        collections.Counter("aab"),
        {"best": {"acc": np.float64(0.91)}},
    ],
    ids=str,
)
@pytest.mark.parametrize("zipped", [True, False])
def test_what_lies_beside_the_weights_changes_nothing(tmp_path, beside, zipped):
    bare = load(saved(tmp_path / "bare.pth", weights20())).sha256
    path = tmp_path / "net.pth.tar"
    saved(path, {"epoch": beside, "state_dict": weights20()}, _use_new_zipfile_serialization=zipped)
    assert load(path).sha256 == bare


class Touches:
    """Writes a file when it is loaded carelessly; under the name of something harmless."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_a_method_of_something_harmless_does_not_run(tmp_path):
    path = saved(tmp_path / "net.pth", {"state_dict": weights20(), "x": Touches(tmp_path / "it-ran")})
    with pytest.raises(AcesError, match="refused"):
        load(path)
    assert not (tmp_path / "it-ran").exists()


def test_a_stand_in_among_the_weights_is_no_tensor(tmp_path):
    with pytest.raises(AcesError, match=r"holds no weights by name \('extra' is no tensor\)"):
        load(saved(tmp_path / "net.pth", {"state_dict": {**weights20(), "extra": np.zeros(3)}}))


def test_nothing_that_runs_is_among_the_names():
    assert not [name for name in NAMES if name.split(".")[0] in ("os", "posix", "subprocess", "sys", "torch")]
    assert not [name for name in NAMES if name in ("builtins.getattr", "builtins.eval", "builtins.exec")]


def test_a_stand_in_holds_nothing_whatever_it_is_given():
    stand_in = Inert(1, "x")
    stand_in.__setstate__({"a": 1})
    assert vars(stand_in) == {}
