"""``deploy`` and ``inspect`` of what it writes."""

from __future__ import annotations

import json

import pytest

from engine import System
from engine.single_image.system_file import read_system

RUNS = (
    "--certify",
    "fashion_mnist-gaussian-0.5",
    "--certify",
    "fashion_mnist-gaussian-0.25",
    "--core",
    "fashion_mnist-core",
)


def test_the_best_point_above_the_floor_is_written_and_read(call, tmp_path):
    path = tmp_path / "folder" / "system.yaml"
    status, out, err = call("deploy", "--nac", 85, *RUNS, "-o", path, "--copy")
    assert (status, err) == (0, "")
    assert f"wrote {path}" in out
    assert "from engine import System" in out
    deployed = read_system(path)
    m = deployed.measured
    assert m.nac.value >= 85 - 1e-9
    assert m.nac.low < m.nac.value < m.nac.high
    assert m.elsewhere[0].value <= m.nac.value
    assert m.rule == "the largest ACR with a NAC of at least 85 %"
    assert {p.parent for p in deployed.system.pair.checkpoints} == {path.parent}
    status, out, _ = call("inspect", path)
    assert status == 0
    assert f"theta        {deployed.system.theta:g}" in out
    status, out, _ = call("inspect", path, "--format", "json")
    assert json.loads(out)["dataset"] == "fashion_mnist"
    _, table, _ = call(
        "table", "--certify", deployed.runs["certify"], "--core", deployed.runs["core"], "--theta",
        deployed.system.theta, "--format", "csv",
    )  # fmt: skip
    nac, acr = (float(cell) for cell in table.splitlines()[1].split(",")[1:3])
    assert (m.nac.value, m.robustness.value) == (pytest.approx(nac), pytest.approx(acr, abs=1e-5))


def test_a_radius_confidence_and_the_share_of_votes_may_choose(call, tmp_path):
    path = tmp_path / "system.yaml"
    status, _, err = call("deploy", "--nac", 80, *RUNS, "--radius", 0.5, "--confident", "--best-t", "-o", path)
    assert (status, err) == (0, "")
    deployed = read_system(path)
    assert (
        deployed.measured.rule
        == "the largest certified accuracy at r 0.5 with a NAC of at least 80 % at 95 % confidence"
    )
    assert deployed.measured.nac.low >= 80
    assert System.load(path) == deployed.system


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--nac", 75), "runs of cifar10, fashion_mnist: name one with --dataset"),
        (("--nac", 75, "--dataset", "mars"), "a system needs a certification run and a core run"),
        (("--nac", 175, *RUNS), "--nac is 175; a natural accuracy is a percentage"),
        (("--nac", "nan", *RUNS), "--nac is nan"),
        (("--nac", 100, *RUNS), "no composition reaches a NAC of 100 %: the best one has"),
        (("--nac", 75, *RUNS, "--core", "cifar10-core"), "runs of cifar10, fashion_mnist"),
        (("--nac", 75, *RUNS, "--certify", "fashion_mnist-core"), "is a core run, where a smoothed run is asked for"),
        (("--nac", 75, *RUNS, "-o", "/nowhere/system.yaml"), "cannot write /nowhere/system.yaml"),
        (("--nac", 75, *RUNS, "--radius", -1), "radius -1"),
        (("--nac", 75, *RUNS, "--alpha", 0), "alpha"),
        (("--nac", 75, *RUNS, "--votes", 1), "t is 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_deployed_is_one_line(call, arguments, said):
    status, _, err = call("deploy", *arguments)
    assert status == 2
    assert said in err
    assert err.count("\n") == 1
