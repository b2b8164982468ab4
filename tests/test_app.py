"""The pages, driven without a browser, on small synthetic runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from engine.compose import compose
from engine.metrics import evaluate
from engine.runs import write_run
from tests import synthetic

MAIN = Path(__file__).resolve().parents[1] / "app" / "main.py"
IMAGES = 40
FRONT, RADIUS, THETA, ENTROPY = range(4)


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo folder of its own, which the page looks into."""
    folder = synthetic.write_demo(tmp_path / "demo", IMAGES)
    monkeypatch.setenv("ACES_DEMO", str(folder))
    return folder


@pytest.fixture
def open_page(demo: Path) -> Callable[..., AppTest]:
    def opened(**query: str) -> AppTest:
        page = AppTest.from_file(MAIN, default_timeout=60)
        for key, value in query.items():
            page.query_params[key] = value
        page.run()
        assert not page.exception
        return page

    return opened


def specs(page: AppTest) -> list[str]:
    return [chart.proto.spec for chart in page.get("plotly_chart")]


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


def test_opens_with_four_figures_and_five_tiles_that_are_the_engines_numbers(open_page):
    page = open_page(theta="0.3")
    c = compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES))
    m = evaluate(c, [0.3], radii=(0.25,))
    assert len(specs(page)) == 4
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


@pytest.mark.parametrize(
    ("move", "redrawn"),
    [
        (lambda page: page.slider(key="theta").set_value(0.123), {FRONT, RADIUS, THETA, ENTROPY}),
        (lambda page: page.number_input(key="theta_box").set_value(0.123), {FRONT, RADIUS, THETA, ENTROPY}),
        (lambda page: page.select_slider(key="sigma").set_value("1"), {FRONT, RADIUS, THETA, ENTROPY}),
        (lambda page: page.slider(key="radius").set_value(0.4), {RADIUS, THETA, ENTROPY}),
        (lambda page: page.select_slider(key="alpha").set_value(0.1), {FRONT, RADIUS, THETA}),
        (lambda page: page.selectbox(key="correction").set_value("simultaneous"), {FRONT, RADIUS, THETA}),
        (lambda page: page.selectbox(key="core").set_value(synthetic.OTHER_CORE), {FRONT, THETA}),
    ],
    ids=["theta", "theta_box", "sigma", "radius", "alpha", "correction", "core"],
)
def test_a_control_redraws_the_figures_that_depend_on_it(open_page, move, redrawn):
    page = open_page(theta="0.3")
    before = specs(page)
    move(page).run()
    changed = {i for i, (old, new) in enumerate(zip(before, specs(page), strict=True)) if old != new}
    assert changed >= redrawn
    if FRONT not in redrawn:
        assert FRONT not in changed


def test_an_untouched_page_sends_identical_figures(open_page):
    page = open_page(theta="0.3")
    before = specs(page)
    assert specs(page.run()) == before


def test_slider_and_box_show_one_theta(open_page):
    page = open_page(theta="0.3")
    assert page.number_input(key="theta_box").value == 0.3
    page.number_input(key="theta_box").set_value(0.7).run()
    assert page.slider(key="theta").value == 0.7
    page.slider(key="theta").set_value(0.6).run()
    assert page.number_input(key="theta_box").value == 0.6


def test_every_control_is_read_from_the_url(open_page):
    page = open_page(
        theta="0.42", sigma="0.5", alpha="0.01", radius="0.5", correction="bonferroni", core=synthetic.OTHER_CORE
    )
    said = captions(page)
    assert page.slider(key="theta").value == 0.42
    assert "Certified, r 0.5" in tiles(page)
    for fact in ("σ 0.5", "α 0.01, bonferroni", f"fashion_mnist-gaussian-0.5 with {synthetic.OTHER_CORE}"):
        assert fact in said


def test_a_mangled_url_falls_back_to_the_defaults(open_page):
    mangled = open_page(theta="9", sigma="x", alpha="2", radius="-1", correction="no", core="?", dataset="", image="x")
    assert specs(mangled) == specs(open_page())
    assert not mangled.error


def test_each_correction_says_what_it_promises(open_page):
    page = open_page()
    for correction in ("bonferroni", "intersection-union", "simultaneous"):
        page.selectbox(key="correction").set_value(correction).run()
        promise = page.sidebar.caption[0].value
        assert ("after looking" in promise) == (correction == "simultaneous")
        assert ("for all θ at once" in captions(page)) == (correction == "simultaneous")


def test_another_noise_than_the_trainings_wears_a_badge(open_page, demo):
    write_run(synthetic.smoothed(0.5, IMAGES, sigma_train=0.25), demo / "fashion_mnist-gaussian-0.5.npz")
    assert "differs from the training noise 0.25" in captions(open_page(sigma="0.5, trained at 0.25"))
    assert "differs" not in captions(open_page())


def test_one_noise_level_is_enough(open_page, demo):
    for sigma in (0.5, 1.0):
        (demo / f"{synthetic.certify_name(sigma)}.npz").unlink()
    assert len(specs(open_page())) == 4


def test_an_empty_shelf_names_the_commands_that_fill_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DEMO", str(tmp_path / "nothing"))
    page = AppTest.from_file(MAIN, default_timeout=60).run()
    assert not page.exception
    assert "python -m engine precompute" in page.code[0].value
    assert not specs(page)


def test_a_file_that_is_no_run_is_named_and_the_rest_lives_on(open_page, demo):
    (demo / "fashion_mnist-gaussian-1.0.npz").write_bytes(b"no npz")
    page = open_page()
    assert "fashion_mnist-gaussian-1.0.npz" in page.error[0].value
    assert len(specs(page)) == 4


def test_a_damaged_noise_level_is_left_out_of_the_fronts(open_page, demo):
    damage(demo, "fashion_mnist-gaussian-1.0")
    page = open_page()
    assert [error.value.startswith("σ 1 is not drawn: ") for error in page.error] == [True]
    assert len(specs(page)) == 4
    assert "σ 1" not in specs(page)[FRONT].encode().decode("unicode_escape")


def test_a_damaged_choice_leaves_the_other_fronts(open_page, demo):
    damage(demo, "fashion_mnist-gaussian-0.25")
    page = open_page()
    assert len(page.error) == 1
    assert "sums to" in page.error[0].value
    assert len(specs(page)) == 1


def test_components_without_common_images_are_an_error_in_place(open_page, demo):
    stranger = synthetic.core(IMAGES)
    write_run(replace(stranger, index=stranger.index + 1), demo / f"{synthetic.CORE}.npz")
    page = open_page()
    assert "share no images" in page.error[0].value
    assert len(specs(page)) == 1


def test_the_table_lists_certifys_answers_with_pictures(open_page):
    table = open_page(theta="0.3").dataframe[0].value
    assert len(table) == IMAGES
    assert table["index"].tolist() == list(range(0, 20 * IMAGES, 20))
    assert table["picture"].str.startswith("data:image/png;base64,").all()
    assert (table["radius"] > 0).equals(table["outcome"] == "certified")
    assert (table["answer is"] == "right").equals(table["label"] == table["answer"])


@pytest.mark.parametrize(
    ("query", "column", "allowed"),
    [
        ({"outcome": "certified"}, "outcome", {"certified"}),
        ({"answer": "wrong"}, "answer is", {"wrong"}),
        ({"class": "bag"}, "label", {"bag"}),
    ],
)
def test_filters_stand_in_the_url_and_shorten_the_table(open_page, query, column, allowed):
    page = open_page(theta="0.3", **query)
    table = page.dataframe[0].value
    assert 0 < len(table) < IMAGES
    assert set(table[column]) == allowed
    assert f"{len(table)} of 40 images" in captions(page)


def test_filters_that_let_nothing_through_say_so(open_page):
    page = open_page(theta="0", outcome="certified")
    assert not page.dataframe
    assert "No image passes" in page.info[0].value


def test_an_image_opens_with_its_figures_bounds_and_formulas(open_page):
    page = open_page(theta="0.3", image="40")
    assert len(specs(page)) == 6
    assert {"p_S", "p_A", "Radius of selection", "Radius of class"} <= set(tiles(page))
    assert "LCB" in page.latex[1].value
    assert any(markdown.value.startswith("**Bound the class.**") for markdown in page.markdown)


def test_an_image_that_is_not_there_is_an_error_in_place(open_page):
    page = open_page(image="41")
    assert ["image 41 is not among" in error.value for error in page.error] == [True]
    assert len(specs(page)) == 4


def test_pictures_may_be_missing(open_page, demo):
    (demo / "fashion_mnist_images.npz").unlink()
    page = open_page(image="40")
    assert not page.error
    assert page.dataframe[0].value["picture"].isna().all()


def test_damaged_pictures_are_named_and_missed(open_page, demo):
    np.savez(demo / "fashion_mnist_images.npz", index=np.arange(3))
    page = open_page(image="40")
    assert ["no readable image file" in error.value for error in page.error] == [True]
    assert len(specs(page)) == 6


def test_looking_loads_no_torch(demo):
    code = (
        "import sys; from streamlit.testing.v1 import AppTest; "
        f"page = AppTest.from_file({str(MAIN)!r}, default_timeout=60).run(); "
        "assert len(page.get('plotly_chart')) == 4; "
        "print([name for name in ('torch', 'torchvision', 'statsmodels', 'scipy.stats') if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(MAIN.parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.strip().replace("'", '"')) == []
