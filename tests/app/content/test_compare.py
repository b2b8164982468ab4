from __future__ import annotations

import pytest

from engine.records.compose import compose
from engine.statistics.metrics import evaluate
from tests import synthetic
from tests.app_pages import A_PIN, COMPARE, IMAGES, captions, damage, tiles


def test_comparing_asks_for_a_pin_first(open_page):
    page = open_page(COMPARE, theta="0.3")
    page.button(key="pin_first").click().run()
    assert page.text_input(key="pin").value == "gaussian~0.25~fashion_mnist-core~entropy~0.300"
    assert tiles(page)["NAC, B − A"] == "+0.0 points"


def test_what_changed_against_the_pin_is_paired(open_page):
    page = open_page(COMPARE, theta="0.3", pin=A_PIN)
    found = {
        s: evaluate(compose(synthetic.smoothed(s, IMAGES), synthetic.core(IMAGES)), [0.3], bound="margin")
        for s in (0.25, 0.5)
    }
    assert tiles(page)["ACR, B − A"] == f"{found[0.25].acr[0] - found[0.5].acr[0]:+.3f}"
    matrix = page.dataframe[-1].value
    assert matrix.iloc[:, 1:].to_numpy().sum() == IMAGES
    assert matrix["A"].to_list()[:2] == ["certified, correct", "certified, wrong"]


def test_every_composition_drawn_stands_beside_a_with_values_and_differences(open_page):
    page = open_page(COMPARE, theta="0.3", pin=A_PIN)
    table = page.dataframe[0].value
    assert table["composition"].to_list() == [
        "A: σ 0.5, θ 0.300", "σ 0.25, θ 0.300", "σ 0.5, θ 0.300", "σ 1, θ 0.300",
    ]  # fmt: skip
    for k, sigma in enumerate(synthetic.SIGMAS):
        c = compose(synthetic.smoothed(sigma, IMAGES), synthetic.core(IMAGES))
        m = evaluate(c, [0.3], radii=(0.25,), bound="margin")
        assert table["NAC %"][k + 1] == pytest.approx(m.nac[0])
        assert table["certified r 0.25 %"][k + 1] == pytest.approx(m.certified_accuracy[0, 0])
        assert table["Δ ACR"][k + 1] == pytest.approx(m.acr[0] - table["ACR"][0])
    assert table["Δ NAC %"][2] == 0


def test_a_composition_that_cannot_be_compared_is_named_and_the_others_stand(open_page, demo):
    damage(demo, synthetic.certify_name(1.0))
    page = open_page(COMPARE, theta="0.3", pin=A_PIN)
    assert len(page.dataframe[0].value) == 3
    assert "σ 1, θ 0.300 is not in the table" in captions(page)


def test_every_tile_shows_the_difference_to_the_pin(open_page):
    page = open_page(theta="0.3", pin=A_PIN)
    assert {metric.proto.delta_description[:3] for metric in page.metric} <= {"Δ +", "Δ -"}
    page.button(key="unpin").click().run()
    assert {metric.proto.delta_description for metric in page.metric} == {"n 40"}
