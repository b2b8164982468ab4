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


def test_a_second_stage_stands_behind_every_system_but_its_own_network(call, tmp_path):
    path = tmp_path / "system.yaml"
    status, _, err = call("deploy", "--nac", 85, *RUNS, "--then", "fashion_mnist-gaussian-1.0,0.2,0.4", "-o", path)
    assert (status, err) == (0, "")
    deployed = read_system(path)
    assert deployed.runs["then"] == "fashion_mnist-gaussian-1.0"
    (stage,) = deployed.system.then
    assert (stage.sigma, stage.theta, stage.t) == (1.0, 0.2, 0.4)
    every = ("deploy", "--nac", 0, "--dataset", "fashion_mnist", "--core", "fashion_mnist-core")
    status, _, err = call(*every, "--then", "fashion_mnist-gaussian-1.0", "-o", path)
    assert (status, err) == (0, "")  # no composition in which a network is asked twice
    status, _, err = call("deploy", "--nac", 85, *RUNS, "--then", "fashion_mnist-core", "-o", path)
    assert (status, err.count("\n")) == (2, 1)
    assert "is a core run, where a smoothed run is asked for" in err


@pytest.mark.parametrize("then", [(), ("--then", "fashion_mnist-gaussian-0.25,0.2")], ids=["one stage", "two stages"])
def test_a_system_file_is_deposited_by_its_runs_and_on_its_own_terms(call, tmp_path, then):
    path, folder = tmp_path / "system.yaml", tmp_path / "deposit"
    few = ("--certify", "fashion_mnist-gaussian-0.5", "--core", "fashion_mnist-core")
    assert call("deploy", "--nac", 85, *few, *then, "--best-t", "-o", path)[0] == 0
    status, out, err = call("deposit", "--system", path, "--radii", 0, "-o", folder)
    assert (status, err) == (0, "")
    assert f"{len(few + then) // 2} runs, 1 systems" in out
    deployed = read_system(path)
    (row,) = [
        line.split(",")
        for line in (folder / "tables" / "system-1.csv").read_text().splitlines()[1:]
        if float(line.split(",")[0]) == deployed.system.theta
    ]
    m = deployed.measured
    assert (float(row[1]), float(row[2])) == (
        pytest.approx(m.nac.value, abs=1e-3),
        pytest.approx(m.robustness.value, abs=1e-5),
    )
    assert call("verify", folder)[0] == 0


def test_a_system_file_whose_runs_are_others_is_not_deposited(call, tmp_path):
    path, folder = tmp_path / "system.yaml", tmp_path / "deposit"
    few = ("--certify", "fashion_mnist-gaussian-0.5", "--core", "fashion_mnist-core")
    call("deploy", "--nac", 85, *few, "-o", path)
    for found, other, said in [
        ("certify: fashion_mnist-gaussian-0.5", "certify: fashion_mnist-gaussian-1.0", "sampled with other weights"),
        ("    core: fashion_mnist-core\n", "", "does not name one run for each of its networks"),
    ]:
        text = path.read_text()
        assert text.count(found) == 1
        (tmp_path / "changed.yaml").write_text(text.replace(found, other))
        status, out, err = call("deposit", "--system", tmp_path / "changed.yaml", "-o", folder)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert said in err
        assert not folder.exists()
