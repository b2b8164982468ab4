"""The pages, driven without a browser, on small synthetic runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app import data
from app.services import precompute
from app.widgets import downloads
from cache import Store
from engine.mechanisms import ENTROPY, NETWORK
from engine.records.compose import Composition, compose
from engine.records.runs import CoreRun, write_run
from engine.statistics.corrections import Correction
from engine.statistics.explain import explain
from engine.statistics.metrics import evaluate
from engine.tables import Format, render
from tests import synthetic
from tests.app_pages import turn
from tests.conftest import MAIN
from tests.waiting import wait_until

IMAGES = 40
CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE = "certified-accuracy", "selection", "images", "compare"
A_PIN = "gaussian~0.5~fashion_mnist-core~entropy~0.300"


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo folder of its own, which the page looks into."""
    folder = synthetic.write_demo(tmp_path / "demo", IMAGES)
    monkeypatch.setenv("ACES_DEMO", str(folder))
    return folder


@pytest.fixture
def open_page(demo: Path, open_app: Callable[..., AppTest]) -> Callable[..., AppTest]:
    return open_app


def specs(page: AppTest) -> list[str]:
    drawn = [one.proto for one in page.get("bidi_component") if one.proto.component_name == "aces_figure"]
    return [json.dumps(json.loads(proto.bytes)["figure"]) for proto in drawn]


def shown(page: AppTest, dial: str) -> float:
    """What the page says to a dial."""
    said = [json.loads(one.proto.bytes) for one in page.get("bidi_component") if b'"stops"' in one.proto.bytes]
    return next(one["value"] for one in said if one["key"] == dial)


def tiles(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


def damage(folder: Path, name: str) -> None:
    """Make a run's arrays contradict its meta, which stays readable."""
    path = folder / f"{name}.npz"
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"class_counts": arrays["class_counts"] + 1})


def test_opens_with_two_figures_and_five_tiles_that_are_the_engines_numbers(open_page):
    page = open_page(theta="0.3")
    c = compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES))
    m = evaluate(c, [0.3], radii=(0.25,))
    assert len(specs(page)) == 2
    assert tiles(page) == {
        "NAC": f"{m.nac[0]:.1f} %",
        "ACR": f"{m.acr[0]:.3f}",
        "Certified, r 0.25": f"{m.certified_accuracy[0, 0]:.1f} %",
        "Selected, r 0.25": f"{m.certified_selection[0, 0]:.1f} %",
        "Abstained": f"{m.outcomes[0, 0]:.1f} %",
    }
    assert not page.error


def test_says_what_the_numbers_rest_on_and_what_they_do_not_promise(open_page):
    said = captions(open_page())
    for fact in ("40 images, one in 20 of fashion_mnist test", "100 + 10,000 draws at σ 0.25", "α 0.001"):
        assert fact in said
    for caveat in ("ℓ2", "at least 1 − α per image and per θ fixed in advance", "carry no certificate", "from 0 to 1"):
        assert caveat in said


def test_every_tile_has_its_interval_and_the_number_of_images(open_page):
    for metric in open_page().metric:
        low, high = (float(end) for end in metric.delta.split("–"))
        assert low <= float(metric.value.removesuffix(" %")) <= high
        assert metric.proto.delta_description == "n 40"


MOVES = {
    "theta": lambda page: turn(page, "theta", 0.123),
    "sigma": lambda page: page.select_slider(key="sigma").set_value("1"),
    "radius": lambda page: turn(page, "radius", 0.4),
    "alpha": lambda page: turn(page, "alpha", 0.1),
    "correction": lambda page: page.selectbox(key="correction").set_value("simultaneous"),
    "core": lambda page: page.selectbox(key="core").set_value(synthetic.OTHER_CORE),
}
# Which of a page's figures, by their order on it, each control redraws.
REDRAWN = {
    "": {"theta": {0, 1}, "sigma": {0, 1}, "radius": {1}, "alpha": {0, 1}, "core": {0, 1}},
    CERTIFIED: {"theta": {0, 1}, "sigma": {0, 1}, "radius": {0, 1}, "alpha": {0, 1}, "correction": {0, 1}},
    SELECTION: {"theta": {0, 1, 2}, "sigma": {0, 1, 2}, "radius": {0, 2}, "alpha": {1}, "correction": {1}},
    IMAGES_PAGE: {"theta": {0}, "sigma": {0}, "alpha": {0}},
}


@pytest.mark.parametrize(("path", "control"), [(path, control) for path in REDRAWN for control in REDRAWN[path]])
def test_a_control_redraws_the_figures_that_depend_on_it_and_no_other(open_page, path, control):
    page = open_page(path, theta="0.3")
    before = specs(page)
    MOVES[control](page).run()
    changed = {i for i, (old, new) in enumerate(zip(before, specs(page), strict=True)) if old != new}
    assert changed >= REDRAWN[path][control]
    if control == "radius":
        assert changed == REDRAWN[path][control]


@pytest.mark.parametrize("path", REDRAWN)
def test_an_untouched_page_sends_identical_figures(open_page, path):
    page = open_page(path, theta="0.3")
    before = specs(page)
    assert specs(page.run()) == before


def test_a_change_of_a_dial_counts_once_and_what_a_click_sets_outlives_it(open_page):
    page = open_page(theta="0.3")
    assert shown(turn(page, "theta", 0.7).run().run(), "theta") == 0.7
    page.button(key="go_deploy").click().run()
    gone_to = float(page.session_state["theta"])
    assert gone_to != 0.7
    assert shown(page.run(), "theta") == gone_to
    assert shown(turn(page, "theta", 0.6, at=2.0).run().run(), "theta") == 0.6


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), None, "0.5x", [0.5], 10**400])
def test_a_value_that_no_dial_can_have_is_not_taken(open_page, value):
    page = open_page(theta="0.3")
    assert shown(turn(page, "theta", value).run().run(), "theta") == 0.3


def test_every_control_is_read_from_the_url(open_page):
    page = open_page(
        theta="0.42", sigma="0.5", alpha="0.01", radius="0.5", correction="bonferroni", core=synthetic.OTHER_CORE
    )
    said = captions(page)
    assert shown(page, "theta") == 0.42
    assert "Certified, r 0.5" in tiles(page)
    for fact in ("σ 0.5", "α 0.01, bonferroni", f"fashion_mnist-gaussian-0.5 with {synthetic.OTHER_CORE}"):
        assert fact in said


def test_a_mangled_url_falls_back_to_the_defaults(open_page):
    mangled = open_page(theta="9", sigma="x", alpha="2", radius="-1", correction="no", core="?", dataset="", image="x")
    assert specs(mangled) == specs(open_page())
    assert not mangled.error
    assert "at its default: dataset, sigma, core, theta, alpha, radius, correction" in captions(mangled)
    assert "Not understood" not in captions(mangled.run())


@pytest.mark.parametrize("value", ["inf", "-inf", "1e400", "nan", "-1", 5000 * "9", "²"])
@pytest.mark.parametrize(("path", "control"), [(IMAGES_PAGE, "image"), (IMAGES_PAGE, "pick"), ("runs", "draws")])
def test_a_number_that_is_none_leaves_its_control_as_it_was(open_page, path, control, value):
    page = open_page(path, **{control: value})
    assert not page.error
    assert page.session_state[control] in (None, "", value)
    if path == IMAGES_PAGE:
        assert len(page.dataframe[0].value) == IMAGES


def test_an_address_that_is_understood_needs_no_word(open_page):
    page = open_page(
        theta="0.42", sigma="0.5", alpha="0.03", correction="bonferroni", core=synthetic.OTHER_CORE,
        with_core=synthetic.CORE, pin=A_PIN, noises="all",
    )  # fmt: skip
    assert "Not understood" not in captions(page)
    assert "pinned view" not in captions(page)


def test_a_pin_that_is_not_there_is_said(open_page):
    assert "pinned view of this address is not in this catalog" in captions(open_page(pin="nobody~0.5~x~entropy~0.3"))


def test_each_correction_says_what_it_promises(open_page):
    page = open_page()
    for correction in ("bonferroni", "intersection-union", "simultaneous"):
        page.selectbox(key="correction").set_value(correction).run()
        promise = page.sidebar.caption[0].value
        assert ("after looking" in promise) == (correction == "simultaneous")
        assert ("for all θ at once" in captions(page)) == (correction == "simultaneous")


def test_another_noise_than_the_trainings_wears_a_badge(open_page, demo):
    write_run(synthetic.smoothed(0.5, IMAGES, sigma_train=0.25), demo / "fashion_mnist-gaussian-0.5.npz")
    assert "differs from the training noise 0.25" in captions(open_page(sigma="0.5 (net 0.25)"))
    assert "differs" not in captions(open_page())


def test_one_noise_level_is_enough(open_page, demo):
    for sigma in (0.5, 1.0):
        (demo / f"{synthetic.certify_name(sigma)}.npz").unlink()
    assert len(specs(open_page())) == 2


def test_an_empty_catalog_names_the_commands_that_fill_it(open_app, tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DEMO", str(tmp_path / "nothing"))
    page = open_app()
    assert "python -m engine precompute" in page.code[0].value
    assert not specs(page)


def test_a_file_that_is_no_run_is_named_and_the_rest_lives_on(open_page, demo):
    (demo / "fashion_mnist-gaussian-1.0.npz").write_bytes(b"no npz")
    page = open_page()
    assert "fashion_mnist-gaussian-1.0.npz" in page.error[0].value
    assert len(specs(page)) == 2


def test_a_damaged_noise_level_is_left_out_of_the_fronts(open_page, demo):
    damage(demo, "fashion_mnist-gaussian-1.0")
    page = open_page()
    assert [error.value.startswith("σ 1 is not drawn: ") for error in page.error] == [True]
    assert len(specs(page)) == 2
    assert "σ 1" not in specs(page)[0].encode().decode("unicode_escape")


def test_a_damaged_choice_leaves_the_other_fronts(open_page, demo):
    damage(demo, "fashion_mnist-gaussian-0.25")
    page = open_page()
    assert all("sums to" in error.value for error in page.error)
    assert len(specs(page)) == 1
    assert "σ 1" in specs(page)[0].encode().decode("unicode_escape")


def other_copy(demo: Path, certify: float | None = None) -> None:
    """Let the core network, or the certification network of a noise, be asked about a copy in another order."""
    run = synthetic.core(IMAGES) if certify is None else synthetic.smoothed(certify, IMAGES)
    write_run(replace(run, label=(run.label + 1) % 10), demo / f"{run.meta.name}.npz")


def core_of_other_images_alone(demo: Path) -> None:
    """Leave one core network, which was evaluated on images that no certification network saw."""
    (demo / f"{synthetic.OTHER_CORE}.npz").unlink()
    stranger = synthetic.core(IMAGES)
    write_run(replace(stranger, index=stranger.index + 1), demo / f"{synthetic.CORE}.npz")


def test_components_without_common_images_are_an_error_in_place(open_page, demo):
    core_of_other_images_alone(demo)
    page = open_page()
    assert page.error
    assert all("share no images" in error.value for error in page.error)
    assert len(specs(page)) == 1


def test_core_networks_that_were_asked_about_other_images_are_not_offered(open_page, demo):
    other_copy(demo)
    page = open_page()
    assert page.selectbox(key="core").options == [synthetic.OTHER_CORE]
    assert not page.error


def test_certification_networks_of_another_copy_are_left_out_of_the_fronts_and_counted(open_page, demo):
    other_copy(demo, certify=0.5)
    page = open_page()
    assert not page.error
    assert "1 of 3 compositions are not drawn: their runs were evaluated on other images" in captions(page)
    elsewhere = open_page(sigma="0.5")
    assert any("number the dataset differently" in error.value for error in elsewhere.error)


def test_selection_networks_of_another_copy_are_not_offered(open_page, demo):
    own, other = synthetic.selection(0.25, IMAGES), synthetic.selection(0.5, IMAGES)
    write_run(own, demo / "own.npz")
    write_run(replace(other, meta=replace(other.meta, extra={"images": "another"})), demo / "other.npz")
    assert open_page().selectbox(key="select").options == ["entropy", own.meta.name]


def test_the_table_lists_certifys_answers_with_pictures(open_page):
    table = open_page(IMAGES_PAGE, theta="0.3").dataframe[0].value
    assert len(table) == IMAGES
    assert table["index"].tolist() == list(range(0, 20 * IMAGES, 20))
    assert table["picture"].str.startswith("data:image/png;base64,").all()
    assert (table["radius"] > 0).equals(table["outcome"] == "certified")
    assert (table["answer is"] == "correct").equals(table["label"] == table["answer"])


@pytest.mark.parametrize(
    ("query", "column", "allowed"),
    [
        ({"outcome": "certified"}, "outcome", {"certified"}),
        ({"answer": "wrong"}, "answer is", {"wrong"}),
        ({"answer": "correct"}, "answer is", {"correct"}),
        ({"answer": "right"}, "answer is", {"correct"}),  # as addresses said before
        ({"class": "bag"}, "label", {"bag"}),
        ({"pick": "20.60"}, "index", {20, 60}),
    ],
)
def test_filters_stand_in_the_url_and_shorten_the_table(open_page, query, column, allowed):
    page = open_page(IMAGES_PAGE, theta="0.3", **query)
    table = page.dataframe[0].value
    assert 0 < len(table) < IMAGES
    assert set(table[column]) == allowed
    assert f"{len(table)} of 40 images" in captions(page)


def test_filters_that_let_nothing_through_say_so(open_page):
    page = open_page(IMAGES_PAGE, theta="0", outcome="certified")
    assert not page.dataframe
    assert "No image passes" in page.info[0].value


def test_an_image_opens_with_its_figures_bounds_and_formulas(open_page):
    page = open_page(IMAGES_PAGE, theta="0.3", image="40")
    assert len(specs(page)) == 4
    assert {"p_S", "p_A", "Radius of selection", "Radius of class"} <= set(tiles(page))
    assert "LCB" in page.latex[1].value
    assert any(markdown.value.startswith("**Bound the class.**") for markdown in page.markdown)


def said(page: AppTest) -> str:
    """Every text of the page itself, the sidebar left out, that a person can read or point at."""
    main = page.main
    kinds = ("markdown", "caption", "latex", "metric", "info", "warning")
    texts = [" ".join((e.value, e.proto.help if hasattr(e.proto, "help") else "")) for k in kinds for e in main.get(k)]
    tables = [str(table.proto.columns) for table in main.get("arrow_data_frame")]
    return "\n".join([*texts, *tables, *specs(page), *(metric.label for metric in main.metric)])


def test_a_selection_networks_scores_are_nowhere_called_entropies(open_page, demo):
    own = synthetic.selection(0.25, IMAGES)
    write_run(own, demo / "own.npz")
    for page, query in ((IMAGES_PAGE, {"image": "40"}), (SELECTION, {})):
        by_entropy, by_network = (
            said(open_page(page, sigma="0.25", select=name, **query)) for name in ("entropy", own.meta.name)
        )
        assert "entrop" in by_entropy.lower()
        assert "selection score" in by_network
        assert "entrop" not in by_network.lower()


def test_tables_for_people_call_the_score_by_its_name_and_those_for_programs_keep_theirs():
    rows = [{"index": 1, "entropy_median": 0.25}]
    assert [list(row) for row in downloads.in_words(rows, ENTROPY.words)] == [["index", "entropy (median)"]]
    named = downloads.in_words(rows, NETWORK.words)
    assert named == [{"index": 1, "selection score (median)": 0.25}]
    assert "0.25" in render(named, Format.LATEX)
    assert "entropy_median" in render(rows, Format.CSV)


def is_undecided(c: Composition, index: int, theta: float) -> bool:
    return explain(c, index, theta, 0.001, Correction.SIMULTANEOUS, ENTROPY.words).select is None


def test_an_undecided_selection_is_said_and_no_votes_invented(open_page):
    c = compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES))
    between = ((k, index) for k in range(100) for index in c.index.tolist())
    k, index = next((k, i) for k, i in between if is_undecided(c, i, k / 100 + 0.005))
    query = {"theta": f"{k / 100 + 0.005:.3f}", "correction": "simultaneous", "image": str(index)}
    page = open_page(IMAGES_PAGE, sigma="0.25", **query)
    assert tiles(page)["p_S"] == "undecided"
    text = said(page)
    assert f"**The selection is undecided.** θ {query['theta']} lies between {k / 100:g} and {(k + 1) / 100:g}" in text
    assert not re.search(r"\b0 of", text)


def test_an_image_that_is_not_there_is_an_error_in_place(open_page):
    page = open_page(IMAGES_PAGE, image="41")
    assert ["image 41 is not among" in error.value for error in page.error] == [True]
    assert len(specs(page)) == 1


def test_pictures_may_be_missing(open_page, demo, tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DATA", str(tmp_path))  # a checkout may hold the dataset, whose pictures are not these
    (demo / "fashion_mnist_images.npz").unlink()
    page = open_page(IMAGES_PAGE, image="40")
    assert not page.error
    assert "picture" not in page.dataframe[0].value


def test_damaged_pictures_are_named_and_missed(open_page, demo):
    np.savez(demo / "fashion_mnist_images.npz", index=np.arange(3))
    page = open_page(IMAGES_PAGE, image="40")
    assert ["no readable image file" in error.value for error in page.error] == [True]
    assert len(specs(page)) == 4


def test_radius_and_entropy_filter_the_images(open_page):
    page = open_page(IMAGES_PAGE, theta="0.3")
    page.slider(key="radii").set_value((0.2, 0.5)).run()
    page.slider(key="scores").set_value((0.0, 0.2)).run()
    table = page.dataframe[0].value
    assert 0 < len(table) < IMAGES
    assert table["radius"].between(0.1999, 0.5).all()
    assert table["score"].between(0, 0.2).all()


def test_the_box_says_what_to_deploy_and_its_button_goes_there(open_page):
    page = open_page(theta="0.3", nac="70")
    curves = {
        sigma: evaluate(compose(synthetic.smoothed(sigma, IMAGES), synthetic.core(IMAGES)), synthetic.THETAS)
        for sigma in synthetic.SIGMAS
    }
    best, sigma = max((m.acr[m.nac >= 70].max(), sigma) for sigma, m in curves.items() if (m.nac >= 70).any())
    said = next(markdown.value for markdown in page.markdown if "NAC" in markdown.value)
    assert f"σ {sigma:g}, θ" in said
    assert f"ACR {best:.3f} [" in said
    page.button(key="go_deploy").click().run()
    assert page.select_slider(key="sigma").value == f"{sigma:g}"
    assert tiles(page)["ACR"] == f"{best:.3f}"


def test_a_floor_that_nothing_reaches_says_so(open_page):
    assert "No composition" in captions(open_page(nac="100"))


def test_compositions_beside_the_current_one_are_drawn(open_page):
    page = open_page(with_core=synthetic.OTHER_CORE)
    figure = json.loads(specs(page)[0])
    assert len({tuple(t["customdata"][0][1:]) for t in figure["data"] if len(np.shape(t.get("customdata"))) == 2}) == 6


def test_only_one_noise_level_may_be_drawn(open_page):
    figure = json.loads(specs(open_page(noises="only this σ", with_core=synthetic.OTHER_CORE))[0])
    marks = [t["customdata"] for t in figure["data"] if len(np.shape(t.get("customdata"))) == 2]
    assert {mark[0][2] for mark in marks} == {"0.25"}
    assert len(marks) == 2


def test_certified_accuracy_may_stand_against_natural_accuracy(open_page):
    page = open_page(measure="certified accuracy at r")
    title = json.loads(specs(page)[0])["layout"]["yaxis"]["title"]["text"]
    assert title == "certified accuracy at r 0.25 [%]"


def test_a_typed_alpha_lies_between_the_stops(open_page):
    page = open_page()
    turn(page, "alpha", 0.003).run()
    assert "α 0.003" in captions(page)
    assert "α 0.07," in captions(open_page(alpha="0.07"))


def test_the_table_of_the_paper_stands_under_the_curves(open_page):
    page = open_page(CERTIFIED, theta="0.3", fan="0.5")
    table = page.dataframe[0].value.set_index("")
    m = evaluate(compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES)), [0.3, 0.5])
    assert table.index.tolist() == ["θ 0.300", "θ 0.500", "smoothed alone", "core alone"]
    assert table.loc["θ 0.500", "ACR"] == m.acr[1]
    assert table.loc["θ 0.300"].iloc[2:].tolist() == m.certified_accuracy[0].tolist()


def test_the_selection_page_states_each_area_with_its_interval(open_page):
    table = open_page(SELECTION).dataframe[0].value
    assert table["composition"].tolist() == ["σ 0.25", "σ 0.5", "σ 1"]
    assert ((table["low"] <= table["area"]) & (table["area"] <= table["high"])).all()


def test_a_selection_network_replaces_the_entropy(open_page, demo):
    run = synthetic.selection(0.25, IMAGES)
    write_run(run, demo / f"{run.meta.name}.npz")
    page = open_page(theta="0.3", select=run.meta.name)
    m = evaluate(compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES), run), [0.3])
    assert tiles(page)["ACR"] == f"{m.acr[0]:.3f}"
    assert run.meta.name in captions(page)


def test_comparing_asks_for_a_pin_first(open_page):
    page = open_page(COMPARE, theta="0.3")
    page.button(key="pin_first").click().run()
    assert page.text_input(key="pin").value == "gaussian~0.25~fashion_mnist-core~entropy~0.300"
    assert tiles(page)["NAC, B − A"] == "+0.0 points"


def test_what_changed_against_the_pin_is_paired(open_page):
    page = open_page(COMPARE, theta="0.3", pin=A_PIN)
    found = {s: evaluate(compose(synthetic.smoothed(s, IMAGES), synthetic.core(IMAGES)), [0.3]) for s in (0.25, 0.5)}
    assert tiles(page)["ACR, B − A"] == f"{found[0.25].acr[0] - found[0.5].acr[0]:+.3f}"
    assert page.dataframe[0].value.iloc[:, 1:].to_numpy().sum() == IMAGES


def test_every_tile_shows_the_difference_to_the_pin(open_page):
    page = open_page(theta="0.3", pin=A_PIN)
    assert {metric.proto.delta_description[:3] for metric in page.metric} <= {"Δ +", "Δ -"}
    page.button(key="unpin").click().run()
    assert {metric.proto.delta_description for metric in page.metric} == {"n 40"}


@pytest.mark.parametrize("measure", ["ACR", "certified accuracy at r"])
def test_the_pin_is_marked_among_the_fronts(measure, open_page):
    page = open_page(theta="0.3", pin=A_PIN, measure=measure)
    a = evaluate(compose(synthetic.smoothed(0.5, IMAGES), synthetic.core(IMAGES)), [0.3], radii=(0.25,))
    robustness = a.acr[0] if measure == "ACR" else a.certified_accuracy[0, 0]
    (mark,) = [trace for trace in json.loads(specs(page)[0])["data"] if trace.get("name") == "pinned"]
    assert (mark["x"], mark["y"]) == ([pytest.approx(a.nac[0])], [pytest.approx(robustness)])


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE])
def test_every_page_opens_on_an_empty_catalog(path, open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DEMO", str(tmp_path / "nothing"))
    assert "python -m engine" in open_page(path).code[0].value


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE])
def test_runs_without_common_images_are_named_on_every_page(path, open_page, demo):
    core_of_other_images_alone(demo)
    page = open_page(path, pin=A_PIN)
    assert any("share no images" in error.value for error in page.error)


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE, "runs"])
def test_a_run_that_is_deleted_while_it_is_shown_leaves_a_page_of_the_others(path, open_page, demo):
    page = open_page(path, sigma="0.5", pin=A_PIN)
    (demo / "fashion_mnist-gaussian-0.5.npz").unlink()
    data.look_again()
    page.run()
    assert not page.exception
    assert page.select_slider(key="sigma").options == ["0.25", "1"]
    assert "pinned view of this address is not in this catalog" in captions(page)


def test_what_a_run_does_not_record_is_missing_and_not_0(open_page, demo):
    run = synthetic.smoothed(0.25, IMAGES)
    write_run(replace(run, entropy_median=np.full(IMAGES, np.nan, np.float32)), demo / f"{run.meta.name}.npz")
    table = open_page(IMAGES_PAGE).dataframe[0]
    assert table.value["score"].isna().all()
    assert table.proto.placeholder == "missing"
    assert "This run records no scores" in specs(open_page(SELECTION))[0]


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE, "runs"])
def test_no_page_calls_a_missing_number_by_a_programmers_name(open_page, demo, path):
    run = synthetic.smoothed(0.25, IMAGES)
    write_run(replace(run, entropy_median=np.full(IMAGES, np.nan, np.float32)), demo / f"{run.meta.name}.npz")
    query = {"sigma": "0.25", "radius": "3.9", "pin": A_PIN} | ({"image": "40"} if path == IMAGES_PAGE else {})
    text = said(open_page(path, **query))
    assert not re.search(r"\b(nan|None|inf)\b", re.sub(r"\"(bdata|uid)\": \"[^\"]*\"", "", text))


@pytest.mark.parametrize(("r", "drawn"), [("0.25", True), ("0.3", False)])
def test_the_papers_tables_are_on_certified_accuracy_fronts_or_missed_aloud(open_page, r, drawn):
    label = "ImageNet, Consistency, σ 0.5"
    page = open_page(measure="certified accuracy at r", radius=r, paper=label)
    assert ("paper: ImageNet, Consistency" in specs(page)[0]) == drawn
    assert ("print no certified accuracy at r 0.3" in captions(page)) == (not drawn)


def test_different_images_wear_a_badge(open_page, demo):
    run = synthetic.smoothed(1.0, IMAGES // 2)
    label = synthetic.labels(IMAGES)[: IMAGES // 2]
    write_run(replace(run, label=label), demo / "fashion_mnist-gaussian-1.0.npz")
    assert "rest on different images" in captions(open_page())


def test_the_catalog_is_listed_on_the_runs_page_also_when_it_is_empty(open_page, tmp_path, monkeypatch):
    listed = open_page("runs").dataframe[0].value
    assert set(listed["kind"]) == {"smoothed", "core"}
    assert len(listed) == 5
    monkeypatch.setenv("ACES_DEMO", str(tmp_path / "nothing"))
    empty = open_page("runs")
    assert "Nothing yet" in empty.info[0].value
    assert "checkpoint:" in empty.code[0].value


def test_a_precompute_that_was_started_elsewhere_is_shown(open_page, tmp_path, monkeypatch):
    code = 'print(\'{"event": "run", "images": 4, "meta": {"name": "net"}}\')'
    monkeypatch.setattr(precompute, "command_for", lambda store, config, n: [sys.executable, "-c", code])
    id = precompute.start(tmp_path / "store", Path("a.yaml"))
    page = open_page("runs")
    assert any("a.yaml" in markdown.value for markdown in page.markdown)
    running = precompute.State.RUNNING
    wait_until(lambda: precompute.every(tmp_path / "store")[0].state is not running, "the precompute's end")
    page.run()
    page.button(key=f"dismiss-{id}").click().run()
    assert not any("a.yaml" in markdown.value for markdown in page.markdown)


def test_looking_loads_no_torch(demo):
    code = (
        "import sys; from streamlit.testing.v1 import AppTest; "
        f"page = AppTest.from_file({str(MAIN)!r}, default_timeout=60).run(); "
        "assert len([1 for one in page.get('bidi_component') if one.proto.component_name == 'aces_figure']) == 2; "
        "print([name for name in ('torch', 'torchvision', 'statsmodels', 'scipy.stats') if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(MAIN.parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.strip().replace("'", '"')) == []


def test_pictures_that_do_not_ship_come_from_the_datasets_files(open_page, demo, tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_CACHE", str(tmp_path / "store"))
    monkeypatch.setenv("ACES_DATA", str(tmp_path / "data"))
    renamed = {}
    for run in (synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES)):
        renamed[run.meta.kind] = replace(
            run, meta=replace(run.meta, name=f"photographs-{run.meta.kind}", dataset="cifar10")
        )
    with Store(tmp_path / "store") as store:
        for run in renamed.values():
            store.put(run)
    page = open_page(IMAGES_PAGE, dataset="cifar10")
    assert "picture" not in page.dataframe[0].value
    write_photographs(tmp_path / "data" / "cifar10" / "test.parquet", renamed["core"])
    page = open_page(IMAGES_PAGE, dataset="cifar10")
    assert page.dataframe[0].value["picture"].str.startswith("data:image/png").all()


def write_photographs(path: Path, run: CoreRun) -> None:
    """A split of grey 32 x 32 pictures with the labels of the run at its indices."""
    label = np.zeros(run.index[-1] + 1, np.int64)
    label[run.index] = run.label
    out = BytesIO()
    Image.new("RGB", (32, 32), "grey").save(out, "PNG")
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"image": [out.getvalue()] * len(label), "label": label}), path)
