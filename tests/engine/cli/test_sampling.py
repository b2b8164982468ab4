from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from cache.store import Store
from engine.records import runs
from tests import toy
from tests.engine.cli.tables import rows


@pytest.mark.usefixtures("toy_dataset")
def test_precompute_from_a_config_and_look_at_the_result(call, tmp_path):
    config = toy.config(tmp_path, n=300)
    status, out, _ = call("precompute", config, "--n", "260", "--cache", tmp_path / "s")
    assert status == 0
    assert "noisy" in out
    status, out, _ = call("table", "--certify", "noisy", "--core", "plain", "--theta", "1", "--format", "csv",
                          "--cache", tmp_path / "s")  # fmt: skip
    assert status == 0
    assert len(rows(out)) == 1


@pytest.mark.usefixtures("toy_dataset")
def test_precompute_takes_another_seed_and_keeps_todays_by_default(call, tmp_path):
    path = toy.config(tmp_path)
    seeds = {"none": (), "zero": ("--seed", "0"), "other": ("--seed", "7")}
    found = {}
    for name, options in seeds.items():
        assert call("precompute", path, *options, "--cache", tmp_path / name)[0] == 0
        assert call("export", "noisy", "-o", tmp_path / f"{name}.npz", "--cache", tmp_path / name)[0] == 0
        found[name] = runs.read_run(tmp_path / f"{name}.npz")
    assert [run.meta.seed for run in found.values()] == [0, 0, 7]
    assert np.array_equal(found["none"].class_counts, found["zero"].class_counts)
    assert np.array_equal(found["none"].select_counts, found["zero"].select_counts)
    assert not np.array_equal(found["none"].select_counts, found["other"].select_counts)
    status, _, err = call("precompute", path, "--seed", "7", "--cache", tmp_path / "none")
    assert (status, "the store holds another run named 'noisy'" in err) == (2, True)


@pytest.mark.usefixtures("toy_dataset")
def test_a_dry_run_says_what_is_missing_and_samples_nothing(call, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.sampling.estimate.PROBE_SECONDS", 0.05)
    status, out, _ = call("precompute", toy.config(tmp_path), "--dry-run", "--cache", tmp_path / "s")
    assert status == 0
    assert re.search(r"noisy +smoothed +6 +3,900 +0 +3,900", out)
    assert "from a probe of two seconds" in out
    assert "noisy" not in call("runs", "--cache", tmp_path / "s")[1]


@pytest.mark.usefixtures("toy_dataset")
def test_a_dry_run_for_programs_is_a_line_of_json_a_run(call, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.sampling.estimate.PROBE_SECONDS", 0.05)
    status, out, _ = call(
        "precompute", toy.config(tmp_path), "--dry-run", "--progress", "json", "--cache", tmp_path / "s"
    )
    noisy, plain = (json.loads(line) for line in out.splitlines())
    assert (status, noisy["event"], noisy["name"], plain["name"]) == (0, "estimate", "noisy", "plain")
    assert (noisy["draws"], noisy["cached"]) == (3900, 0)
    assert noisy["seconds"] == pytest.approx(3900 / noisy["rate"])


@pytest.mark.usefixtures("toy_dataset")
def test_progress_for_programs_is_a_line_of_json_an_event(call, tmp_path):
    status, out, err = call("precompute", toy.config(tmp_path), "--progress", "json", "--cache", tmp_path / "s")
    events = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    last = [event for event in events if event["event"] == "progress"][-1]
    assert (last["job"], last["images"], last["draws"], last["total"]) == ("noisy", 6, 3900, 3900)
    assert last["draws_per_second"] > 0
    assert [event["meta"]["name"] for event in events if event["event"] == "run"] == ["noisy", "plain"]


@pytest.mark.usefixtures("toy_dataset")
def test_verify_samples_again_and_finds_a_tampered_run(call, tmp_path):
    config, place = toy.config(tmp_path), tmp_path / "s"
    call("precompute", config, "--cache", place)
    status, out, err = call("verify", "noisy", "--config", config, "--images", "2", "--cache", place)
    assert (status, out) == (0, "'noisy': 2 images sampled again, every count the same\n")
    assert err.count("650 draws, the same") == 2
    status, out, err = call("verify", "noisy", "--images", "1", "--cache", place)  # the run knows where they lie
    assert (status, out) == (0, "'noisy': 1 images sampled again, every count the same\n")
    (tmp_path / "noisy.safetensors").rename(tmp_path / "moved.safetensors")
    status, _, err = call("verify", "noisy", "--cache", place)
    assert (status, "the weights of 'noisy' are missing" in err) == (2, True)
    (tmp_path / "moved.safetensors").rename(tmp_path / "noisy.safetensors")
    with Store(place) as store:
        run = store.get("noisy")
        store.put(replace(run, class_counts=np.roll(run.class_counts, 1, 1)), replace=True)
    status, _, err = call("verify", "noisy", "--checkpoint", tmp_path / "noisy.safetensors", "--cache", place)
    assert status == 2
    assert "5 of 5 images of 'noisy' differ" in err
    assert "do not trust this run" in err


@pytest.mark.usefixtures("toy_dataset")
def test_a_budget_and_a_question_from_the_command_line(call, tmp_path):
    path = toy.config(tmp_path, n=900)
    for name, options, version in (
        ("a", ("--lose", "20%", "--theta", "0.2:1"), 2),
        ("b", ("--decide", "r=0.05,0.1"), 3),
    ):
        assert call("precompute", path, *options, "--cache", tmp_path / name)[0] == 0
        told = json.loads(call("runs", "--format", "json", "--cache", tmp_path / name)[1])
        meta = next(one for one in told if one["name"] == "noisy")
        assert meta["version"] == version
        if version == 2:
            assert (meta["budget"]["lose"], meta["budget"]["theta"]) == (0.2, [0.2, 1.0])
        else:
            assert meta["decided"]["r"] == [0.05, 0.1]


@pytest.mark.usefixtures("toy_dataset")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--lose", "1%", "--decide", "r=1"), "--lose measures and --decide does not"),
        (("--lose", "none"), "--lose: lose: "),
        (("--lose", "200%"), "--lose: lose: "),
        (("--decide", "r=far"), "--decide: 'far' is not a number"),
        (("--decide", "r=-1"), "--decide: r.0: "),
        (("--decide", "r=1", "--theta", "0:1"), "--decide asks at one theta"),
        (("--theta", "0.3"), "--theta says where"),
    ],
)
def test_a_rule_that_means_nothing_is_one_line(call, tmp_path, options, said):
    status, _, err = call("precompute", toy.config(tmp_path), *options, "--cache", tmp_path / "s")
    assert (status, err.count("\n")) == (2, 1)
    assert said in err


@pytest.mark.usefixtures("toy_dataset")
def test_a_plan_compares_budgets_from_the_guess_draws(call, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.sampling.estimate.PROBE_SECONDS", 0.05)
    path, cache = toy.config(tmp_path), ("--cache", tmp_path / "s")
    status, out, _ = call("plan", path, "--theta", "1", "--decide", "r=0.05", *cache)
    assert status == 0
    assert re.search(r"noisy +n = 600 for every image +6 +3,600 +1\.0 x +100\.0 %", out)
    assert re.search(r"noisy +lose 5 % ", out)
    assert re.search(r"noisy +decide r 0\.05 .* — ", out)
    status, out, _ = call("plan", path, "--progress", "json", *cache)
    events = [json.loads(line) for line in out.splitlines()]
    assert [one["rule"] for one in events] == ["n = 600 for every image", "lose 1 %", "lose 2 %", "lose 5 %"]
