"""One rule for what may name something in a run, in every field; what breaks it is named, and hides nothing else."""

from __future__ import annotations

import io
import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache.catalog import Catalog
from cache.entries import card_key, run_key, write
from cache.store import Store
from engine.datasets import pictures_file
from engine.errors import AcesError
from engine.names import LONGEST, fault, file_fault, file_in, quoted
from engine.records.meta import Meta, NetworkInfo, RunError
from engine.records.runs import arrays, from_bytes, read_run, to_bytes
from engine.sampling.config import read_config
from engine.sampling.precompute import precompute
from tests import ROOT, toy

HONEST = (
    "fashion_mnist-gaussian-1.0@0.125",
    "cifar10_consistency_050",
    "consistency/cifar10_core",
    "timm:vit_base",
    "Müller, 2. Versuch (σ = 0.5)",
    "模型-0.25",
    "[/x]",
    "![x](http://127.0.0.1/x)",
    "=cmd|' /C calc'!A0",
    "\\input{/etc/passwd}",
    "x" * LONGEST,
)
FOUL = {
    "": "non-empty",
    " ": "non-empty",
    " a": "spaces around",
    "a\x1b[31mb": "visible letters",
    "a\nb": "visible letters",
    "a\x00": "visible letters",
    "a\x9b31m": "visible letters",
    "a\u202eb": "visible letters",
    "a\u2067b": "visible letters",
    "a\u200bb": "visible letters",
    "\ufeffa": "visible letters",
    "a\u3164": "visible letters",
    "a\ufe0f": "visible letters",
    "\ud800": "visible letters",
    "x" * (LONGEST + 1): f"at most {LONGEST} letters",
    "x" * 20_000: f"at most {LONGEST} letters",
}
PATHS = ("../../x", "a/b", "/etc/passwd", "a\\b", "..", ".hidden", "a..b", "é" * 150)
FIELDS = ("name", "dataset", "split", "created", "engine_version", "precision")
NETWORK = ("name", "sha256", "training")


def with_text(field: str, text: object) -> bytes:
    """A run file in which one text is another."""
    run = toy.smoothed_run()
    meta = run.meta.to_json()
    place = meta["network"] if field.startswith("network.") else meta
    place[field.removeprefix("network.")] = text
    buffer = io.BytesIO()
    np.savez(buffer, meta=np.array(json.dumps(meta)), **arrays(run))
    return buffer.getvalue()


EVERY = (*FIELDS, *(f"network.{name}" for name in NETWORK))


@pytest.mark.parametrize("text", HONEST, ids=lambda text: text[:20])
@pytest.mark.parametrize("field", [field for field in EVERY if field not in ("dataset", "split")])
def test_names_that_one_can_see_are_legal(field, text):
    run = from_bytes(with_text(field, text))
    assert from_bytes(to_bytes(run)).meta == run.meta


@pytest.mark.parametrize(("text", "said"), FOUL.items(), ids=[repr(text)[:20] for text in FOUL])
@pytest.mark.parametrize("field", EVERY)
def test_what_one_cannot_see_or_compare_is_refused_in_every_field(field, text, said):
    with pytest.raises(RunError, match=rf"^run: meta\.{field} is .*expected .*{said}") as caught:
        from_bytes(with_text(field, text))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("path", PATHS, ids=lambda text: text[:20])
@pytest.mark.parametrize("field", ["dataset", "split"])
def test_dataset_and_split_are_no_paths(field, path):
    with pytest.raises(RunError, match=rf"meta\.{field} is .*expected (no path|at most 200 bytes)"):
        from_bytes(with_text(field, path))


@pytest.mark.parametrize("value", [7, True, ["a"], {"a": 1}, 1.5])
@pytest.mark.parametrize("field", EVERY)
def test_a_name_is_a_text(field, value):
    with pytest.raises(RunError, match=rf"meta\.{field} is .*expected a text"):
        from_bytes(with_text(field, value))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("as_run", {"hardware": "a\x1b[31m"}, r"meta\.as_run\.hardware is 'a\\x1b\[31m'"),
        ("as_run", {"a\u202e": 1}, r"meta\.as_run is"),
        ("notes", ["fine", "a\x1b[2J"], r"meta\.notes\.1 is"),
        ("inferred", {"n": {"deep": "x" * 300}}, r"meta\.inferred\.n\.deep is .*at most 200 letters"),
        ("source", "a\nb", r"meta\.source is"),
        ("images", "\x07", r"meta\.images is"),
    ],
)
def test_texts_deeper_in_meta_that_are_shown_follow_the_same_rule(field, value, said):
    with pytest.raises(RunError, match=said):
        from_bytes(with_text(field, value))


def test_a_meta_that_no_page_could_show_is_refused():
    with pytest.raises(RunError, match=r"meta has .* letters; at most 1,000,000"):
        from_bytes(with_text("comment", "x" * 2_000_000))
    buffer = io.BytesIO()
    np.savez(buffer, meta=np.array('{"format": ' + "1" * 10_000 + "}"))
    with pytest.raises(RunError, match="meta is not JSON"):
        from_bytes(buffer.getvalue())


def test_what_ships_and_what_the_tests_make_is_legal(tmp_path):
    catalog = Catalog(tmp_path)
    assert len(catalog.metas()) > 25
    assert catalog.listing().broken == {}


@given(st.text(max_size=300))
def test_the_rule_leaves_nothing_that_a_terminal_obeys(text):
    if fault(text) is None:
        assert text.isprintable()
        assert text == text.strip()
        assert 0 < len(text) <= LONGEST
    if file_fault(text) is None:
        place = Path("/folder") / f"{text}_images.npz"
        assert place.parent == Path("/folder")
        assert len(place.name.encode()) <= 255


@given(st.text(max_size=300) | st.lists(st.text()) | st.integers())
def test_a_quoted_value_is_short_and_visible(value):
    assert quoted(value).isprintable()
    assert len(quoted(value)) < 10 * LONGEST + 10  # each letter as Python may write it


# --- names that become paths -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "a\0b", "x" * 256, "é" * 128])
def test_a_name_leads_to_a_file_in_the_folder_or_nowhere(name, tmp_path):
    with pytest.raises(AcesError, match="is no name of a file in"):
        file_in(tmp_path, name)


def test_no_dataset_leads_out_of_the_folder_of_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    index = np.arange(3)
    assert pictures_file("own", index, index).parent == tmp_path / "pictures"
    for dataset in ("../../x", "/etc/x", "x" * 300):
        with pytest.raises(AcesError, match="is no name of a file"):
            pictures_file(dataset, index, index)


def test_a_page_reads_no_pictures_outside_of_the_demo(tmp_path, monkeypatch):
    """Even of a run that was in the store before names were checked."""
    from app import run_pictures

    (tmp_path / "demo").mkdir()
    np.savez(tmp_path / "x_images.npz", index=[0], images=np.zeros((1, 1, 4, 4), np.uint8))
    monkeypatch.setenv("ACES_DEMO", str(tmp_path / "demo"))
    meta = replace(toy.smoothed_run().meta, dataset="../x")
    with pytest.raises(AcesError, match="is no name of a file"):
        run_pictures.pictures(meta)


# --- stores from before there was a rule -----------------------------------------------------------------------


def put_unchecked(store: Store, name: str, **fields: object) -> None:
    """As a store of an earlier version holds it."""
    run = toy.core_run()
    card = {"meta": run.meta.to_json() | {"name": name} | fields, "sha256": "0" * 64}
    with store.runs.writing() as cache:
        write(cache, run_key(name), b"whatever")
        write(cache, card_key(name), json.dumps(card).encode())


HOSTILE = ("a\x1b[31mred", "x" * 20_000, "[/x]\u202e", "line\nbreak")


@pytest.fixture
def old_store(tmp_path):
    place = tmp_path / "store"
    with Store(place) as store:
        store.put(toy.core_run())
        for name in HOSTILE:
            put_unchecked(store, name)
        put_unchecked(store, "leads-out", dataset="../../x")
    return place


def test_what_breaks_the_rule_is_named_as_broken_and_hides_no_other(old_store):
    catalog = Catalog(old_store)
    assert "toy-core" in [meta.name for meta in catalog.metas()]
    assert set(catalog.listing().broken) == {*HOSTILE, "leads-out"}
    for message in catalog.listing().broken.values():
        assert message.isprintable()
        assert len(message) < 1000


def test_everything_that_is_listed_can_be_removed_as_it_is_listed(call, old_store):
    status, out, err = call("runs", "--cache", old_store)
    assert status == 0
    assert "toy-core" in out
    assert all(line.isprintable() for line in err.splitlines())
    assert "\x1b" not in out
    shown = [line.removeprefix("warning: ").partition(" is skipped: ")[0] for line in err.splitlines()]
    assert len(shown) == len(HOSTILE) + 1
    options = [f"--remove={name}" for name in shown]
    status, out, err = call("runs", *options, "--cache", old_store)
    assert (status, err) == (0, "")
    assert out.count("removed ") == len(shown)
    assert call("runs", "--cache", old_store)[2] == ""
    assert "toy-core" in call("runs", "--cache", old_store)[1]


def test_a_run_is_removed_by_its_whole_name_alone(call, tmp_path):
    with Store(tmp_path) as store:
        for name in ("net", "net-2", "[/x]", "--odd"):
            store.put(toy.core_run(name))
    status, out, err = call("runs", "--remove", "ne", "--cache", tmp_path)
    assert (status, out) == (2, "")
    assert "the store holds no run named 'ne'" in err
    command = ("runs", "--remove", "net", "--remove", "[/x]", "--remove=--odd", "--remove", "net", "--cache", tmp_path)
    assert call(*command) == (
        0,
        "removed net; its draws are kept\nremoved [/x]; its draws are kept\nremoved --odd; its draws are kept\n",
        "",
    )
    with Store(tmp_path) as store:
        assert [meta.name for meta in store.metas()] == ["net-2"]


def test_none_is_removed_where_one_of_them_is_not_there(call, tmp_path):
    with Store(tmp_path) as store:
        store.put(toy.core_run("net"))
        assert call("runs", "--remove", "net", "--remove", "other", "--cache", tmp_path)[0] == 2
        assert [meta.name for meta in store.metas()] == ["net"]


def test_a_run_that_ships_is_not_removed(call, tmp_path):
    status, _, err = call("runs", "--remove", "fashion_mnist-core", "--cache", tmp_path / "none")
    assert status == 2
    assert "'fashion_mnist-core' ships with the demo and cannot be removed" in err
    assert not (tmp_path / "none").exists()


# --- before anything is sampled ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("toy_dataset")
@pytest.mark.parametrize("changes", [{"name": "a\x1bb"}, {"training": "x" * 300}])
def test_a_config_with_a_name_that_may_not_be_is_refused_before_anything_is_sampled(tmp_path, monkeypatch, changes):
    monkeypatch.setattr("engine.sampling.precompute.fill", lambda *_: pytest.fail("sampled"))
    config = read_config(toy.config(tmp_path))
    entry = config.certify[0].model_copy(update=changes)
    with Store(tmp_path / "s") as store, pytest.raises(AcesError, match=r" is .*; expected"):
        precompute(config.model_copy(update={"certify": (entry,)}), store)


def test_an_import_with_such_a_name_is_one_line_and_changes_nothing(call, tmp_path):
    (tmp_path / "bad.npz").write_bytes(with_text("name", "x" * 20_000))
    status, out, err = call("import", tmp_path / "bad.npz", "--cache", tmp_path / "s")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "expected at most 200 letters" in err
    assert len(err) < 500
    assert not (tmp_path / "s").exists()


def test_every_text_of_the_networks_record_is_checked():
    """A field that is added later must not be forgotten."""
    texts = {name for name, value in vars(NetworkInfo("a", "b", "c", 0.5)).items() if isinstance(value, str)}
    assert texts == set(NETWORK)
    hints = {name for name, kind in Meta.__annotations__.items() if kind in ("str", "str | None")}
    assert hints - {"kind"} <= {*FIELDS, "mechanism", "smoothing"}


def test_demo_files_are_read_as_before():
    assert read_run(ROOT / "cache/demo/fashion_mnist-core.npz").meta.name


# --- cards of networks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "a\x1b[31m"}, "the network's name is"),
        ({"name": None}, "the network's name is None; expected a text"),
        ({"name": ["a"]}, "the network's name is"),
        ({"training": "x" * 20_000}, "the network's training is .*at most 200 letters"),
        ({"dataset": "a\nb"}, "the network's dataset is"),
        ({"architecture": 7}, "the network's architecture is 7; expected a text"),
        ({"sigma_train": "0.25"}, "the network's sigma_train is '0.25'; expected a number"),
        ({"outputs": True}, "the network's outputs is True; expected a number"),
    ],
)
@pytest.mark.usefixtures("toy_dataset")
def test_a_card_in_a_checkpoint_follows_the_rule_and_is_refused_in_one_line(call, tmp_path, changes, said):
    import torch
    from safetensors.torch import save_file

    card = {"name": "n", "architecture": "resnet8", "dataset": "toy", "training": "gaussian", "sigma_train": 0.25}
    path = tmp_path / "net.safetensors"
    save_file({"body.x": torch.zeros(1)}, path, metadata={"aces": json.dumps(card | changes)})
    status, out, err = call("inspect", path)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert re.search(said, err)
    assert len(err) < 500


def test_a_page_that_fails_shows_its_visitors_no_path_of_this_machine():
    config = tomllib.loads((ROOT / "app/.streamlit/config.toml").read_text())
    assert config["client"]["showErrorDetails"] == "none"
