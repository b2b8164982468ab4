"""One call certifies one picture: the same certificate by whichever way it is asked for."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from engine.datasets import DATASETS
from engine.errors import AcesError
from engine.single_image import System, certify_image, sample_image
from engine.single_image.case import Case, frame
from engine.single_image.certificate import Certificate, check, issue, to_json
from engine.single_image.certify import grow
from engine.single_image.picture import Framing, read_picture, to_png
from engine.single_image.plan import Mode
from engine.single_image.resample import resample
from tests import ROOT, toy

PNG = to_png(np.random.default_rng(0).integers(0, 256, (1, 40, 60), dtype=np.uint8))
THETA = 0.8


@pytest.fixture(autouse=True)
def _toy(toy_dataset: None) -> None: ...


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", toy.CARD)
        toy.checkpoint(folder / "noisy.safetensors", sigma=2.0)
        toy.checkpoint(folder / "plain.safetensors", training="standard", sigma=0.0, seed=1)
        toy.selector(folder / "chooser.safetensors", sigma=1.0)
    return folder


@pytest.fixture(params=["entropies", "a selection network", "uniform noise", "fewer votes"])
def system(files: Path, request: pytest.FixtureRequest) -> System:
    select = files / "chooser.safetensors" if request.param == "a selection network" else None
    smoothing = "uniform" if request.param == "uniform noise" else None
    t = 0.2 if request.param == "fewer votes" else 0.5
    return System.load(
        files / "noisy.safetensors", files / "plain.safetensors", THETA, select=select, smoothing=smoothing, t=t
    )


def without_time(made: Certificate) -> Certificate:
    return dataclasses.replace(made, created="")


def test_one_call_reads_frames_draws_and_issues(system):
    framing = Framing(x=0.2, zoom=0.7)
    made = certify_image(PNG, system, system.plan(n=2_100), framing=framing)
    tensor, subject = frame(read_picture(PNG), framing, (1, 8, 8))
    check(made, tensor)
    assert made.image == subject
    assert made.plan == system.plan(n=2_100)
    assert resample(made, system.open(), tensor, 1.0).turned == 0


def test_the_call_the_iterator_and_the_parts_give_one_certificate(system):
    plan, pair = system.plan(n=2_100), system.open()
    by_call = certify_image(PNG, system, plan, seed=5)
    *_, last = sample_image(PNG, system, plan, seed=5)
    case = Case.fixed(*frame(read_picture(PNG), Framing(), (1, 8, 8)), plan, 5)
    *_, grown = grow(case, pair.answer(case))
    by_hand = issue(grown.evidence, plan, case.image, pair.networks, 5)
    made = {to_json(without_time(one)) for one in (by_call, last.certificate(), grown.certificate(), by_hand)}
    assert len(made) == 1
    assert system.certify(PNG, plan, seed=5)[0].segments == by_call.segments


def test_a_file_and_its_content_are_one_picture(system, tmp_path):
    (tmp_path / "picture.png").write_bytes(PNG)
    a, b = (certify_image(p, system, system.plan(n=1_000), seed=5) for p in (PNG, tmp_path / "picture.png"))
    assert without_time(a) == without_time(b)


def test_the_evidence_grows_and_whoever_breaks_off_has_a_certificate_of_it(system):
    drawn = []
    for found in sample_image(PNG, system, system.plan(n=5_000), seed=5):
        drawn.append(found.drawn)
        if found.drawn == 2_000:
            break
    assert drawn == [1_000, 2_000]
    made = found.certificate(datetime(2026, 1, 1, tzinfo=UTC))
    assert [look.n for look in made.looks] == [1_000, 2_000]
    assert made.created == "2026-01-01T00:00:00+00:00"
    check(made)


def test_with_a_fixed_n_breaking_off_gives_nothing(system):
    found = next(sample_image(PNG, system, system.plan(n=5_000, mode=Mode.FIXED)))
    with pytest.raises(AcesError, match="with a fixed n, nothing is promised"):
        found.certificate()


def test_noise_is_fresh_unless_it_is_named(system):
    plan = system.plan(n=1_000)
    assert certify_image(PNG, system, plan).seed != certify_image(PNG, system, plan).seed
    assert certify_image(PNG, system, plan, challenge="a beacon").challenge == "a beacon"


def test_the_plan_of_another_system_is_refused_by_what_differs(system):
    for name, value in {"theta": 0.4, "sigma": 1.5, "alpha": 0.01, "correction": "bonferroni"}.items():
        with pytest.raises(AcesError, match=f"the plan's {name} is {value}"):
            certify_image(PNG, system, dataclasses.replace(system.plan(), **{name: value}))


def test_what_is_no_picture_is_refused(system):
    with pytest.raises(AcesError):
        certify_image(b"no picture", system)


def test_asking_for_the_call_loads_no_torch():
    code = "import sys; from engine.single_image import System, certify_image; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_example_of_the_readme_runs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "System.load(" in block]
    done = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1  # a statement, whatever it says
