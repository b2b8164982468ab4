from __future__ import annotations

from engine.records.compose import compose
from engine.statistics.metrics import evaluate
from tests import synthetic
from tests.app_pages import A_PIN, COMPARE, IMAGES, tiles


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
    assert page.dataframe[0].value.iloc[:, 1:].to_numpy().sum() == IMAGES


def test_every_tile_shows_the_difference_to_the_pin(open_page):
    page = open_page(theta="0.3", pin=A_PIN)
    assert {metric.proto.delta_description[:3] for metric in page.metric} <= {"Δ +", "Δ -"}
    page.button(key="unpin").click().run()
    assert {metric.proto.delta_description for metric in page.metric} == {"n 40"}
