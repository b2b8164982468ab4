from __future__ import annotations

import json
import re

import diskcache

from cache import entries
from cache.catalog import Catalog
from cache.entries import BytesDisk
from cache.store import Store
from cache.trash import Trash
from engine.figures.headlines import best_point, headline
from engine.records import runs
from tests import toy


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
        card = {"meta": toy.core_run().meta.to_json() | {"version": 4}, "sha256": ""}
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


def write_log(path, text=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{2000 * i}\t{i}\t{i}\t0.{3 + i}01\t1\t1.0\n" for i in range(5))
    path.write_text("idx\tlabel\tpredict\tradius\tcorrect\ttime\n" + (rows if text is None else text))


def test_a_tree_is_imported_with_one_command_and_a_summary(call, tmp_path):
    top = tmp_path / "tree" / "cifar10" / "noise_0.25"
    write_log(top / "good")
    write_log(top / "stopped", "")
    (tmp_path / "tree" / "README").write_text("nothing")
    status, out, err = call("import", tmp_path / "tree", "--cache", tmp_path / "a")
    assert status == 0
    assert out.splitlines()[-2:] == [
        "passed over 1 files that are no logs (1 README)",
        "imported 1 run (1 smoothed); 1 log gave none",
    ]
    assert err == f"warning: {top / 'stopped'}: a header and no rows: nothing was logged\n"
    write_log(top / "damaged", "0\t0\n")
    status, out, err = call("import", tmp_path / "tree", "--cache", tmp_path / "b")
    assert status == 2
    assert "imported 1 run (1 smoothed); 2 logs gave none" in out
    assert err.splitlines()[-1] == "error: 1 log could not be imported; the others were"
    with Store(tmp_path / "b") as opened:
        assert [meta.name for meta in opened.metas()] == ["good"]


def test_a_tree_without_a_log_is_one_line(call, tmp_path):
    write_log(tmp_path / "tree" / "cifar10" / "stopped", "")
    status, out, err = call("import", tmp_path / "tree", "--cache", tmp_path / "a")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "a header and no rows" in err
    (tmp_path / "empty").mkdir()
    status, out, err = call("import", tmp_path / "empty", "--cache", tmp_path / "a")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "no logs here" in err


def test_a_run_of_another_content_keeps_no_other_of_a_tree_from_being_imported(call, tmp_path):
    top = tmp_path / "tree" / "cifar10" / "noise_0.25"
    write_log(top / "first")
    assert call("import", tmp_path / "tree", "--cache", tmp_path / "a")[0] == 0
    write_log(top / "first", "0\t0\t0\t0.947\t1\t1.0\n")
    write_log(top / "second")
    status, out, err = call("import", tmp_path / "tree", "--cache", tmp_path / "a")
    assert status == 2
    assert "smoothed   second" in out
    assert "holds another run named 'first'" in err
    assert call("import", tmp_path / "tree", "--replace", "--cache", tmp_path / "a")[0] == 0


def test_noise_of_other_units_is_imported_once_it_is_meant(call, tmp_path):
    write_log(tmp_path / "cifar10" / "rotation" / "noise_0.25")
    status, out, err = call("import", tmp_path / "cifar10", "--cache", tmp_path / "a")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "--units-are-right" in err
    assert call("import", tmp_path / "cifar10", "--units-are-right", "--cache", tmp_path / "a")[0] == 0


def test_a_label_and_a_collection_are_listed_and_leave_the_exported_file_as_it_was(call, store, tmp_path):
    before, after = tmp_path / "before.npz", tmp_path / "after.npz"
    assert call("export", "toy-core", "-o", before, "--cache", store)[0] == 0
    assert call("label", "toy-core", "Core <b>", "--collection", "thesis", "--hide", "--cache", store)[0] == 0
    assert call("export", "toy-core", "-o", after, "--cache", store)[0] == 0
    assert before.read_bytes() == after.read_bytes()
    _, out, _ = call("runs", "--cache", store)
    (line,) = (line for line in out.splitlines() if line.startswith("toy-core"))
    assert re.search(r"thesis +Core <b> \(hidden\)", line)
    status, out, err = call("label", "toy-core", "a\u202eb", "--cache", store)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "visible letters in one line" in err
    assert call("label", "toy-core", "--cache", store)[0] == 2


def test_what_is_imported_from_a_folder_is_a_collection_of_its_name(call, tmp_path):
    folder, elsewhere = tmp_path / "a study", tmp_path / "elsewhere"
    folder.mkdir()
    runs.write_run(toy.core_run(), folder / "core.npz")

    def collection() -> str:
        return Catalog(elsewhere).listing().note("toy-core").collection

    assert call("import", folder / "core.npz", "--cache", elsewhere)[0] == 0
    assert collection() == "own"
    assert call("import", folder, "--cache", elsewhere)[0] == 0
    assert collection() == "a study"
    assert call("import", folder, "--collection", "mine", "--cache", elsewhere)[0] == 0
    assert collection() == "mine"
    assert call("import", folder, "--cache", elsewhere)[0] == 0
    assert collection() == "mine"  # what somebody said stays
    assert call("import", folder, "--collection", "a\nb", "--cache", elsewhere)[0] == 2


def test_a_deleted_run_is_listed_restored_and_at_last_gone(call, store):
    Trash.at(store).move("toy-core")
    assert "toy-core" in call("runs", "--deleted", "--cache", store)[1]
    assert call("runs", "--restore", "toy-core", "--cache", store)[:2] == (0, "restored toy-core\n")
    assert "toy-core" in call("runs", "--cache", store)[1]
    Trash.at(store).move("toy-core")
    assert call("runs", "--empty-trash", "--cache", store)[:2] == (0, "removed 1 deleted runs for good\n")
    status, _, err = call("runs", "--restore", "toy-core", "--cache", store)
    assert (status, err.count("\n")) == (2, 1)
    assert call("runs", "--restore", "a", "--empty-trash", "--cache", store)[0] == 2


def test_runs_are_listed_with_what_they_are_worth_the_largest_first(call, store):
    status, out, err = call("runs", "--sort", "acr", "--format", "json", "--cache", store)
    assert (status, err) == (0, "")
    listed = json.loads(out)
    with Store(store) as opened:
        own = {meta.name: headline(opened.get(meta.name)) for meta in opened.metas()}
    assert {one["name"]: (one["nac"], one["acr"]) for one in listed if one["name"] in own} == own
    known = [one["acr"] for one in listed if one["acr"] is not None]
    assert known == sorted(known, reverse=True)
    assert all(one["acr"] is None for one in listed[len(known) :])
    _, out, _ = call("runs", "--metrics", "--cache", store)
    assert {"NAC", "ACR"} <= set(out.splitlines()[0].split())
    _, out, _ = call("runs", "--cache", store)
    assert "ACR" not in out.splitlines()[0]


def test_the_best_front_point_is_listed_and_sorted_by(call, store):
    status, out, err = call("runs", "--sort", "best", "--format", "json", "--cache", store)
    assert (status, err) == (0, "")
    listed = json.loads(out)
    with Store(store) as opened:
        wanted = best_point(opened.get("toy-noisy"), opened.get("toy-core"))
    best = {one["name"]: one["best"] for one in listed}
    assert wanted is not None
    assert tuple(best["toy-noisy"][name] for name in ("core", "theta", "nac", "acr")) == wanted
    assert best["toy-core"] is None
    found = [one["best"]["acr"] for one in listed if one["best"] is not None]
    assert found
    assert found == sorted(found, reverse=True)
    assert all(one["best"] is None for one in listed[len(found) :])
    _, out, _ = call("runs", "--metrics", "--cache", store)
    assert "best ACR  its NAC %  at θ" in out.splitlines()[0]


def test_a_damaged_core_network_leaves_the_others_their_best_points(call, store):
    with Store(store) as opened:
        opened.put(toy.core_run("toy-also"))
        cache = diskcache.Cache(str(opened.runs.directory), disk=BytesDisk)
        entries.write(cache, entries.run_key("toy-core"), b"no run")
        cache.close()
    status, out, err = call("runs", "--metrics", "--format", "json", "--cache", store)
    assert (status, err.count("\n")) == (0, 1)
    best = {one["name"]: one.get("best") for one in json.loads(out)}
    assert best["toy-noisy"] is None or best["toy-noisy"]["core"] == "toy-also"


def test_an_order_that_runs_do_not_have_is_refused(call, store):
    status, out, err = call("runs", "--sort", "beauty", "--cache", store)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
