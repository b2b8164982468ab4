from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import diskcache
import numpy as np
import pytest

from cache import entries
from cache.entries import BytesDisk
from cache.store import Store
from engine import datasets
from engine.cli import app
from engine.cli.options import parse_numbers
from engine.errors import AcesError
from engine.records import runs
from engine.records.compose import compose
from engine.statistics.aces import Outcome, certify
from engine.statistics.corrections import Correction
from engine.statistics.metrics import evaluate
from tests import ROOT, toy

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]


@pytest.fixture
def store(tmp_path):
    """A store with a certification and a core run in it."""
    place = tmp_path / "store"
    with Store(place) as opened:
        opened.put(toy.smoothed_run())
        opened.put(toy.core_run())
    return place


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_table_has_the_contract_columns_and_the_engines_numbers(call, store):
    status, out, _ = call("table", "--certify", "toy-n", "--core", "toy-c", "--theta", "0:1:0.25",
                          "--radii", "0,0.25,1.0", "--format", "csv", "--cache", store)  # fmt: skip
    assert status == 0
    table = rows(out)
    assert list(table[0]) == [
        "theta",
        "nac",
        "acr",
        *("cert_0", "cert_0.25", "cert_1.0"),
        *("select_0", "select_0.25", "select_1.0"),
    ]
    assert [float(row["theta"]) for row in table] == [0, 0.25, 0.5, 0.75, 1]
    expected = evaluate(compose(toy.smoothed_run(), toy.core_run()), [0, 0.25, 0.5, 0.75, 1], radii=[0, 0.25, 1])
    assert [float(row["acr"]) for row in table] == pytest.approx(expected.acr, rel=1e-8)
    assert [float(row["cert_0.25"]) for row in table] == pytest.approx(expected.certified_accuracy[:, 1])


def test_outcomes_have_one_row_an_image_and_radii_rounded_down(call, store):
    status, out, _ = call("outcomes", "--certify", "toy-noisy", "--core", "toy-core", "--theta", "0.3",
                          "--cache", store)  # fmt: skip
    assert status == 0
    assert out.splitlines()[0] == (
        "index,label,outcome,prediction,radius,radius_certify,radius_select,core_prediction,natural_prediction,"
        "entropy_median"
    )
    answer = certify(compose(toy.smoothed_run(), toy.core_run()), [0.3], 0.001, Correction.INTERSECTION_UNION)
    table = rows(out)
    assert [row["outcome"] for row in table] == [Outcome(o).label for o in answer.outcome[:, 0]]
    shown, exact = np.array([float(row["radius"]) for row in table]), answer.radius[:, 0]
    assert (shown <= exact).all()
    assert shown == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize(("form", "starts"), [("latex", r"(\d\.\d+) & "), ("markdown", r"\| (\d\.\d+) \| ")])
def test_tables_for_people_have_a_line_for_every_threshold(call, store, form, starts):
    status, out, _ = call("table", "--certify", "toy-noisy", "--core", "toy-core", "--theta", "0,0.5",
                          "--format", form, "--cache", store)  # fmt: skip
    assert status == 0
    assert re.findall(f"^{starts}", out, re.MULTILINE) == ["0.00", "0.50"]


def test_json_holds_every_threshold(call, store):
    status, out, _ = call("table", "--certify", "toy-noisy", "--core", "toy-core", "--theta", "0,0.5",
                          "--format", "json", "--cache", store)  # fmt: skip
    assert status == 0
    assert [row["theta"] for row in json.loads(out)] == [0.0, 0.5]


def test_runs_lists_the_meta_of_every_run(call, store):
    status, out, _ = call("runs", "--format", "json", "--cache", store)
    listed = {meta["name"]: meta for meta in json.loads(out)}
    assert status == 0
    assert listed["toy-noisy"] == toy.smoothed_run().meta.to_json()
    assert listed["toy-core"]["kind"] == "core"
    status, out, _ = call("runs", "--cache", store)
    assert "toy-noisy" in out


def test_export_then_import_elsewhere_gives_the_same_run(call, store, tmp_path):
    exported, elsewhere = tmp_path / "out.npz", tmp_path / "elsewhere"
    assert call("export", "toy-noisy", "-o", exported, "--cache", store)[0] == 0
    status, out, _ = call("import", exported, "--cache", elsewhere)
    assert status == 0
    assert "toy-noisy" in out
    with Store(elsewhere) as opened:
        assert runs.same(opened.get("toy-noisy"), toy.smoothed_run())


def test_what_a_newer_program_wrote_is_named_and_survives_every_import(call, store, tmp_path):
    path = tmp_path / "core.npz"
    runs.write_run(toy.core_run(), path)
    with diskcache.Cache(str(store / "runs"), disk=BytesDisk) as cache:
        card = {"meta": toy.core_run().meta.to_json() | {"version": 3}, "sha256": ""}
        entries.write(cache, "meta/toy-core", json.dumps(card).encode())
        held = cache["meta/toy-core"], cache["run/toy-core"]
    said = "run 'toy-core' in .* was written by a newer program .*update it"
    for arguments in (
        ["import", path],
        ["import", path, "--replace"],
        ["export", "toy-core", "-o", tmp_path / "out.npz"],
    ):
        status, out, err = call(*arguments, "--cache", store)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert re.search(said, err)
    status, out, err = call("runs", "--cache", store)
    assert status == 0
    assert "toy-noisy" in out
    assert "toy-core" not in out
    assert re.search(said, err)
    with diskcache.Cache(str(store / "runs"), disk=BytesDisk) as cache:
        assert (cache["meta/toy-core"], cache["run/toy-core"]) == held


def test_the_alpha_of_a_log_is_stated_on_the_command_line(call, tmp_path):
    log = tmp_path / "cifar10" / "noise_0.25" / "few"
    log.parent.mkdir(parents=True)
    rows = [f"{2000 * i}\t{i}\t{i}\t0.{3 + i}01\t1\t1.0\n" for i in range(5)]
    log.write_text("idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + "".join(rows))
    status, out, _ = call("import", log, "--cache", tmp_path / "a")
    assert status == 0
    assert "ambiguous: its radii fit n = " in out
    assert '"alpha": 0.01' in out
    status, out, _ = call("import", log, "--alpha-of-log", "0.001", "--cache", tmp_path / "b")
    assert status == 0
    assert '"alpha": 0.001' in out
    assert '"stated": ["alpha"]' in out
    for alpha, message in [
        ("0.7", "must lie in (0, 0.5]"),
        ("nan", "the alpha of a log is nan"),
        ("1e-300", "does not fit"),
    ]:
        status, out, err = call("import", log, "--alpha-of-log", alpha, "--cache", tmp_path / "c")
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_a_bad_file_among_good_ones_changes_nothing(call, tmp_path):
    good, bad = tmp_path / "good.npz", tmp_path / "bad.npz"
    runs.write_run(toy.core_run(), good)
    bad.write_bytes(good.read_bytes()[:-200])
    status, _, err = call("import", good, bad, "--cache", tmp_path / "new")
    assert status == 2
    assert "bad.npz" in err
    with Store(tmp_path / "new") as opened:
        assert opened.metas() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--theta", "1.5"], "theta is 1.5"),
        (["--theta", "0:1:0"], "positive step"),
        (["--theta", "high"], "'high' is not a number"),
        (["--alpha", "0"], "alpha is 0"),
        (["--alpha", "1"], "alpha is 1"),
        (["--radii", "-1"], "radius -1"),
        (["--certify", "absent"], "absent"),
        (["--correction", "holm"], "holm"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_status_2(call, store, arguments, message):
    status, out, err = call("table", "--certify", "toy-noisy", "--core", "toy-core", "--cache", store, *arguments)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert message in err


def test_runs_without_common_images_do_not_compose(call, tmp_path):
    import dataclasses

    core = toy.core_run()
    with Store(tmp_path / "s") as opened:
        opened.put(toy.smoothed_run())
        opened.put(dataclasses.replace(core, index=core.index + 1))
    status, _, err = call("table", "--certify", "toy-noisy", "--core", "toy-core", "--cache", tmp_path / "s")
    assert status == 2
    assert "share no images" in err


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
def test_a_table_warns_where_n_was_changed_after_looking(call, tmp_path):
    config, place = toy.config(tmp_path), tmp_path / "s"
    for n in (200, 300):
        assert call("precompute", config, "--n", n, "--cache", place)[0] == 0
        _, _, err = call("table", "--certify", "noisy", "--core", "plain", "--theta", "1", "--cache", place)
    assert "n of 'noisy' was changed after results could be seen (200, then 300)" in err


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


@pytest.mark.usefixtures("toy_dataset")
def test_verify_samples_again_and_finds_a_tampered_run(call, tmp_path):
    config, place = toy.config(tmp_path), tmp_path / "s"
    call("precompute", config, "--cache", place)
    status, out, err = call("verify", "noisy", "--config", config, "--images", "2", "--cache", place)
    assert (status, out) == (0, "'noisy': 2 images sampled again, every count the same\n")
    assert err.count("650 draws, the same") == 2
    status, _, err = call("verify", "noisy", "--cache", place)
    assert (status, "the weights of 'noisy' are missing" in err) == (2, True)
    with Store(place) as store:
        run = store.get("noisy")
        store.put(replace(run, class_counts=np.roll(run.class_counts, 1, 1)), replace=True)
    status, _, err = call("verify", "noisy", "--checkpoint", tmp_path / "noisy.safetensors", "--cache", place)
    assert status == 2
    assert "5 of 5 images of 'noisy' differ" in err
    assert "do not trust this run" in err


@pytest.mark.usefixtures("toy_dataset")
def test_train_writes_a_checkpoint(call, tmp_path):
    status, out, _ = call("train", "gaussian", "--dataset", "toy", "--sigma", "0.25", "--epochs", "1", "-o", tmp_path)
    assert status == 0
    assert Path(out.strip()) == tmp_path / "toy-gaussian-0.25.safetensors"
    assert Path(out.strip()).is_file()


@pytest.mark.usefixtures("toy_dataset")
def test_train_goes_from_a_certification_network_to_its_selection_network(call, tmp_path):
    short = ["--epochs", "1", "--set", "batch_size=8", "--set", "crop_padding=0", "-o", tmp_path]
    call("train", "macer", "--dataset", "toy", "--sigma", "0.25", "--set", "lam=2", *short)
    teacher = tmp_path / "toy-macer-0.25.safetensors"
    assert json.loads(teacher.with_suffix(".json").read_text())["hyper"]["lam"] == 2
    status, out, _ = call("train", "selection", "--network", teacher, "--eta", "0.3", "--draws", "4", *short)
    assert status == 0
    card = json.loads(Path(out.strip()).with_suffix(".json").read_text())
    assert card["name"] == "toy-macer-0.25-selection-0.3"
    assert card["selection"]["draws"] == 4
    assert "copies" in card["hyper"]  # trained by its teacher's method


@pytest.mark.usefixtures("toy_dataset")
def test_an_interrupted_training_says_what_is_kept(call, tmp_path, monkeypatch):
    from engine.cli.progress import TrainingBar

    def interrupt(bar, report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingBar, "__call__", interrupt)
    command = ["train", "gaussian", "--dataset", "toy", "--sigma", "0.25", "--epochs", "3", "-o", tmp_path]
    status, out, err = call(*command)
    assert (status, out) == (130, "")
    assert err.splitlines()[-1] == (
        f"interrupted; {tmp_path / 'toy-gaussian-0.25.pth.tar'} holds the last whole epoch: the same command goes on "
        f"from there"
    )
    monkeypatch.undo()
    monkeypatch.setitem(datasets.DATASETS, "toy", toy.CARD)
    assert call(*command)[0] == 0


@pytest.mark.usefixtures("toy_dataset")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["macro"], "unknown training method 'macro'"),
        (["gaussian"], "sigma is 0.0; gaussian trains under noise"),
        (["macer", "--sigma", "0.25", "--preset", "quick"], "unknown preset 'quick'"),
        (["macer", "--sigma", "0.25", "--set", "lam"], "expected NAME=VALUE"),
        (["macer", "--sigma", "0.25", "--set", "lambda=1"], "nothing named 'lambda'"),
        (["selection"], "name its checkpoint by --network"),
        (["selection", "--network", "{}", "--eta", "1.5"], "eta is 1.5"),
        (["selection", "--network", "{}", "--preset", "quick"], "unknown preset 'quick'"),
    ],
)
def test_a_training_that_cannot_be_is_one_line_and_status_2(call, tmp_path, arguments, message):
    teacher = str(toy.checkpoint(tmp_path / "teacher.safetensors"))
    status, out, err = call("train", "--dataset", "toy", *(a.format(teacher) for a in arguments), "-o", tmp_path / "o")
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(call, command):
    status, out, _ = call(command, "--help")
    assert status == 0
    assert f"python -m engine {command}" in re.sub(r"\s+", " ", out)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command):
    assert f"`{command}`" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.5", [0.5]), ("0,0.1", [0, 0.1]), ("0:0.3:0.1", [0, 0.1, 0.2, 0.3]), ("0:1:0.4", [0, 0.4, 0.8])],
)
def test_thresholds_are_read_in_decimal(text, expected):
    assert parse_numbers(text, "--theta") == expected


def test_a_huge_grid_is_refused():
    with pytest.raises(AcesError, match=r"100,000"):
        parse_numbers("0:1:1e-9", "--theta")


def test_the_module_runs_as_a_program(store):
    command = [sys.executable, "-m", "engine", "table", "--certify", "nothing", "--core", "x", "--cache", str(store)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_models_lists_every_architecture_with_its_size(call):
    status, out, _ = call("models", "--format", "json")
    listed = {row["name"]: row for row in json.loads(out)}
    assert status == 0
    assert listed["resnet110"]["parameters"] == 1_730_714
    assert listed["efficientnet-b7"]["pixels"] == 600
    status, out, _ = call("models")
    assert all(name in out for name in listed)


def test_inspect_says_what_a_checkpoint_is(call, tmp_path):
    path = ROOT / "cache" / "demo" / "fashion_mnist-core.safetensors"
    status, out, _ = call("inspect", path, "--format", "json")
    facts, card = json.loads(out), json.loads(path.with_suffix(".json").read_text())
    assert status == 0
    assert (facts["architecture"], facts["outputs"], facts["sha256"]) == ("resnet20", 10, card["sha256"])
    assert facts["parameters"] == card["parameters"]
    (tmp_path / "bad.pth").write_text("no checkpoint")
    status, _, err = call("inspect", tmp_path / "bad.pth")
    assert status == 2
    assert "bad.pth is refused" in err


def test_inspect_refuses_a_normaliser_that_does_not_exist(call):
    status, _, err = call("inspect", "x.pth", "--normalizer", "centre")
    assert status == 2
    assert "known: normalize, center, none" in err
