from __future__ import annotations

import json

import numpy as np
import pytest

from engine.records.compose import compose
from engine.statistics.metrics import evaluate
from tests import synthetic
from tests.app_pages import A_PIN, IMAGES, captions, damage, other_copy, shown, specs, tiles


def test_opens_with_two_figures_and_five_tiles_that_are_the_engines_numbers(open_page):
    page = open_page(theta="0.3")
    c = compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES))
    m = evaluate(c, [0.3], radii=(0.25,), bound="margin")
    assert len(specs(page)) == 2
    assert tiles(page) == {
        "NAC": f"{m.nac[0]:.1f} %",
        "ACR": f"{m.acr[0]:.3f}",
        "Certified, r 0.25": f"{m.certified_accuracy[0, 0]:.1f} %",
        "Selected, r 0.25": f"{m.certified_selection[0, 0]:.1f} %",
        "Abstained": f"{m.outcomes[0, 0]:.1f} %",
    }
    assert not page.error


def test_one_noise_level_is_enough(open_page, demo):
    for sigma in (0.5, 1.0):
        (demo / f"{synthetic.certify_name(sigma)}.npz").unlink()
    assert len(specs(open_page())) == 2


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


def test_certification_networks_of_another_copy_are_left_out_of_the_fronts_and_counted(open_page, demo):
    other_copy(demo, certify=0.5)
    page = open_page()
    assert not page.error
    assert "1 of 3 compositions are not drawn: their runs were evaluated on other images" in captions(page)
    elsewhere = open_page(sigma="0.5")
    assert any("number the dataset differently" in error.value for error in elsewhere.error)


def test_the_box_says_what_to_deploy_and_its_button_goes_there(open_page):
    page = open_page(theta="0.3", nac="70")
    curves = {
        sigma: evaluate(
            compose(synthetic.smoothed(sigma, IMAGES), synthetic.core(IMAGES)), synthetic.THETAS, bound="margin"
        )
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


@pytest.mark.parametrize("measure", ["ACR", "certified accuracy at r"])
def test_the_pin_is_marked_among_the_fronts(measure, open_page):
    page = open_page(theta="0.3", pin=A_PIN, measure=measure)
    a = evaluate(compose(synthetic.smoothed(0.5, IMAGES), synthetic.core(IMAGES)), [0.3], radii=(0.25,), bound="margin")
    robustness = a.acr[0] if measure == "ACR" else a.certified_accuracy[0, 0]
    (mark,) = [trace for trace in json.loads(specs(page)[0])["data"] if trace.get("name") == "pinned"]
    assert (mark["x"], mark["y"]) == ([pytest.approx(a.nac[0])], [pytest.approx(robustness)])


def test_best_t_is_deployed_and_its_button_sets_both(open_page):
    plain, page = open_page(theta="0.3", nac="90"), open_page(theta="0.3", nac="90", best_t="true")
    assert not page.error
    assert tiles(page) == tiles(plain)
    said = next(markdown.value for markdown in page.markdown if "NAC" in markdown.value)
    page.button(key="go_deploy").click().run()
    assert f"ACR {tiles(page)['ACR']} [" in said
    assert ", t " in said
    assert f", t {shown(page, 'votes'):.2f}**" in said
