"""Figures and tiles follow a thumb that is held, and nothing jumps when the server answers."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from app import keys
from tests.browser.test_dials import settle

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

FRONT, THETA, RADIUS, SELECTED = "figure_front", "figure_theta", "figure_radius", "figure_selected"
ENTROPIES, SIGNED, RECEIVER = keys.ENTROPIES, keys.SIGNED, "figure_receiver"
PAGES = {"": (FRONT, THETA), "certified-accuracy": (RADIUS, SELECTED), "selection": (ENTROPIES, SIGNED, RECEIVER)}
MOVED = [  # what a dial moves
    ("", "theta", (FRONT, THETA)),
    ("", "votes", (FRONT, THETA)),
    ("", "alpha", (FRONT, THETA)),
    ("", "radius", (THETA,)),
    ("?measure=certified+accuracy+at+r", "radius", (FRONT, THETA)),
    ("certified-accuracy", "theta", (RADIUS, SELECTED)),
    ("images", "theta", (keys.MAP,)),
    ("images", "votes", (keys.MAP,)),
    ("images?image=40", "theta", ("figure_share", "figure_bounds")),
    ("images?image=180", "votes", ("figure_share", "figure_bounds")),
    ("images?image=180", "alpha", ("figure_bounds",)),
    ("bounds", "alpha", ("figure_steps",)),
    ("selection", "theta", (ENTROPIES, SIGNED, RECEIVER)),
    ("selection", "votes", (SIGNED, RECEIVER)),
    ("selection", "radius", (ENTROPIES, RECEIVER)),
]
AT_REST = "() => window.live?.said && !window.live.frame && !window.live.resting"
OPACITY = "node => Number(getComputedStyle(node).opacity)"
COUNT_RUNS = """() => {
  const app = document.querySelector("[data-testid=stApp]");
  window.runs = 0;
  new MutationObserver(() => (window.runs += app.dataset.testScriptState === "running")).observe(
    app, {attributeFilter: ["data-test-script-state"]});
}"""


@pytest.fixture
def open_page(new_tab, server):
    def opened(address: str) -> Page:
        page = new_tab()
        page.set_viewport_size({"width": 1400, "height": 1300})
        page.goto(f"{server}/{address}", wait_until="domcontentloaded")
        settle(page)
        page.wait_for_function(AT_REST)
        page.evaluate(COUNT_RUNS)
        return page

    return opened


def hold(page: Page, dial: str, by: int) -> None:
    """Press the thumb and drag it so many pixels; it is held still."""
    slider = page.locator(f".st-key-{dial} input[type=range]")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    share = slider.evaluate("node => (node.value - node.min) / (node.max - node.min)")
    x, y = box["x"] + 8 + share * (box["width"] - 16), box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by, y, steps=5)


def picture(page: Page, figure: str) -> np.ndarray:
    data = page.locator(f".st-key-{figure} .js-plotly-plot").screenshot()
    return np.asarray(Image.open(BytesIO(data)).convert("L"), int)


def await_moved(page: Page, figure: str, before: np.ndarray) -> None:
    """Wait until a figure has another picture: its packs may be on their way."""
    for _ in range(60):
        page.wait_for_timeout(250)
        if not np.array_equal(picture(page, figure), before):
            return page.wait_for_function(AT_REST)
    raise AssertionError(f"{figure} did not move")


def is_unlike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether more than some specks differ, of which a line that is set a fraction of a pixel elsewhere is none."""
    return a.shape != b.shape or max(_strange(a, b), _strange(b, a)) > 0.0004


def _strange(a: np.ndarray, b: np.ndarray) -> float:
    """The share of the pixels of ``a`` that are like none in their place and beside it in ``b``."""
    padded = np.pad(b, 1, mode="edge")
    beside = np.stack([padded[i : i + b.shape[0], j : j + b.shape[1]] for i in range(3) for j in range(3)])
    return float(((a > beside.max(0) + 60) | (a < beside.min(0) - 60)).mean())


def tiles(page: Page) -> list[str]:
    return page.locator("[data-testid=stMetric], .rates tr, .st-key-image_headline").all_inner_texts()


@pytest.mark.parametrize(("address", "dial", "moved"), MOVED)
def test_figures_follow_the_thumb_and_stay_when_the_server_answers(open_page, address, dial, moved):
    page = open_page(address)
    before, tiles_before = {figure: picture(page, figure) for figure in moved}, tiles(page)
    hold(page, dial, 40 if dial == "alpha" and address != "bounds" else 24)  # waterfalls are of levels nearby
    if address == "bounds":  # until its pack is there it has faded, and moved in this sense alone
        page.wait_for_function("() => document.body.dataset.follows === 'steps'")
    for figure in moved:
        await_moved(page, figure, before[figure])
    page.wait_for_timeout(400)
    page.wait_for_function(AT_REST)
    held, tiles_held = {figure: picture(page, figure) for figure in moved}, tiles(page)
    assert page.evaluate("window.runs") == 0  # all of it without the server
    waiting = page.locator(".st-key-deploy [data-testid=stMarkdown] >> nth=0")
    assert not waiting.count() or (waiting.evaluate(OPACITY) < 0.5) == (dial != "theta")
    page.mouse.up()
    settle(page)
    assert page.evaluate("window.runs") == 1
    for figure in moved:
        now = picture(page, figure)
        assert not is_unlike(now, held[figure]), figure
    assert not waiting.count() or waiting.evaluate(OPACITY) == 1
    assert tiles(page) == tiles_held
    if tiles_before:
        assert tiles_held != tiles_before


@pytest.mark.parametrize(
    ("address", "fades", "stays"),
    [
        ("paper?preset=Figure+1", ("alpha", "votes"), ("theta", "radius")),
        ("paper?preset=Figure+3", ("alpha", "radius"), ("theta", "votes")),
        ("paper?preset=Table+1", ("alpha", "votes"), ("theta", "radius")),
        ("bounds", ("alpha",), ("theta", "votes")),
    ],
)
def test_what_waits_for_the_server_fades_while_a_dial_of_its_own_is_turned(new_tab, server, address, fades, stays):
    page = new_tab()
    page.goto(f"{server}/{address}", wait_until="domcontentloaded")
    waiting = page.locator("[class*=st-key-waits_]").first
    waiting.wait_for()
    page.wait_for_function("() => window.live?.said && 'theta' in window.live.said.at")
    for dial in (*fades, *stays):
        drag = "(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }"
        slider = page.locator(f".st-key-{dial} input[type=range]")
        was = slider.input_value()
        slider.evaluate(drag, slider.evaluate("node => Number(node.min) + 0.8 * (node.max - node.min)"))
        page.wait_for_function(f"() => document.body.dataset.waits === '{dial}'")
        assert (waiting.evaluate(OPACITY) < 0.5) == (dial in fades), dial
        slider.evaluate(drag, was)
        page.wait_for_function("() => document.body.dataset.waits === ''")


def test_a_thumb_that_comes_back_leaves_everything_as_it_was(open_page):
    page = open_page("?theta=0.3&votes=0.4")
    before, said = {figure: picture(page, figure) for figure in (FRONT, THETA)}, tiles(page)
    for dial, there, back in (("theta", 0.42, 0.3), ("votes", 0.7, 0.4)):
        drag = "(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }"
        slider = page.locator(f".st-key-{dial} input[type=range]")
        slider.evaluate(drag, there)
        await_moved(page, FRONT, before[FRONT])
        slider.evaluate(drag, back)
        page.wait_for_timeout(300)
        page.wait_for_function(AT_REST)
        assert tiles(page) == said
        for figure, picture_before in before.items():
            assert not is_unlike(picture(page, figure), picture_before), (dial, figure)
    assert page.evaluate("window.runs") == 0


def test_a_burst_of_keys_ends_where_the_server_does(open_page):
    page = open_page("?theta=0.3")
    slider = page.locator(".st-key-theta input[type=range]")
    for _ in range(25):
        slider.press("ArrowRight")
    settle(page)
    page.wait_for_function(AT_REST)
    shown, said = picture(page, FRONT), tiles(page)
    page.reload(wait_until="domcontentloaded")
    settle(page)
    assert page.locator(".st-key-theta_box input").input_value() == "0.325"
    assert tiles(page) == said
    assert not is_unlike(picture(page, FRONT), shown)


def test_without_what_unpacks_them_the_page_is_as_it_was(new_tab, server):
    page = new_tab()
    page.set_viewport_size({"width": 1400, "height": 1300})
    page.add_init_script("delete window.DecompressionStream")
    said = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{server}/?theta=0.3", wait_until="domcontentloaded")
    settle(page)
    before = tiles(page)
    hold(page, "theta", 24)
    page.wait_for_timeout(1500)
    assert tiles(page) == before
    page.mouse.up()
    settle(page)
    assert tiles(page) != before
    assert said == []


@pytest.mark.parametrize(
    ("address", "moved"),
    [("", (THETA,)), ("certified-accuracy", (RADIUS, SELECTED)), ("selection", (ENTROPIES, SIGNED))],
)
def test_figures_follow_the_noise_as_it_glides(open_page, address, moved):
    page = open_page(address)
    before, tiles_before = {figure: picture(page, figure) for figure in moved}, tiles(page)
    thumb = page.locator(".st-key-sigma [role=slider], .st-key-sigma input[type=range]").first
    value = page.locator(".st-key-sigma [data-testid=stSliderThumbValue]")
    was, box = value.inner_text(), value.bounding_box()
    track = page.locator(".st-key-sigma").bounding_box()
    assert thumb.count()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] + 8
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 0.3 * track["width"], y, steps=4)
    page.mouse.move(x + 0.5 * track["width"], y, steps=4)
    assert value.inner_text() != was
    for figure in moved:
        await_moved(page, figure, before[figure])
    page.wait_for_function(AT_REST)
    tiles_held = tiles(page)
    assert page.evaluate("window.runs") == 0
    page.mouse.up()
    settle(page)
    assert page.evaluate("window.runs") == 1
    assert tiles(page) == tiles_held
    if tiles_before:
        assert tiles_held != tiles_before
