"""``deposit`` and ``verify FOLDER`` as a stranger meets them: in another process, without the store."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests import ROOT

SYSTEM = ("--system", "toy-noisy,toy-core")


def test_a_deposit_verifies_where_nothing_else_is(call, store, tmp_path):
    folder = tmp_path / "paper-runs"
    chosen = "--theta", "0.2,0.4", "--radii", "0,0.25"
    status, out, err = call("deposit", *SYSTEM, *SYSTEM, *chosen, "-o", folder, "--cache", store)
    assert (status, err) == (0, "")
    digest = out.split()[-1]
    nowhere = {name: str(tmp_path / name) for name in ("ACES_CACHE", "ACES_DEMO", "ACES_DATA", "ACES_MODELS")}
    command = [sys.executable, "-m", "engine", "verify", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | nowhere, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert digest in done.stdout
    assert "2 runs read, 3 tables computed again" in done.stdout
    assert not any((tmp_path / name).exists() for name in nowhere)
    _, table, _ = call(
        "table", "--certify", "toy-noisy", "--core", "toy-core", *chosen, "--format", "csv", "--cache", store
    )
    assert (folder / "tables" / "system-1.csv").read_text() == table


def test_what_was_changed_is_a_line_each_and_status_2(call, store, tmp_path):
    folder = tmp_path / "deposit"
    call("deposit", "toy-core", "-o", folder, "--cache", store)
    (folder / "README.md").write_text("x")
    (folder / "a\x1b[31m").write_text("x")
    status, out, err = call("verify", folder)
    assert (status, out) == (2, "")
    lines = err.splitlines()
    assert len(lines) == 3
    assert "\x1b" not in err
    assert lines[-1].endswith("is not what was deposited: 2 problems")


def test_a_manifest_that_leads_elsewhere_is_refused_in_one_line(call, store, tmp_path):
    folder = tmp_path / "deposit"
    call("deposit", "toy-core", "-o", folder, "--cache", store)
    manifest = json.loads((folder / "deposit.json").read_text())
    manifest["files"]["../../etc/passwd"] = {"size": 1, "sha256": "0" * 64}
    (folder / "deposit.json").write_text(json.dumps(manifest))
    status, _, err = call("verify", folder)
    assert (status, len(err.splitlines())) == (2, 1)
    assert "no place of a file here" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to deposit"),
        (("no-run",), "no run matches"),
        (("--system", "toy-noisy"), "is neither CERTIFY,CORE[,SELECT] nor a system.yaml"),
        (("--system", "no.yaml"), "no.yaml: cannot be read"),
        (("--system", "toy-core,toy-noisy"), "where a smoothed run is asked for"),
        ((*SYSTEM, "--theta", "2"), "theta is 2"),
        ((*SYSTEM, "--theta", "0.3", "--p0", "0.7"), "two ways to select"),
        ((*SYSTEM, "--p0", "0.3"), "p0 is 0.3"),
        ((*SYSTEM, "--radii", "x"), "--radii"),
        ((*SYSTEM, "--alpha", "2"), "alpha"),
        ((*SYSTEM, "--then", "no-run,0.2"), "no smoothed run"),
    ],
)
def test_what_cannot_be_deposited_is_one_line_and_no_folder(call, store, tmp_path, words, said):
    status, out, err = call("deposit", *words, "-o", tmp_path / "deposit", "--cache", store)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.glob("*deposit*"))
