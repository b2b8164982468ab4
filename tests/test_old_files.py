"""Files that earlier versions of the program wrote, none of which is ever made again, are read to the same values."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm

from cache import Store
from engine.aces import certify
from engine.compose import compose
from engine.deposits import MANIFEST, check_deposit
from engine.models import Network, NetworkCard, load, save
from engine.models.denoisers import denoiser_card
from engine.records.runs import CoreRun, Run, SelectionRun, SmoothedRun, from_bytes, read_run, to_bytes
from engine.single_image.certificate import from_json, to_json
from engine.single_image.system_file import read_system
from tests import ROOT

FILES = ROOT / "tests" / "old_files"
CERTIFICATES = ROOT / "tests" / "certificates"
VERSIONS = {
    "version1-core": 1,
    "version1-log": 1,
    "version1-selection": 1,
    "version1-smoothed": 1,
    "version2-draws": 2,
    "version2-entropy": 2,
    "version2-uniform": 2,
    "version3-decided": 3,
}
ISSUED = {  # version, outcome, answer, radius, as they were issued
    "version2-certified": (2, "certified", "truck", 0.21400761),
    "version2-selected": (2, "certified", "truck", 0.0535310993),
    "version3-uniform": (3, "certified", "truck", 0.29423081),
    "version4-votes": (4, "certified", "truck", 0.295323756),
}
DEPOSITED = "1fee3138765651c078f659da880fc5ef15401214a25e86e59fcf63c1cee51e75"  # sha256 of its deposit.json
DENOISED = "35a461a65f29a7d547d899a5e32890535f3a5ad38bd3f2a3c0c158f5ad4cd240"  # of both networks and the condition
GUESSES, VOTES = [[10, 0, 0], [1, 9, 0], [3, 3, 4]], [[100, 0, 0], [10, 88, 2], [33, 33, 34]]
FEWER = [[100, 0, 0], [5, 44, 1], [33, 33, 34]]
SELECT0, SELECT = [[0, 10, 10], [0, 7, 10], [0, 1, 10]], [[0, 100, 100], [0, 80, 100], [0, 5, 100]]


def smoothed(name: str) -> SmoothedRun:
    run = read_run(FILES / f"{name}.npz")
    assert isinstance(run, SmoothedRun)
    return run


@pytest.mark.parametrize("name", VERSIONS)
def test_a_run_is_of_its_version_and_stays_so(name):
    with np.load(FILES / f"{name}.npz", allow_pickle=False) as file:
        assert json.loads(str(file["meta"]))["version"] == VERSIONS[name]
    run = read_run(FILES / f"{name}.npz")
    assert run.meta.version == VERSIONS[name]
    assert same_values(from_bytes(to_bytes(run)), run)


def same_values(a: Run, b: Run) -> bool:
    return to_bytes(a) == to_bytes(b) and a.meta == b.meta


@pytest.mark.parametrize(
    ("name", "votes", "smoothing"),
    [
        ("version1-smoothed", VOTES, "gaussian"),
        ("version2-uniform", VOTES, "uniform"),
        ("version2-draws", FEWER, "gaussian"),
        ("version3-decided", FEWER, "gaussian"),
    ],
)
def test_the_counts_of_a_run_are_those_that_were_written(name, votes, smoothing):
    run = smoothed(name)
    assert (run.meta.sigma, run.meta.n0, run.meta.n, run.meta.seed) == (0.5, 10, 100, 0)
    assert (run.meta.mechanism, run.meta.smoothing) == ("entropy", smoothing)
    assert (run.meta.network.name, run.meta.network.sha256) == ("toy", "0" * 64)
    assert run.index.tolist() == [0, 20, 40]
    assert run.label.tolist() == [0, 1, 2]
    assert run.class_counts0.tolist() == GUESSES
    assert run.class_counts.tolist() == votes
    assert run.select_counts0.tolist() == SELECT0
    assert run.thetas.tolist() == [0, 0.5, 1]
    assert run.entropy_median.tolist() == [np.float32(x) for x in (0.1, 0.4, 0.9)]


def test_what_later_versions_added_is_read():
    draws, decided = smoothed("version2-draws"), smoothed("version3-decided")
    assert draws.draws.tolist() == decided.draws.tolist() == [100, 50, 100]
    assert draws.meta.n_mean == pytest.approx(250 / 3)
    assert draws.meta.budget == {"rule": "toy"}
    assert decided.meta.decided == {"radii": [0.25]}
    assert decided.alpha_parts.tolist() == [2, 2, 4]


def test_a_log_of_version_1_keeps_its_decisions_and_digits():
    run = smoothed("version1-log")
    assert run.predict_class.tolist() == [0, -1]
    assert run.predict_select.tolist() == [[0, 1, 1], [0, -1, 1]]
    assert run.meta.radius_digits == 3
    assert run.class_counts.tolist() == [[100_000, 0, 0], [20_000, 80_000, 0]]


@pytest.mark.parametrize(("name", "mechanism"), [("version1-selection", "network"), ("version2-entropy", "entropy")])
def test_a_selection_run_is_read(name, mechanism):
    run = read_run(FILES / f"{name}.npz")
    assert isinstance(run, SelectionRun)
    assert run.select_counts.tolist() == SELECT
    assert run.meta.mechanism == mechanism


def test_runs_of_version_1_give_the_papers_radius():
    core = read_run(FILES / "version1-core.npz")
    assert isinstance(core, CoreRun)
    assert core.prediction.tolist() == [0, 1, 1]
    answer = certify(compose(smoothed("version1-smoothed"), core), [0.5], 0.001, "bonferroni", bound="complement")
    assert answer.radius[0, 0] == pytest.approx(0.5 * norm.ppf(0.0005 ** (1 / 100)), rel=1e-9)  # unanimous
    assert answer.radius[2, 0] == 0
    assert answer.prediction()[2, 0] == 1  # the core network's: 95 of 100 draws hand on


def test_a_store_of_the_first_version_is_read(tmp_path):
    shutil.copytree(FILES / "store", tmp_path / "store")
    with Store(tmp_path / "store") as store:
        assert sorted(meta.name for meta in store.metas()) == ["old-core", "old-selection", "old-smoothed"]
        stored = store.get("old-smoothed")
        assert to_bytes(stored) == to_bytes(smoothed("version1-smoothed"))


@pytest.mark.parametrize("name", ISSUED)
def test_a_certificate_is_read_to_its_values_and_written_to_the_byte(name, call):
    file = CERTIFICATES / f"{name}.json"
    made = from_json(file.read_text())
    assert (made.version, str(made.outcome), made.answer, made.radius) == ISSUED[name]
    assert to_json(made) == file.read_text()
    status, said, error = call("check", file, ROOT / "app" / "photographs" / "coffee.jpg")
    assert (status, error) == (0, "")
    assert "counts: give the certificate's bounds and answer" in said


@pytest.mark.parametrize("name", ISSUED)
def test_a_certificate_that_claims_more_is_refused(name, call, tmp_path):
    told = json.loads((CERTIFICATES / f"{name}.json").read_text())
    told["radius"] += 0.01
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps(told))
    status, _, error = call("check", forged, ROOT / "app" / "photographs" / "coffee.jpg")
    assert (status, error.count("\n")) == (2, 1)


def test_every_version_of_certificates_has_a_file():
    versions = {json.loads(path.read_text())["version"] for path in CERTIFICATES.glob("*.json")}
    assert versions == set(range(1, 8))


def test_a_system_of_version_1_is_read(tmp_path):
    shutil.copy(FILES / "version1-system.yaml", tmp_path / "system.yaml")
    for name in ("fashion_mnist-smoothadv-1.0", "fashion_mnist-core"):
        shutil.copy(ROOT / "cache" / "demo" / f"{name}.safetensors", tmp_path)
    deployed = read_system(tmp_path / "system.yaml")
    assert (deployed.system.theta, deployed.system.sigma, deployed.system.alpha) == (0.832, 1.0, 0.001)


def test_a_deposit_of_version_1_is_what_was_deposited_and_gives_its_tables(call, tmp_path):
    place = FILES / "version1-deposit"
    assert json.loads((place / MANIFEST).read_text())["version"] == 1
    found = check_deposit(place)
    assert (found.problems, found.files, found.runs, found.tables) == ((), 7, 2, 2)
    assert found.digest == hashlib.sha256((place / MANIFEST).read_bytes()).hexdigest() == DEPOSITED
    assert to_bytes(read_run(place / "runs" / "old-smoothed.npz")) == to_bytes(smoothed("version1-smoothed"))
    shutil.copytree(place, tmp_path / "changed")
    table = tmp_path / "changed" / "tables" / "system-1.csv"
    table.write_bytes(table.read_bytes().replace(b"0", b"1", 1))
    status, _, error = call("verify", tmp_path / "changed")
    assert (status, error.splitlines()[0]) == (2, "tables/system-1.csv: differs from its sha256")


def rule_denoiser(path: Path) -> Path:
    """The denoiser that the kept description names: its weights are no chance's, so any torch makes the same file."""
    module = denoiser_card("dncnn-half").build(1)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.copy_((torch.arange(tensor.numel()) % 7).reshape(tensor.shape) / 64)
    card = NetworkCard(path.stem, "dncnn-half", "fashion_mnist", "denoiser", 0.25)
    save(path, Network(torch.nn.Identity(), module), card)
    return path


def test_the_description_of_a_denoised_network_of_version_1_is_read(tmp_path):
    rule_denoiser(tmp_path / "rule-denoiser.safetensors")
    shutil.copy(ROOT / "cache" / "demo" / "fashion_mnist-core.safetensors", tmp_path)
    file = Path(shutil.copy(FILES / "version1-network.denoised.json", tmp_path))
    assert json.loads(file.read_text())["version"] == 1
    found = load(file)
    assert found.sha256 == DENOISED
    assert (found.card.name, found.card.dataset, found.card.training) == (
        "fashion_mnist-core-denoised-0.25", "fashion_mnist", "denoised",
    )  # fmt: skip
    assert found.card.sigma_train == 0.25
    assert found.network(torch.full((1, 1, 28, 28), 0.5)).shape == (1, 10)
