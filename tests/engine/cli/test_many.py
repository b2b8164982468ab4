"""``certify FOLDER -o OUT``: rows as they come, going on where it was, and what failed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cache.catalog import DEMO, Catalog
from engine import System
from engine.single_image.picture import to_png
from engine.single_image.results import LINES, TABLE
from engine.single_image.system_file import Deployed, to_yaml
from tests import ROOT, toy

pytestmark = pytest.mark.usefixtures("toy_dataset")


@pytest.fixture
def networks(tmp_path: Path) -> tuple[str, ...]:
    toy.checkpoint(tmp_path / "noisy.safetensors")
    toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0, seed=1)
    named = ("--certify", str(tmp_path / "noisy.safetensors"), "--core", str(tmp_path / "plain.safetensors"))
    return (*named, "--sigma", "2.0", "--theta", "0.8", "--n", "400", "--n0", "50")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures of one name in two folders below one, and a file that is none."""
    found = tmp_path / "pictures"
    for at, name in enumerate(("one/x.png", "two/x.png", "y.png")):
        path = found / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_png(toy.images("test").images[at]))
    return found


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / LINES).read_text().splitlines()]


def test_pictures_of_one_name_keep_a_certificate_each(call, networks, folder, tmp_path):
    out = tmp_path / "out"
    status, printed, err = call("certify", folder, *networks, "-o", out)
    assert (status, printed) == (0, "")
    assert "3 images: " in err
    assert "0 of them were there already" in err
    certificates = {
        name: json.loads((out / f"{name}.json").read_text()) for name in ("one/x.png", "two/x.png", "y.png")
    }
    assert len({made["image"]["tensor_sha256"] for made in certificates.values()}) == 3
    with (out / TABLE).open(newline="") as file:
        assert {row["file"]: row["outcome"] for row in csv.DictReader(file)} == {
            name: made["outcome"] for name, made in certificates.items()
        }
    assert {line["certificate"] for line in lines(out)} == {f"{name}.json" for name in certificates}


def test_the_same_command_goes_on_and_another_plan_is_refused(call, networks, folder, tmp_path):
    out = tmp_path / "out"
    call("certify", folder, *networks, "-o", out)
    before = {path: path.read_bytes() for path in out.rglob("*.png.json")}
    (folder / "z.png").write_bytes(to_png(toy.images("test").images[5]))
    (folder / "broken.png").write_bytes(b"no picture")
    status, _, err = call("certify", folder, *networks, "-o", out)
    assert status == 2  # something failed
    assert "broken.png: this is no image" in err
    assert "3 of them were there already" in err
    assert "1 images could not be certified" in err
    assert {path: path.read_bytes() for path in before} == before
    assert [line["outcome"] for line in lines(out) if line["file"] == "broken.png"] == ["failed"]
    (folder / "broken.png").unlink()
    assert call("certify", folder, *networks, "-o", out)[0] == 0
    status, _, err = call("certify", folder, *networks, "--alpha", "0.01", "-o", out)
    assert (status, err.count("error")) == (2, 1)
    assert "another system, plan or crop" in err


def test_a_system_s_file_stands_for_all_options(call, tmp_path):
    path, out = tmp_path / "system.yaml", tmp_path / "out"
    system = System.load(
        "fashion_mnist-gaussian-0.5", "fashion_mnist-core", 0.6, dataset="fashion_mnist", runs=Catalog(demo=DEMO)
    )
    path.write_text(to_yaml(Deployed(system, {}), path))
    folder = tmp_path / "pictures"
    folder.mkdir()
    with np.load(DEMO / "fashion_mnist_images.npz") as file:
        (folder / "shoe.png").write_bytes(to_png(file["images"][3]))
    assert call("certify", folder, "--system", path, "--outcome", "-o", out)[0] == 0
    (line,) = lines(out)
    assert line["outcome"] in ("certified", "core", "consensus")
    made = json.loads((out / "shoe.png.json").read_text())
    assert (made["plan"]["theta"], made["plan"]["sigma"], made["networks"]["precision"]) == (0.6, 0.5, "bfloat16")
    for extra in (("--theta", "0.3"), ("--core", "x"), ("--alpha", "0.01"), ("--votes", "0.3")):
        status, _, err = call("certify", folder, "--system", path, *extra)
        assert (status, err.count("\n")) == (2, 1)
        assert "--system says networks and settings itself" in err
    status, _, err = call("certify", folder)
    assert "name the networks with --certify and --core, or a system.yaml with --system" in err


def test_an_interruption_loses_nothing_that_has_a_line(tmp_path):
    folder, out = tmp_path / "pictures", tmp_path / "out"
    folder.mkdir()
    with np.load(DEMO / "fashion_mnist_images.npz") as file:
        for at in range(60):
            (folder / f"{at}.png").write_bytes(to_png(file["images"][at]))
    command = [
        sys.executable, "-m", "engine", "certify", str(folder), "--certify", "fashion_mnist-gaussian-0.5", "--core",
        "fashion_mnist-core", "--n", "3000", "-o", str(out),
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, env={**os.environ, "ACES_DEMO": str(DEMO)}
    ) as done:
        while done.poll() is None and not ((out / LINES).exists() and (out / LINES).read_text().count("\n") > 2):
            time.sleep(0.05)
        done.send_signal(signal.SIGINT)
        assert b"certify -o go on where they were" in done.communicate()[1]
    assert done.returncode == 130
    found = lines(out)
    assert 2 < len(found) < 60
    assert all((out / str(line["certificate"])).is_file() for line in found)
