"""Run files: what is written is read back byte for byte, and what breaks the contract is refused by name."""

import io
import json
import pickle
import zipfile
from dataclasses import fields, replace

import numpy as np
import pytest

from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.records.meta import Meta, NetworkInfo, NewerFormatError, RunError
from engine.records.origin import Origin
from engine.records.runs import (
    CoreRun,
    SelectionRun,
    SmoothedRun,
    arrays,
    from_bytes,
    read_images,
    read_meta,
    read_run,
    same,
    to_bytes,
    write_run,
)
from tests import ROOT
from tests.random_runs import core_of, meta, selection, smoothed, uneven

DEMO = ROOT / "cache" / "demo"


def full_smoothed() -> SmoothedRun:
    """Every optional array present."""
    run = smoothed(images=5)
    return replace(
        run,
        meta=replace(
            run.meta,
            split="test",
            seed=3,
            precision="float32",
            network=NetworkInfo("resnet20", "ab" * 32, "gaussian", 0.5),
            radius_digits=3,
        ),
        entropy_median=np.linspace(0, 1, 5),
        entropy_quantiles=np.tile(np.linspace(0, 1, 5), (5, 1)),
        predict_class=np.array([0, 1, 2, ABSTAIN, 0]),
        predict_select=np.tile([ABSTAIN, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1], (5, 1)),
    )


FEWEST = full_smoothed().class_counts[np.arange(5), full_smoothed().class_counts0.argmax(1)]
HIGH = np.minimum(FEWEST + 2, 200)


def full_core() -> CoreRun:
    run = core_of(smoothed(images=5))
    return replace(run, logits=np.random.default_rng(0).normal(size=(5, 3)))


def scored_selection() -> SelectionRun:
    return replace(selection(images=5), score_median=np.linspace(0, 1, 5))


RUNS = {"smoothed": smoothed(images=5), "full": full_smoothed(), "selection": scored_selection(), "core": full_core()}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


def npz(**contents: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **contents)
    return buffer.getvalue()


def file_with(run, meta_changes=(), **changes) -> bytes:
    """The run's file with some arrays (None: left out) and some entries of meta changed (None: left out)."""
    contents = {k: v for k, v in (arrays(run) | changes).items() if v is not None}
    entries = {k: v for k, v in (run.meta.to_json() | dict(meta_changes)).items() if v is not None}
    return npz(meta=np.array(json.dumps(entries)), **contents)


def refusal(data: bytes) -> str:
    with pytest.raises(RunError) as caught:
        from_bytes(data, "log.npz")
    message = str(caught.value)
    assert message.startswith("log.npz: ")
    return message.removeprefix("log.npz: ")


# --- round trips -----------------------------------------------------------------------------------------------


@every_run
def test_round_trip_is_byte_identical(run):
    data = to_bytes(run)
    back = from_bytes(data)
    assert type(back) is type(run)
    assert same(back, run)
    assert to_bytes(back) == data


@every_run
def test_round_trip_over_a_file(run, tmp_path):
    path = tmp_path / "run.npz"
    write_run(run, path)
    assert same(read_run(path), run)
    assert read_meta(path) == run.meta
    images = read_images(path)
    assert (images.meta, images.index.tolist()) == (run.meta, run.index.tolist())
    assert np.array_equal(images.label, getattr(run, "label", None))
    assert list(tmp_path.iterdir()) == [path]


@every_run
def test_arrays_have_the_dtypes_of_the_contract(run):
    with np.load(io.BytesIO(to_bytes(run)), allow_pickle=False) as file:
        assert file["meta"].ndim == 0
        assert file["meta"].dtype.kind == "U"
        dtypes = {name: file[name].dtype.name for name in file.files if name != "meta"}
    expected = {
        "index": "int64", "label": "int64", "class_counts0": "int32", "class_counts": "int32", "thetas": "float64",
        "select_counts0": "int32", "select_counts": "int32", "entropy_median": "float32", "prediction": "int64",
        "entropy_quantiles": "float32", "predict_class": "int64", "predict_select": "int8", "score_median": "float32",
        "logits": "float32",
    }  # fmt: skip
    assert dtypes == {name: expected[name] for name in dtypes}


def test_unknown_entries_of_meta_and_unknown_arrays():
    """A later version's additions: entries of meta are kept, arrays it does not know are left aside."""
    run = smoothed(images=5)
    back = from_bytes(file_with(run, {"note": ["kept", 1]}, later=np.ones(3)))
    assert back.meta.extra == {"note": ["kept", 1]}
    assert from_bytes(to_bytes(back)).meta.to_json()["note"] == ["kept", 1]
    assert set(arrays(back)) == set(arrays(run))


def test_meta_of_a_sampled_run_names_all_entries_of_the_contract():
    written = smoothed(images=5).meta.to_json()
    assert written["format"] == "aces-run"
    assert written["version"] == 1
    assert {"kind", "name", "dataset", "num_classes", "sigma", "n0", "n", "seed", "precision"} <= set(written)
    assert set(written["network"]) == {"name", "sha256", "training", "sigma_train"}


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    write_run(RUNS["smoothed"], path)

    def full_disk(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(AcesError, match="No space"):
        write_run(RUNS["full"], path)
    assert same(read_run(path), RUNS["smoothed"])


# --- records ---------------------------------------------------------------------------------------------------


@every_run
def test_records_are_frozen_and_the_callers_arrays_are_not(run):
    mine = {name: value.copy() for name, value in arrays(run).items()}
    record = type(run)(run.meta, **mine)
    for name, value in mine.items():
        assert not getattr(record, name).flags.writeable
        assert value.flags.writeable


def test_records_take_any_integer_dtype_that_holds_the_same_values():
    run = smoothed(images=5)
    same_values = replace(run, class_counts=run.class_counts.astype(np.uint64), index=run.index.astype(np.int8))
    assert same(run, same_values)


def test_runs_that_differ_in_one_value_are_not_the_same():
    run = smoothed(images=5)
    assert not same(run, replace(run, label=(run.label + 1) % 3))
    assert not same(run, replace(run, meta=replace(run.meta, name="other")))
    assert not same(run, replace(run, predict_class=np.zeros(5, int)))


# --- bad values ------------------------------------------------------------------------------------------------

SMOOTHED = RUNS["full"]
SELECTION = RUNS["selection"]


def changed(run, name: str, at: tuple[int, ...], value: object) -> dict[str, np.ndarray]:
    array = getattr(run, name).copy()
    array[at] = value
    return {name: array}


def moved(run, name: str) -> dict[str, np.ndarray]:
    """Two neighbouring thresholds of row 2 swapped, where their counts differ."""
    array = getattr(run, name).copy()
    at = int((np.diff(array[2]) > 0).argmax())
    array[2, [at, at + 1]] = array[2, [at + 1, at]]
    return {name: array}


@pytest.mark.parametrize(
    ("run", "changes", "said"),
    [
        (SMOOTHED, changed(SMOOTHED, "class_counts", (3,), [100, 50, 40]), "class_counts sums to 190 in row 3; .* 200"),
        (SMOOTHED, changed(SMOOTHED, "class_counts0", (1,), [4, 4, 4]), "class_counts0 sums to 12 in row 1; .* 11"),
        (SMOOTHED, changed(SMOOTHED, "class_counts", (2,), [-1, 101, 100]), "class_counts is -1 in row 2"),
        (SMOOTHED, changed(SMOOTHED, "class_counts", (0,), [201, 0, -1]), "class_counts is 201 in row 0"),
        (SMOOTHED, changed(SMOOTHED, "select_counts", (4, 0), -2), "select_counts is -2 in row 4"),
        (SMOOTHED, changed(SMOOTHED, "select_counts", (4, 10), 201), "select_counts is 201 in row 4"),
        (SMOOTHED, changed(SMOOTHED, "select_counts0", (3,), 10), "select_counts0 is 10 at theta 1 in row 3; .* 11"),
        (SMOOTHED, moved(SMOOTHED, "select_counts"), r"select_counts falls from \d+ to \d+ at theta 0\.\d in row 2"),
        (SELECTION, moved(SELECTION, "select_counts0"), r"select_counts0 falls from \d+ to \d+ at theta \d.* in row 2"),
        (SMOOTHED, changed(SMOOTHED, "thetas", (4,), 0.2), r"rise: 0\.3 is followed by 0\.2 at position 4"),
        (SMOOTHED, changed(SMOOTHED, "thetas", (4,), 0.3), r"rise: 0\.3 is followed by 0\.3 at position 4"),
        (SMOOTHED, changed(SMOOTHED, "thetas", (5,), np.nan), "thetas is nan in row 5"),
        (SMOOTHED, changed(SMOOTHED, "thetas", (0,), -0.1), r"thetas is -0\.1 in row 0"),
        (SELECTION, changed(SELECTION, "thetas", (10,), 1.1), r"thetas is 1\.1 in row 10"),
        (SMOOTHED, changed(SMOOTHED, "index", (4,), 7), r"index 7 appears twice, in rows \[1, 4\]"),
        (SMOOTHED, changed(SMOOTHED, "index", (4,), -7), "index is -7 in row 4; allowed: at least 0"),
        (SMOOTHED, changed(SMOOTHED, "label", (2,), 3), r"label is 3 in row 2; allowed: 0\.\.2"),
        (SMOOTHED, changed(SMOOTHED, "label", (2,), -1), "label is -1 in row 2"),
        (SMOOTHED, changed(SMOOTHED, "entropy_median", (1,), np.nan), "entropy_median is nan in row 1"),
        (SMOOTHED, changed(SMOOTHED, "entropy_median", (1,), 1.5), r"entropy_median is 1\.5 in row 1"),
        (SMOOTHED, changed(SMOOTHED, "entropy_quantiles", (3, 2), np.nan), "entropy_quantiles is nan in row 3"),
        (SMOOTHED, changed(SMOOTHED, "predict_class", (0,), 3), r"predict_class is 3 in row 0; allowed: -1\.\.2"),
        (SMOOTHED, changed(SMOOTHED, "predict_select", (0, 0), -2), r"predict_select is -2 in row 0; allowed: -1\.\.1"),
        (SELECTION, changed(SELECTION, "score_median", (1,), -0.5), r"score_median is -0\.5 in row 1"),
        (RUNS["core"], changed(RUNS["core"], "prediction", (4,), 9), "prediction is 9 in row 4"),
        (RUNS["core"], changed(RUNS["core"], "prediction", (4,), ABSTAIN), "prediction is -1 in row 4"),
        (RUNS["core"], changed(RUNS["core"], "logits", (3, 1), np.nan), "logits is nan in row 3"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_with_array_row_and_value(run, changes, said):
    with pytest.raises(RunError, match=said):
        replace(run, **changes)
    assert any(word in refusal(file_with(run, **changes)) for word in changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"class_counts": np.ones((5, 2), int)}, r"class_counts has shape \(5, 2\); expected \(5, 3\)"),
        ({"class_counts": np.ones((4, 3), int)}, r"class_counts has shape \(4, 3\); expected \(5, 3\)"),
        ({"select_counts": np.ones((5, 10), int)}, r"select_counts has shape \(5, 10\); expected \(5, 11\)"),
        ({"label": np.zeros((5, 1), int)}, r"label has shape \(5, 1\); expected \(5,\)"),
        ({"index": np.zeros((5, 5), int)}, r"index has shape \(5, 5\); expected \(25,\)"),
        ({"index": np.array(3)}, r"index has shape \(\); expected \(1,\)"),
        ({"thetas": np.array(0.5)}, r"thetas has shape \(\); expected \(1,\)"),
        ({"class_counts": np.full((5, 3), 66.7)}, "class_counts has dtype float64; expected int32"),
        ({"class_counts": np.ones((5, 3), bool)}, "class_counts has dtype bool; expected int32"),
        ({"label": np.array(list("01201"))}, "label has dtype <U1; expected int64"),
        ({"thetas": np.arange(11) / 10 * 1j}, "thetas has dtype complex128; expected float64"),
        ({"class_counts": np.full((5, 3), 2**40)}, "class_counts holds 1099511627776.* does not fit int32"),
        ({"index": np.array([0, 1, 2, 3, 2**63], np.uint64)}, "index holds 0..9223372036854775808"),
    ],
)
def test_a_wrong_shape_or_dtype_is_refused(changes, said):
    with pytest.raises(RunError, match=said):
        replace(smoothed(images=5), **changes)


def test_runs_without_images_or_thresholds_are_refused():
    run = selection(images=5)
    none = {"index": [], "select_counts0": np.empty((0, 11), int), "select_counts": np.empty((0, 11), int)}
    with pytest.raises(RunError, match="holds no images"):
        replace(run, **{k: np.asarray(v, int) for k, v in none.items()}, score_median=np.empty(0))
    with pytest.raises(RunError, match="holds no thresholds"):
        replace(run, thetas=np.empty(0), select_counts0=np.empty((5, 0), int), select_counts=np.empty((5, 0), int))


# --- bad meta --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "other"}, "no ACES run file"),
        ({"version": 0}, "meta.version is 0; this engine reads versions 1 to 3"),
        ({"version": "2"}, "meta.version is '2'; this engine reads versions 1 to 3"),
        ({"version": 4}, "meta.version is 4; this engine reads versions 1 to 3: update it"),
        ({"version": 2, "mechanism": ""}, "meta.mechanism is ''; expected a non-empty text"),
        ({"version": 2, "mechanism": "a\nb"}, r"meta.mechanism is 'a\\nb'; expected"),
        ({"version": 2, "mechanism": ["network"]}, r"meta.mechanism is \['network'\]; expected"),
        ({"version": None}, "meta.version is None"),
        ({"kind": "smooth"}, "meta.kind is 'smooth'; expected one of smoothed, selection, core"),
        ({"kind": ["core"]}, r"meta.kind is \['core'\]"),
        ({"kind": None}, "meta lacks kind"),
        ({"n": None, "sigma": None}, "meta lacks sigma, n$"),
        ({"n0": 0}, "meta.n0 is 0; expected an integer of at least 1"),
        ({"n0": -1}, "meta.n0 is -1"),
        ({"n": 200.0}, r"meta.n is 200\.0"),
        ({"n": True}, "meta.n is True"),
        ({"n": "200"}, "meta.n is '200'"),
        ({"sigma": 0}, "meta.sigma is 0; expected a positive number"),
        ({"sigma": float("nan")}, "meta.sigma is nan"),
        ({"sigma": "0.5"}, "meta.sigma is '0.5'"),
        ({"num_classes": 1}, "meta.num_classes is 1"),
        ({"num_classes": 4}, r"class_counts0 has shape \(5, 3\); expected \(5, 4\)"),
        ({"name": ""}, "meta.name is ''"),
        ({"dataset": 7}, "meta.dataset is 7"),
        ({"network": "resnet"}, "meta.network is 'resnet'"),
        ({"radius_digits": 0}, "meta.radius_digits is 0"),
        ({"radius_decimals": 40}, "meta.radius_decimals is 40; expected an integer in 1..17"),
        ({"radius_digits": "3"}, "meta.radius_digits is '3'"),
        ({"split": 5}, "meta.split is 5; expected a text"),
        ({"seed": "one"}, "meta.seed is 'one'; expected a number"),
        ({"n_decided": [100, 0]}, r"meta.n_decided is \(100, 0\); expected a list of positive integers"),
        ({"n_decided": "100"}, "meta.n_decided is '100'; expected a list of positive integers"),
        ({"as_run": "cpu"}, "meta.as_run is 'cpu'; expected an object"),
        ({"network": {"sha256": 7}}, "meta.network.sha256 is 7; expected a text"),
        ({"network": {"sigma_train": "0.25"}}, "meta.network.sigma_train is '0.25'; expected a number"),
    ],
)
def test_a_bad_entry_of_meta_is_named(changes, said):
    with pytest.raises(RunError, match=said):
        from_bytes(file_with(smoothed(images=5), changes))


def test_the_same_counts_under_another_n_are_refused():
    assert "class_counts sums to 200 in row 0; expected 201 draws" in refusal(file_with(smoothed(images=5), {"n": 201}))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (np.array("{"), "meta is not JSON"),
        (np.array("[1]"), "no ACES run file"),
        (np.array(["{}"]), "no 0-d unicode array 'meta'"),
        (np.array(b"{}"), "no 0-d unicode array 'meta'"),
        (np.array("[" * 100_000), "meta is not JSON"),
    ],
)
def test_meta_that_is_no_json_object_is_refused(entry, said, tmp_path):
    assert said in refusal(npz(meta=entry))
    (tmp_path / "x.npz").write_bytes(npz(meta=entry))
    with pytest.raises(RunError, match=r"x\.npz: "):
        read_meta(tmp_path / "x.npz")


def test_the_most_votes_of_a_log_lie_between_its_fewest_and_all_and_meta_says_that_they_are_there():
    run = replace(
        full_smoothed(), meta=replace(full_smoothed().meta, extra={"most_votes": True}), class_count_high=HIGH
    )
    assert same(from_bytes(to_bytes(run)), run)
    assert arrays(run)["class_count_high"].dtype == np.int32
    assert run.meta.selects_by_votes
    assert not full_smoothed().meta.selects_by_votes
    assert smoothed().meta.selects_by_votes  # whose votes were counted
    for row, high, said in (
        (2, FEWEST[2] - 1, rf"{FEWEST[2] - 1} in row 2; allowed: {FEWEST[2]}\.\.200"),
        (4, 201, "201 in"),
    ):
        bad = HIGH.copy()
        bad[row] = high
        with pytest.raises(RunError, match=f"class_count_high is {said}"):
            replace(run, class_count_high=bad)
    for extra, high in (
        ({"most_votes": True}, None),
        ({}, HIGH),
        ({"most_votes": "yes"}, HIGH),
        ({"most_votes": 1}, HIGH),
    ):
        with pytest.raises(RunError, match="expected true where there is an array class_count_high, and only there"):
            replace(run, meta=replace(run.meta, extra=extra), class_count_high=high)
    assert refusal(file_with(run, class_count_high=None)).startswith("meta.most_votes is True; expected true where")
    with pytest.raises(RunError, match=r"class_count_high has shape \(4,\); expected \(5,\)"):
        replace(run, class_count_high=HIGH[:4])


# --- bad files -------------------------------------------------------------------------------------------------


@every_run
def test_missing_arrays_are_named(run):
    optional = {"entropy_quantiles", "predict_class", "predict_select", "logits"}
    for name in arrays(run).keys() - optional:
        assert refusal(file_with(run, **{name: None})) == f"a {run.meta.kind} run needs {name}"
    for name in arrays(run).keys() & optional:
        assert getattr(from_bytes(file_with(run, **{name: None})), name) is None


def test_a_smoothed_file_that_says_it_is_a_core_run_lacks_a_prediction():
    assert refusal(file_with(smoothed(images=5), {"kind": "core"})) == "a core run needs prediction"


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("name", ["label", "meta", "surprise"])
def test_objects_are_refused_and_never_unpickled(name, tmp_path):
    bomb = np.array([Bomb(str(tmp_path / "exploded"))], object)
    contents = {
        "meta": np.array(json.dumps(smoothed(images=5).meta.to_json())),
        **arrays(smoothed(images=5)),
        name: bomb,
    }
    assert "Object arrays cannot be loaded" in refusal(npz(**contents))
    assert "not a readable npz file" in refusal(pickle.dumps(Bomb(str(tmp_path / "exploded"))))
    assert list(tmp_path.iterdir()) == []


def test_truncated_files_are_refused_at_every_length():
    data = to_bytes(smoothed(images=5))
    for length in range(0, len(data), 97):
        assert "npz file" in refusal(data[:length])


def test_random_bytes_are_refused():
    rng = np.random.default_rng(0)
    for length in (1, 4, 100, 10_000):
        assert "npz file" in refusal(rng.bytes(length))
        assert "npz file" in refusal(b"PK\x03\x04" + rng.bytes(length))
        assert "npz file" in refusal(b"\x93NUMPY" + rng.bytes(length))


def test_damaged_bytes_are_refused_or_harmless():
    """One byte changed anywhere: the zip's checksums catch it, or it changes nothing."""
    run = smoothed(images=5)
    data = to_bytes(run)
    rng = np.random.default_rng(1)
    refused = 0
    for at in rng.integers(0, len(data), 200):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        try:
            assert same(from_bytes(bytes(damaged)), run)
        except RunError:
            refused += 1
    assert refused > 100


def test_a_single_array_and_a_foreign_zip_are_refused(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    assert "not a readable npz file" in refusal(buffer.getvalue())
    archive = tmp_path / "text.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "no arrays here")
    assert "no 0-d unicode array 'meta'" in refusal(archive.read_bytes())
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("meta", "{}")
    assert "no 0-d unicode array 'meta'" in refusal(archive.read_bytes())


def test_unreadable_paths_are_refused(tmp_path):
    for read in (read_run, read_meta, read_images):
        with pytest.raises(RunError, match=r"none\.npz: cannot be read \(No such file or directory\)"):
            read(tmp_path / "none.npz")
        with pytest.raises(RunError, match="is no file: it is a folder"):
            read(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"index": None}, "a core run needs index"),
        ({"label": None}, "a core run needs label"),
        ({"index": np.array(["a", "b", "c", "d"])}, "index has dtype <U1; expected int64"),
        ({"index": np.zeros((4, 2), np.int64)}, r"index has shape \(4, 2\); expected \(8,\)"),
        ({"index": np.zeros(4, np.int64)}, "index 0 appears twice"),
        ({"index": np.empty(0, np.int64), "label": np.empty(0, np.int64)}, "the run holds no images"),
        ({"label": np.zeros(3, np.int64)}, r"label has shape \(3,\); expected \(4,\)"),
        ({"label": np.full(4, 3)}, "label is 3 in row 0"),
    ],
)
def test_images_alone_are_validated(arrays, message, tmp_path):
    path = tmp_path / "run.npz"
    run = core_of(smoothed(images=4))
    given = {"index": run.index, "label": run.label} | arrays
    meta = np.array(json.dumps(run.meta.to_json()))
    path.write_bytes(npz(meta=meta, **{name: value for name, value in given.items() if value is not None}))
    with pytest.raises(RunError, match=message):
        read_images(path)


# --- meta ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [("a",), "ab", ("a", "b\n"), ("a", 3), {"a": 1}], ids=str)
def test_names_of_classes_are_one_line_for_each(classes):
    said = full_smoothed().meta.to_json() | {"num_classes": 2, "classes": classes}
    with pytest.raises(RunError, match=r"meta\.classes"):
        Meta.from_json(said)


def test_no_file_says_where_anything_lies_here(tmp_path):
    run = full_smoothed()
    run = replace(run, meta=replace(run.meta, origin=Origin("/somewhere/net.pth", "os:abort")))
    assert from_bytes(to_bytes(run, local=True), local=True).meta == run.meta
    assert b"somewhere" not in to_bytes(run)
    path = tmp_path / "run.npz"
    path.write_bytes(to_bytes(run, local=True))
    assert read_run(path).meta.origin is None
    assert read_meta(path).origin is None
    assert from_bytes(to_bytes(run, local=True)).meta.origin is None


def test_meta_keeps_what_it_was_given():
    entries = {f.name for f in fields(Meta)} - {"extra"}
    given = replace(
        full_smoothed().meta,
        created="2024-01-01T00:00:00Z",
        engine_version="0.1",
        n_decided=(500, 1000),
        as_run={"device": "cpu", "batch": 50},
        n_mean=100.5,
        budget={"lose": 0.01},
        decided={"radii": [0.5]},
        radius_decimals=4,
        classes=tuple(f"class {k}" for k in range(full_smoothed().meta.num_classes)),
        origin=Origin("net.pth", "net.py:make", "ema", "0.5/0.5", "pictures", 32, 40),
        extra={"x": 1},
    )
    assert all(getattr(given, name) is not None for name in entries)
    assert Meta.from_json(json.loads(json.dumps(given.to_json()))) == given


@pytest.mark.parametrize(("kind", "default"), [("smoothed", "entropy"), ("selection", "network"), ("core", None)])
def test_a_run_of_the_default_mechanism_is_of_version_1(kind, default):
    given = meta(kind, 3)
    assert (given.mechanism, given.version) == (default, 1)
    entries = given.to_json()
    assert entries["version"] == 1
    assert "mechanism" not in entries
    assert Meta.from_json(entries | {"version": 2}) == Meta.from_json(entries) == given
    named = Meta.from_json(entries | ({"mechanism": default} if default else {}))
    assert named.to_json() == entries


@pytest.mark.parametrize("run", [RUNS["full"], RUNS["selection"]], ids=["smoothed", "selection"])
def test_another_mechanism_is_written_as_version_2_and_kept(run):
    margin = replace(run, meta=replace(run.meta, mechanism="margin"))
    assert margin.meta != run.meta
    assert not same(margin, run)
    entries = margin.meta.to_json()
    assert (entries["version"], entries["mechanism"]) == (2, "margin")
    data = to_bytes(margin)
    assert same(from_bytes(data), margin)
    assert to_bytes(from_bytes(data)) == data


@pytest.mark.parametrize("run", [RUNS["full"], RUNS["selection"]], ids=["smoothed", "selection"])
def test_other_noise_is_written_as_version_2_and_kept(run):
    uniform = replace(run, meta=replace(run.meta, smoothing="uniform"))
    assert not same(uniform, run)
    entries = uniform.meta.to_json()
    assert (entries["version"], entries["smoothing"]) == (2, "uniform")
    data = to_bytes(uniform)
    assert same(from_bytes(data), uniform)
    assert from_bytes(data).meta.smoothing_card.norm == "ℓ1"
    assert "smoothing" not in replace(run.meta, mechanism="margin").to_json()  # the default is not written


def test_version_1_means_the_defaults_and_says_nothing_else():
    said = refusal(file_with(smoothed(images=5), {"smoothing": "uniform"}))
    assert said.startswith("meta.smoothing is 'uniform' in a file of version 1, which means 'gaussian': ")
    said = refusal(file_with(full_core(), {"version": 2, "smoothing": "uniform"}))
    assert said == "meta.smoothing is 'uniform'; a core run is not sampled and has none"
    said = refusal(file_with(scored_selection(), {"mechanism": "entropy"}))
    assert said.startswith("meta.mechanism is 'entropy' in a file of version 1, which means 'network': ")
    said = refusal(file_with(full_core(), {"version": 2, "mechanism": "entropy"}))
    assert said == "meta.mechanism is 'entropy'; a core run is not sampled and has none"


@pytest.mark.parametrize("version", [4, 99, 3.5, 1e300])
def test_a_newer_version_is_told_apart_from_damage(version, tmp_path):
    path = tmp_path / "new.npz"
    path.write_bytes(npz(meta=np.array(json.dumps({"format": "aces-run", "version": version, "unheard": "of"}))))
    for read in (read_run, read_meta, read_images, lambda path: from_bytes(path.read_bytes(), str(path))):
        with pytest.raises(NewerFormatError, match=r"new\.npz: meta\.version is .*: update it"):
            read(path)


def test_what_of_version_2_is_not_read_yet_is_never_read_as_something_else():
    run, two = smoothed(images=5), {"version": 2}
    for unknown in ("laplace", ["gaussian"], 3):
        with pytest.raises(NewerFormatError, match=r"smoothing is .*; this engine knows gaussian, uniform: update it"):
            from_bytes(file_with(run, two | {"smoothing": unknown}))
    assert from_bytes(file_with(run, two | {"smoothing": "gaussian"})).meta.mechanism == "entropy"
    assert same(from_bytes(file_with(run, draws=np.full(5, 200))), run)  # to version 1, an array like any other


UNEVEN = [
    uneven(smoothed()),
    uneven(selection()),
    uneven(smoothed(), parts=(18, 18, 2)),
    uneven(selection(), parts=(3, 3, 3)),
]


@pytest.mark.parametrize("run", UNEVEN, ids=["smoothed", "selection", "decided", "decided selection"])
def test_draws_that_differ_by_image_are_kept(run):
    assert run.meta.version == (2 if run.alpha_parts is None else 3)
    assert run.meta.n_mean == run.draws.mean()
    again = from_bytes(to_bytes(run))
    assert same(again, run)
    assert again.draws.dtype == np.int64
    told = json.loads(str(np.load(io.BytesIO(to_bytes(run)))["meta"]))
    assert (told["version"], told["n"], told["n_mean"]) == (run.meta.version, 200, run.meta.n_mean)


def test_draws_of_another_program_need_no_mean_and_no_n_beside_them():
    run = uneven(smoothed())
    for left_out in ("n_mean", "n"):
        assert same(from_bytes(file_with(run, {left_out: None})), run)


def test_equal_draws_are_one_n():
    run = smoothed(images=5)
    assert same(replace(run, draws=np.full(5, 200)), run)
    assert same(from_bytes(file_with(run, {"version": 2}, draws=np.full(5, 200))), run)


@pytest.mark.parametrize(
    ("changes", "arrays", "said"),
    [
        ({}, {"draws": lambda draws: draws + 1}, "draws is 201 in row 2; allowed: 1..200"),
        ({}, {"draws": lambda draws: draws - 1}, "meta.n_mean is 131.725; the mean of draws is 130.725"),
        (
            {"n_mean": None},
            {"draws": lambda draws: draws - (draws == 30)},
            "class_counts sums to 30 in row 0; expected 29 draws",
        ),
        ({}, {"draws": lambda draws: 0 * draws}, "draws is 0 in row 0; allowed: 1..200"),
        ({}, {"draws": lambda draws: draws[:-1]}, r"draws has shape \(39,\); expected \(40,\)"),
        ({}, {"draws": lambda draws: draws + 0.5}, "draws has dtype float64"),
        ({"version": 3}, {"alpha_parts": lambda draws: 0 * draws + 1}, "alpha_parts belongs to a run whose meta says"),
        ({"n_mean": 7.0}, {}, "meta.n_mean is 7; the mean of draws is"),
        ({"n_mean": "many"}, {}, "meta.n_mean is 'many'; expected a number above 0 and at most n, 200"),
        ({"budget": [1]}, {}, r"meta.budget is \[1\]; expected an object"),
        ({"version": 3, "decided": {"radii": [0.5]}}, {}, "alpha_parts belongs to a run whose meta says"),
        ({"version": 1}, {}, "meta.n_mean is .* in a file of version 1, which means None: such a run is of version 2"),
    ],
)
def test_draws_that_break_the_contract_are_refused(changes, arrays, said):
    run = uneven(smoothed())
    with pytest.raises(RunError, match=said):
        from_bytes(file_with(run, changes, **{name: of(run.draws) for name, of in arrays.items()}))


def test_a_run_that_was_decided_is_no_run_of_version_2():
    run = uneven(smoothed(), parts=(18, 18, 2))
    with pytest.raises(RunError, match=r"meta\.decided is .* in a file of version 2, .* such a run is of version 3"):
        from_bytes(file_with(run, {"version": 2}))
    with pytest.raises(RunError, match="alpha_parts is 0 in row 0; allowed: at least 1"):
        replace(run, alpha_parts=0 * run.alpha_parts)


def test_a_mean_without_draws_is_refused():
    with pytest.raises(RunError, match=r"meta\.n_mean is 100, but every image has 200 draws"):
        from_bytes(file_with(smoothed(images=5), {"version": 2, "n_mean": 100.0}))


NO_RUNS = ("_images", "_likeness")  # what ships beside them


@pytest.mark.parametrize(
    "shipped", sorted(p for p in DEMO.glob("*.npz") if not p.stem.endswith(NO_RUNS)), ids=lambda path: path.stem
)
def test_the_runs_that_ship_are_written_again_as_they_are(shipped):
    run = read_run(shipped)
    assert run.meta.version == 1
    assert to_bytes(run) == shipped.read_bytes()


def test_a_core_run_needs_no_noise():
    assert "sigma" not in meta("core", 3).to_json()
    assert Meta.from_json(meta("core", 3).to_json()) == meta("core", 3)


def test_a_sampled_record_made_by_hand_is_checked_too():
    run = smoothed(images=5)
    with pytest.raises(RunError, match=r"meta\.n0 is 0"):
        replace(run, meta=replace(run.meta, n0=0))
    with pytest.raises(RunError, match=r"meta\.kind is 'core'; these are the arrays of a smoothed run"):
        replace(run, meta=meta("core", 3))
