"""What a link says of a view, and what is said where the view it was copied from is not there any more."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from streamlit.testing.v1 import AppTest

from app import catalog, keys, links
from app.settings import Pin, Settings, combinations, experiments
from engine.records.meta import Meta
from engine.records.runs import write_run
from tests import synthetic
from tests.app.test_escape import shown
from tests.app.test_settings import smoothed

APP = Path(keys.__file__).parent
IMAGES = 40
OF_CERTIFY = {"source", "mode", "n", "until", "until_r"}  # the Certify page has no link of a view
OF_RUNS = {"rule", "rule_r", "rule_theta"}  # nor has Runs
WITHOUT_DEFAULT = {
    "outcome",
    "answer",
    "class",
    "radii",
    "scores",
    "image",
    "floor",
    "draws",
    "config",
}  # empty, or all there is


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo folder of its own, which the page looks into; certification runs of two trainings."""
    folder = synthetic.write_demo(tmp_path / "demo", IMAGES)
    write_other(folder, "victim", "victim")
    monkeypatch.setenv("ACES_DEMO", str(folder))
    catalog.look_again()
    return folder


def write_other(folder: Path, name: str, training: str, sigma: float = 0.25) -> Path:
    """One more certification run of the dataset."""
    run = synthetic.smoothed(sigma, IMAGES)
    network = replace(run.meta.network, name=name, training=training)
    write_run(replace(run, meta=replace(run.meta, name=name, network=network)), folder / f"{name}.npz")
    return folder / f"{name}.npz"


def another_dataset(folder: Path, trainings: int = 1, sigmas: tuple[float, ...] = (0.25,)) -> None:
    """Runs of MNIST under other names."""
    for k, sigma in product(range(trainings), sigmas):
        run, name = synthetic.smoothed(sigma, IMAGES), f"m{k}-{sigma}"
        network = replace(run.meta.network, training=f"t{k}")
        write_run(
            replace(run, meta=replace(run.meta, name=name, dataset="mnist", network=network)), folder / f"{name}.npz"
        )
    core = synthetic.core(IMAGES)
    write_run(replace(core, meta=replace(core.meta, name="m-core", dataset="mnist")), folder / "m-core.npz")
    catalog.look_again()


@pytest.fixture
def open_page(demo: Path, open_app: Callable[..., AppTest]) -> Callable[..., AppTest]:
    return open_app


def captions(page: AppTest) -> str:
    return "\n".join(caption.value.replace("\\", "") for caption in page.caption)


def tiles(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def offered(page: AppTest) -> dict[str, object]:
    """What Copy link adds to the address."""
    (bar,) = [one.proto for one in page.get("bidi_component") if one.proto.component_name == "aces_links"]
    return json.loads(bar.bytes)


def whole(page: AppTest) -> dict[str, str | list[str]]:
    said = offered(page)
    return {**said["controls"], "runs": said["runs"]}


def bound_keys(path: Path) -> list[str | None]:
    """The keys of the widgets that a module binds to the address; None where the key is no literal."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    options = [{keyword.arg: keyword.value for keyword in call.keywords} for call in calls]
    return [getattr(of["key"], "value", None) for of in options if "bind" in of]


def test_every_control_that_is_bound_to_the_address_is_in_a_link():
    bound = [key for path in APP.rglob("*.py") for key in bound_keys(path)]
    assert bound.count(None) == 2  # _others and _kept, whose keys are arguments
    of_those = {"with_training", "with_core", "with_select", "pin", "pick"}
    every = {*bound, *of_those, *keys.DIALS} - {None}
    assert every == {*keys.CONTROLS, *keys.PAGE_CONTROLS} | OF_CERTIFY | OF_RUNS


@pytest.mark.parametrize("path", ["", "trade-off", "certified-accuracy", "selection", "images", "compare"])
def test_the_defaults_of_a_link_are_what_the_page_shows(path, open_page):
    page, first = open_page(path), open_page()
    defaults = keys.DEFAULTS | keys.PAGE_DEFAULTS.get(path or keys.FIRST_PAGE, {})
    assert {key: links.texts(page.session_state[key]) for key in defaults} == {
        key: links.texts(value) for key, value in defaults.items()
    }
    assert whole(page) == whole(page) | {key: links.texts(value) for key, value in defaults.items()}
    assert tiles(first)
    listed = {*keys.CONTROLS, *keys.PAGE_CONTROLS} - {*keys.DEFAULTS, *keys.STAGE_DEFAULTS, *WITHOUT_DEFAULT}
    listed -= {key for defaults in keys.PAGE_DEFAULTS.values() for key in defaults}
    assert listed == {
        "collection", "dataset", "training", "sigma", "core", "select", "with_training", "with_core", "with_select",
        "with_collection", "paper", "pin",
        "pick",
    }  # fmt: skip


def test_a_link_means_the_same_when_another_dataset_has_come_first(open_page, demo):
    page = open_page()
    link, before = whole(page), tiles(page)
    another_dataset(demo, 5, (0.25, 0.5))
    assert open_page().selectbox(key="dataset").value == "mnist"
    again = open_page(**link)
    assert again.selectbox(key="dataset").value == "fashion_mnist"
    assert tiles(again) == before
    assert "Not what was asked for" not in captions(again)


def test_a_link_names_every_run_with_its_digest(open_page):
    page = open_page(sigma="0.5", with_core=synthetic.OTHER_CORE, pin="victim~0.25~fashion_mnist-core~entropy~0.3")
    runs = links.read_runs(whole(page)["runs"])
    assert list(runs)[:2] == ["fashion_mnist-gaussian-0.5", "fashion_mnist-core"]
    assert {"fashion_mnist-other-core", "victim"} <= set(runs)
    assert all(re.fullmatch("[0-9a-f]{12}", digest) for digest in runs.values())


def test_a_link_whose_runs_have_changed_says_so_until_the_reader_moves_on(open_page, demo):
    link = whole(open_page(training="victim"))
    run = synthetic.smoothed(0.5, IMAGES)
    meta = replace(run.meta, name="victim", sigma=0.25, network=replace(run.meta.network, training="victim"))
    write_run(replace(run, meta=meta), demo / "victim.npz")
    catalog.look_again()
    page = open_page(**link)
    assert "Not what was asked for: run victim holds other counts than then" in captions(page)
    assert "Not what was asked for" in captions(page.run())
    page.selectbox(key="training").set_value("gaussian").run()
    assert "Not what was asked for" not in captions(page)


def test_a_link_whose_run_is_gone_names_it_and_what_is_shown_instead(open_page, demo):
    link = whole(open_page(training="victim"))
    (demo / "victim.npz").unlink()
    catalog.look_again()
    said = captions(open_page(**link))
    assert "training victim is not in this catalog, run victim is not in this catalog" in said
    assert "shown is fashion_mnist-gaussian-0.25 with fashion_mnist-core" in said


def test_an_address_without_digests_whose_run_is_gone_says_so_as_well(open_page, demo):
    (demo / "victim.npz").unlink()
    catalog.look_again()
    page = open_page(training="victim")
    assert "Not what was asked for: training victim is not in this catalog; shown is" in captions(page)
    assert "training victim" in captions(page.run())


@pytest.mark.parametrize("path", ["", "certified-accuracy", "selection", "images", "compare", "runs"])
def test_a_run_that_is_deleted_while_it_is_shown_is_named(path, open_page, demo):
    page = open_page(path, training="victim")
    assert "Not what" not in captions(page)
    file = (demo / "victim.npz").read_bytes()
    (demo / "victim.npz").unlink()
    catalog.look_again()
    for _ in range(2):
        page.run()
        assert "run victim is not in this catalog; shown is fashion_mnist-gaussian-0.25 with" in captions(page)
    (demo / "victim.npz").write_bytes(file)
    catalog.look_again()
    assert "Not what" not in captions(page.run())


def test_a_choice_of_the_readers_needs_no_word(open_page, demo):
    another_dataset(demo)
    page = open_page(sigma="0.5", with_core=synthetic.OTHER_CORE)
    page.selectbox(key="dataset").set_value("mnist").run()
    assert "Not what" not in captions(page.run())
    page.selectbox(key="dataset").set_value("fashion_mnist").run()
    assert "Not what" not in captions(page.run())


def test_a_pin_of_another_dataset_is_not_said_to_be_lost(open_page, demo):
    another_dataset(demo)
    page = open_page(dataset="mnist", pin="gaussian~0.5~fashion_mnist-core~entropy~0.300")
    assert "not in this catalog" not in captions(page)
    assert "pinned as A is of fashion_mnist" in captions(page)
    page.selectbox(key="dataset").set_value("fashion_mnist").run()
    assert "pinned as A is of" not in captions(page)
    assert "Unpin A" in [button.label for button in page.button]


def test_a_sigma_whose_label_has_grown_still_chooses_its_run(open_page, demo):
    link = whole(open_page())
    write_other(demo, "a-second", "gaussian")
    catalog.look_again()
    page = open_page(**link)
    assert page.select_slider(key="sigma").value == "0.25 (fashion_mnist-gaussian-0.25)"
    assert open_page(sigma="0.25").select_slider(key="sigma").value == "0.25 (a-second)"


def test_a_link_whose_controls_have_come_to_choose_another_run_says_so(open_page, demo):
    link = whole(open_page(training="victim"))
    (demo / "victim.npz").rename(demo / "elsewhere.npz")
    write_run(replace(synthetic.smoothed(0.25, IMAGES), meta=renamed("victim", "moved")), demo / "elsewhere.npz")
    write_other(demo, "newcomer", "victim")
    catalog.look_again()
    said = captions(open_page(**link))
    assert "the address now chooses other runs than victim; shown is newcomer with fashion_mnist-core" in said


def renamed(name: str, training: str) -> Meta:
    meta = synthetic.smoothed(0.25, IMAGES).meta
    return replace(meta, name=name, network=replace(meta.network, training=training))


@pytest.mark.parametrize(
    "hostile",
    ["![x](http://x.invalid/y)", "$\\alpha$", ":red[x]", "<b>x</b>", "`x`", "x" * 100_000, "[x](javascript:1)"],
)
def test_a_name_of_an_address_is_shown_letter_by_letter(hostile, open_page):
    page = open_page(training=hostile, runs=f"{hostile}~0123456789ab")
    (said,) = [one.value for one in page.caption if "Not what" in one.value]
    badge, sentence = said.split(" ", 1)
    assert badge == ":orange-badge[:material/link_off:]"
    words = shown(sentence)
    assert words is not None, "more than text"
    assert hostile[:500] in words
    assert len(said) < 2_000


@pytest.mark.parametrize("text", ["", "~", "a", "a~", "~0123456789ab", "a~0123", "x" * 1000 + "~0123456789ab"])
def test_what_is_no_run_of_a_link_is_left_out(text):
    assert links.read_runs([text]) == {}


def test_names_with_the_separator_are_read_back():
    runs = {"a~b": "0" * 64, "σ 0.5 & more": "f" * 64}
    assert links.read_runs(links.run_texts(runs)) == {name: digest[:12] for name, digest in runs.items()}


def test_a_link_can_be_taken_apart_again():
    text = links.link("http://x/images", {"theta": 0.3, "with_core": ["a", "b & c"], "pick": None}, {"r": "ab" * 32})
    assert parse_qs(urlparse(text).query) == {"theta": ["0.3"], "with_core": ["a", "b & c"], "runs": ["r~abababababab"]}


def test_a_view_rests_on_its_pin_too():
    core = Meta("core", "core", "d", 10)
    first, second = combinations(experiments([smoothed("a", 0.25), smoothed("b", 0.5)]), [core], [None], None)
    assert list(Settings(first, pin=Pin(second, 0.5)).runs) == ["a", "core", "b"]
