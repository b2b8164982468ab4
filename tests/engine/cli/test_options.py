from __future__ import annotations

import re

import pytest

from engine.cli.options import parse_numbers, read_then
from engine.errors import AcesError
from engine.statistics.chains import Later
from tests import toy


@pytest.mark.usefixtures("toy_dataset")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--executor", "ray", "--devices", "cpu,cpu"], "--devices is for this machine"),
        (["--address", "127.0.0.1:6379"], "--address is of a Ray cluster: add --executor ray"),
        (["--devices", "cpu,cuda:77"], "device 'cuda:77' is not available"),
        (["--n", "0"], "--n is 0; it must be at least 1"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_line(call, tmp_path, options, message):
    status, out, err = call("precompute", toy.config(tmp_path), *options, "--cache", tmp_path / "s")
    assert (status, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.5", [0.5]), ("0,0.1", [0, 0.1]), ("0:0.3:0.1", [0, 0.1, 0.2, 0.3]), ("0:1:0.4", [0, 0.4, 0.8])],
)
def test_thresholds_are_read_in_decimal(text, expected):
    assert parse_numbers(text, "--theta") == expected


def test_a_huge_grid_is_refused():
    with pytest.raises(AcesError, match=r"100,000"):
        parse_numbers("0:1:1e-9", "--theta")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not RUN"),
        ("net,0.3,0.5,1", "is not RUN"),
        ("net,high", "'high' is not a number"),
        ("net,1.5", "theta is 1.5"),
        ("net,0.3,1", "t is 1;"),
        ("net,p0=0.5", "p0 is 0.5;"),
        ("net,p0=1", "p0 is 1;"),
        ("net,p0=0.7,0.4", "names a share of votes beside p0"),
    ],
)
def test_a_later_stage_that_cannot_be_is_refused(text, message):
    with pytest.raises(AcesError, match=re.escape(message)):
        read_then(text)


def test_a_later_stage_that_says_no_more_than_its_run_has_a_default():
    assert read_then(" net ") == Later("net", 0.3, 0.5, by_votes=False)


@pytest.mark.parametrize(
    "command",
    [
        ("train", "gaussian", "--sigma", "64", "-o", "models"),
        ("certify", "a.png", "--certify", "x", "--core", "y", "--sigma", "64"),
        ("certify", "a.png", "--certify", "x", "--core", "y", "--select", "z", "--sigma-select", "64"),
    ],
)
def test_noise_that_can_hardly_be_meant_is_questioned_first(call, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, out, err = call(*command)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "sigma 64 is more than 2" in err
    assert "--units-are-right" in err
    assert "sigma 64" not in call(*command, "--epochs" if command[0] == "train" else "--n", "0", "--units-are-right")[2]
