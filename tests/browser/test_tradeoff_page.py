"""The Trade-off page as a reader meets it: in Chromium, by keyboard and mouse."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlparse

import pytest

from engine.figures import DARK, LIGHT
from tests.browser.acts import choose

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

FRONT, THETA = FIGURES = ("figure_front", "figure_theta")

DOUBLE_CLICK = 400  # ms: of two clicks within 300 the second is no click to plotly, wherever it is

# A figure as text: its traces, shapes, notes and title, with typed arrays spelt out.
DRAWN = """key => {
  const plot = document.querySelector(`.st-key-${key} .js-plotly-plot`);
  if (!plot || !plot.layout) return null;
  const {shapes, annotations, title} = plot.layout;
  return JSON.stringify([plot.data, shapes, annotations, title],
    (k, v) => ArrayBuffer.isView(v) ? Array.from(v) : k === "selectedpoints" ? undefined : v);
}"""

# Where on the screen a mark of a front lies, and the thetas of the marks that lie there.
WHERE = """([key, label, fromEnd]) => {
  const plot = document.querySelector(`.st-key-${key} .js-plotly-plot`);
  const trace = plot._fullData.find(t => t.customdata && t.customdata[0].length === 5 && t.customdata[0][2] === label);
  const {xaxis, yaxis} = plot._fullLayout, {left, top} = plot.getBoundingClientRect();
  const at = Array.from(trace.x, (x, i) => [
    left + xaxis._offset + xaxis.c2p(x), top + yaxis._offset + yaxis.c2p(trace.y[i])]);
  const [x, y] = at[at.length - fromEnd];
  return [x, y, trace.customdata.filter((_, i) => Math.hypot(at[i][0] - x, at[i][1] - y) < 6).map(d => d[0])];
}"""

# Where on the screen the first hollow mark of the paper lies; the one to deploy has no line.
PAPER_MARK = """key => {
  const plot = document.querySelector(`.st-key-${key} .js-plotly-plot`);
  const trace = plot._fullData.find(t => t.mode !== "markers" && t.marker && String(t.marker.symbol).endsWith("-open"));
  const {xaxis, yaxis} = plot._fullLayout, {left, top} = plot.getBoundingClientRect();
  return [left + xaxis._offset + xaxis.c2p(trace.x[0]), top + yaxis._offset + yaxis.c2p(trace.y[0])];
}"""


@pytest.fixture
def open_page(server: str, new_tab: Callable[[], Page]) -> Callable[..., Page]:
    """Opens the dashboard in a tab of its own and waits for its two figures."""

    def opened(query: str = "", width: int = 1280, height: int = 800, color_scheme: str = "light") -> Page:
        page = new_tab()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=color_scheme)
        page.goto(f"{server}/{query}")
        settle(page)
        return page

    return opened


def settle(page: Page) -> None:
    """Wait until the script has run and every figure is drawn."""
    for key in FIGURES:
        page.wait_for_selector(f".st-key-{key} .js-plotly-plot .main-svg", timeout=60_000)
    page.wait_for_selector("[data-testid=stMetric] >> nth=4")
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_selector("[data-stale=true]", state="detached")


def drawn(page: Page) -> dict[str, str]:
    return {key: page.evaluate(DRAWN, key) for key in FIGURES}


def await_change(page: Page, key: str, before: str) -> None:
    page.wait_for_function(
        f"([key, before]) => {{ const now = ({DRAWN})(key); return now && now !== before }}", arg=[key, before]
    )


def press(page: Page, slider: str, key: str = "ArrowRight") -> None:
    page.locator(f".st-key-{slider} input[type=range]").press(key)


def query(page: Page) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlparse(page.url).query).items()}


def tile(page: Page, label: str) -> str:
    return page.locator("[data-testid=stMetric]").filter(has_text=label).inner_text()


def click_mark(page: Page, label: str, from_end: int) -> list[float]:
    """Click a mark of a front; returns the thetas that this may set, as marks lie close together."""
    page.wait_for_timeout(DOUBLE_CLICK)
    x, y, thetas = page.evaluate(WHERE, [FRONT, label, from_end])
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    return thetas


def test_opens_with_two_figures_and_five_tiles_above_the_fold(open_page):
    page = open_page()
    assert page.locator("[data-testid=stMetric]").count() == 5
    for key in FIGURES:
        box = page.locator(f".st-key-{key} .js-plotly-plot").bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 800


@pytest.mark.parametrize(
    ("slider", "redrawn"),
    [
        ("theta", FIGURES),
        ("sigma", FIGURES),
        ("alpha", FIGURES),
        ("radius", (THETA,)),
    ],
)
def test_a_slider_redraws_the_figures_that_depend_on_it(open_page, slider, redrawn):
    page = open_page("?theta=0.3")
    before = drawn(page)
    press(page, slider)
    for key in redrawn:
        await_change(page, key, before[key])
    assert slider in query(page)


def test_the_radius_leaves_the_front_as_it_is(open_page):
    page = open_page()
    before = drawn(page)
    press(page, "radius")
    await_change(page, THETA, before[THETA])
    settle(page)
    assert drawn(page)[FRONT] == before[FRONT]


@pytest.mark.parametrize(("box", "option"), [("core", "fashion_mnist-other-core"), ("correction", "simultaneous")])
def test_a_choice_redraws_the_figures_that_depend_on_it(open_page, box, option):
    page = open_page("?theta=0.3")
    before = drawn(page)
    choose(page, box, option)
    for key in (FRONT, THETA):
        await_change(page, key, before[key])
    assert query(page)[box] == option


def test_slider_and_number_box_show_one_theta(open_page):
    page = open_page()
    box, slider = page.locator(".st-key-theta_box input"), page.locator(".st-key-theta input[type=range]")
    before = drawn(page)
    box.fill("0.123")
    box.press("Enter")
    for key in FIGURES:
        await_change(page, key, before[key])
    settle(page)
    assert float(slider.input_value()) == pytest.approx(0.123)
    press(page, "theta")
    settle(page)
    assert box.input_value() == "0.124"
    assert query(page)["theta"] == "0.124"


def test_zoom_and_hidden_lines_outlive_a_change_of_theta(open_page):
    page = open_page("?theta=0.2")
    shown = f"""() => {{
      const {{_fullLayout, _fullData}} = document.querySelector('.st-key-{THETA} .js-plotly-plot');
      return [_fullLayout.xaxis.range.map(x => x.toFixed(6)), _fullData.map(trace => trace.visible)];
    }}"""
    plot = page.locator(f".st-key-{THETA} .nsewdrag").first.bounding_box()
    page.locator(f".st-key-{THETA} .legendtoggle").first.click()
    page.mouse.move(plot["x"] + 40, plot["y"] + 40)
    page.mouse.down()
    page.mouse.move(plot["x"] + 140, plot["y"] + 120, steps=5)
    page.mouse.up()
    page.wait_for_function(f"({shown})()[1][0] === 'legendonly' && Number(({shown})()[0][0]) > 0")
    before, kept = drawn(page), page.evaluate(shown)
    press(page, "theta")
    for key in FIGURES:
        await_change(page, key, before[key])
    assert page.evaluate(shown) == kept


def test_a_click_on_the_front_sets_theta_again_and_again(open_page):
    page = open_page("?theta=0.2")
    for from_end in (2, 9, 2):
        before = drawn(page)
        thetas = click_mark(page, "0.25", from_end)
        for key in FIGURES:
            await_change(page, key, before[key])
        settle(page)
        assert float(query(page)["theta"]) in thetas


def test_a_click_on_another_front_sets_sigma_too(open_page):
    page = open_page("?theta=0.2")
    before = drawn(page)
    thetas = click_mark(page, "1", 4)
    await_change(page, THETA, before[THETA])
    settle(page)
    assert query(page)["sigma"] == "1"
    assert float(query(page)["theta"]) in thetas


def test_a_click_on_a_mark_of_the_paper_moves_nothing(open_page):
    page = open_page("?theta=0.2&paper=CIFAR-10%2C+Consistency%2C+σ+0.5")
    before = drawn(page)
    x, y = page.evaluate(PAPER_MARK, FRONT)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    settle(page)
    assert page.locator("[data-testid=stException]").count() == 0
    assert drawn(page) == before


def test_a_copied_url_restores_the_state(open_page):
    address = "?theta=0.42&sigma=0.5&alpha=0.01&radius=0.5&correction=bonferroni&core=fashion_mnist-other-core&nac=80"
    first = open_page(address)
    before = drawn(first)
    press(first, "theta")
    await_change(first, FRONT, before[FRONT])
    settle(first)
    second = open_page("?" + urlparse(first.url).query)
    assert query(second) == query(first) | {"theta": "0.421"}
    assert drawn(second) == drawn(first)
    assert tile(second, "ACR") == tile(first, "ACR")
    assert second.locator(".st-key-nac input").input_value() == "80.0"


def test_a_mangled_url_falls_back_to_the_defaults(open_page):
    page = open_page("?theta=9.9&sigma=7&alpha=2&radius=abc&correction=none&core=nobody&dataset=nope&pin=x")
    assert drawn(page) == drawn(open_page())
    assert page.locator("[data-testid=stAlert]").count() == 0
    assert set(query(page)) <= {"pin"}


@pytest.mark.parametrize(("scheme", "theme"), [("light", LIGHT), ("dark", DARK)])
def test_page_and_figures_follow_the_colour_scheme(open_page, scheme, theme):
    page = open_page(color_scheme=scheme)
    assert page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor") == rgb(theme.paper)
    title = page.locator(f".st-key-{FRONT} .gtitle").first
    assert title.evaluate("node => node.style.fill") == rgb(theme.ink)


def rgb(color: str) -> str:
    return "rgb({}, {}, {})".format(*(int(color[i : i + 2], 16) for i in (1, 3, 5)))


def test_a_phone_scrolls_down_only(open_page):
    page = open_page(width=390, height=844)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390


def test_nothing_is_asked_of_other_machines(open_page, server):
    page = open_page()
    asked = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [address for address in asked if not address.startswith((server, "data:", "blob:"))] == []
