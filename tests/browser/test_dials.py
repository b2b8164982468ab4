"""Of θ, α and r the value that is pressed, typed or clicked last stands, on a quick server and on a slow one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlparse

import pytest

from tests import synthetic
from tests.browser.conftest import free_port, serve
from tests.browser.test_tradeoff_page import FRONT, WHERE

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser
QUIET = 1_500  # milliseconds without a run: longer than the slow server's pauses, which are within one
SLOW = Path(__file__).with_name("slow_app.py")
# What the slider, the box and the address say; an address without a value means the default.
SHOWN = """([key, fallback]) => [
  Number(document.querySelector(`.st-key-${key}_box input`).value),
  Number(new URLSearchParams(location.search).get(key) ?? fallback),
]"""
DEFAULT = {"theta": 0.3, "alpha": 0.001, "radius": 0.25}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.write_demo(tmp_path_factory.mktemp("dials") / "demo", images=60)


@pytest.fixture(scope="module", params=["quick", "slow"])
def address(request: pytest.FixtureRequest, demo: Path) -> Iterator[str]:
    script = {"script": SLOW} if request.param == "slow" else {}
    with serve(demo.parent, {"ACES_DEMO": str(demo)}, **script) as address:
        yield address


@pytest.fixture
def open_page(address: str, new_tab: Callable[[], Page]) -> Callable[[str], Page]:
    def opened(query: str = "") -> Page:
        page = new_tab()
        page.goto(f"{address}/?{query}")
        settle(page)
        return page

    return opened


def settle(page: Page) -> None:
    """Wait until nothing has run for a while: a burst is answered in several runs."""
    page.wait_for_selector(".js-plotly-plot .main-svg")
    page.evaluate("window.ranAt = performance.now()")
    page.wait_for_function(
        """() => {
      const app = document.querySelector("[data-testid=stApp]"), now = performance.now();
      const {testScriptState, testConnectionState} = app.dataset;
      if (testScriptState !== "notRunning" || testConnectionState !== "CONNECTED") window.ranAt = now;
      return now - window.ranAt > QUIET;
    }""".replace("QUIET", str(QUIET))
    )


def assert_stands(page: Page, key: str, value: float) -> None:
    """Box, address and what the server has computed with say this value, and go on saying it."""
    for _ in range(2):
        assert_turned(page, key, value)
        computed_with(page, key, value).wait_for()


def assert_turned(page: Page, key: str, value: float) -> None:
    settle(page)
    assert page.evaluate(SHOWN, [key, DEFAULT[key]]) == [pytest.approx(value)] * 2


def computed_with(page: Page, key: str, value: float) -> Locator:
    """Where the page's figures, captions or tiles, which the server writes, name the value."""
    if key == "radius":
        return page.locator("[data-testid=stMetric]").filter(has_text=f"Certified, r {value:g}")
    if key == "alpha":
        said = f"α {value:.9f}".rstrip("0")
        return page.locator(".rests-on .chip").get_by_text(said, exact=True)
    return page.locator(".st-key-figure_theta .js-plotly-plot").filter(has_text=f"θ {value:.3f}")


def slider(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key} input[type=range]")


def box(page: Page, key: str) -> Locator:
    return page.locator(f".st-key-{key}_box input")


def burst(page: Page, keys: int, pause: int, key: str = "ArrowRight") -> None:
    for _ in range(keys):
        page.keyboard.press(key)
        page.wait_for_timeout(pause)


@pytest.mark.parametrize(("keys", "pause"), [(15, 100), (30, 33), (60, 8)])
def test_every_press_of_a_burst_counts(open_page, keys, pause):
    page = open_page("theta=0.5")
    slider(page, "theta").focus()
    burst(page, keys, pause)
    assert_stands(page, "theta", 0.5 + keys / 1000)


def test_every_repeat_of_a_key_that_is_held_down_counts(open_page):
    page = open_page("theta=0.5")
    slider(page, "theta").focus()
    for _ in range(40):
        page.keyboard.down("ArrowLeft")  # again without letting go: a repeat
        page.wait_for_timeout(25)
    page.keyboard.up("ArrowLeft")
    assert_stands(page, "theta", 0.46)


@pytest.mark.parametrize(
    ("key", "start", "presses", "end"),
    [("alpha", 1e-5, 9, 0.01), ("radius", 0.5, 20, 0.7), ("radius", 0.0, 3, 0.03), ("alpha", 0.07, 1, 0.1)],
)
def test_every_press_counts_for_the_other_dials(open_page, key, start, presses, end):
    page = open_page(f"{key}={start}")
    slider(page, key).focus()
    burst(page, presses, 33)
    assert_stands(page, key, end)


@pytest.mark.parametrize(
    ("key", "first", "then"),
    [("theta", "0.7", "0.123"), ("alpha", "0.003", "0.00004"), ("radius", "0.9", "0.41")],
)
def test_what_is_typed_while_the_page_still_answers_stands(open_page, key, first, then):
    page = open_page()
    for text in (first, then):
        box(page, key).fill(text)
        box(page, key).press("Enter")
        page.wait_for_timeout(60)
    assert_stands(page, key, float(then))


def test_keys_right_after_typing_and_typing_right_after_keys(open_page):
    page = open_page("theta=0.2")
    box(page, "theta").fill("0.6")
    box(page, "theta").press("Enter")
    slider(page, "theta").focus()
    burst(page, 5, 20)
    assert_stands(page, "theta", 0.605)
    burst(page, 5, 20)
    box(page, "theta").fill("0.9")
    box(page, "theta").press("Enter")
    assert_stands(page, "theta", 0.9)


def test_what_is_being_typed_is_not_overwritten_by_an_answer(open_page):
    page = open_page("theta=0.2")
    slider(page, "theta").focus()
    burst(page, 3, 20)
    box(page, "theta").click()
    box(page, "theta").press("Control+a")
    for letter in "0.8769":
        page.keyboard.type(letter)
        page.wait_for_timeout(300)
    page.keyboard.press("Tab")
    assert_stands(page, "theta", 0.877)


def test_dials_turned_at_once_all_stand(open_page):
    page = open_page("theta=0.5&alpha=0.001&radius=0.5")
    for key, presses in (("theta", 6), ("alpha", 2), ("radius", 6), ("theta", 4)):
        slider(page, key).focus()
        burst(page, presses, 20)
    for key, value in (("theta", 0.51), ("alpha", 0.005), ("radius", 0.56)):
        assert_stands(page, key, value)


@pytest.mark.parametrize("key", ["theta", "radius", "alpha"])
def test_no_answer_moves_the_thumb_while_it_is_dragged(open_page, key):
    page = open_page()
    slider(page, "theta").press("ArrowRight")
    slider(page, key).scroll_into_view_if_needed()  # a mouse reaches what can be seen
    area = slider(page, key).bounding_box()
    y = area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + 0.3 * area["width"], y)
    page.mouse.down()
    for k in range(16):
        page.mouse.move(area["x"] + (0.3 + 0.03 * k) * area["width"], y)
        page.wait_for_timeout(100)
    held = float(box(page, key).input_value())
    page.wait_for_timeout(1000)
    assert float(box(page, key).input_value()) == held
    page.mouse.up()
    assert_stands(page, key, held)
    assert held > DEFAULT[key]


def go_there(page: Page) -> tuple[str, float]:
    """Click the button that sets σ, which is 0.25 before, and θ; returns what it sets them to."""
    sigma, theta = re.fullmatch(r"σ (\S+), θ (\S+)", page.locator(".st-key-deploy strong").inner_text()).groups()
    assert sigma != "0.25"
    page.get_by_role("button", name="Go there").click()
    return sigma, float(theta)


@pytest.mark.parametrize("before", [0, 10])
@pytest.mark.parametrize("after", [0, 10])
def test_of_keys_and_a_button_the_last_stands(open_page, before, after):
    page = open_page("theta=0.5&nac=60")
    slider(page, "theta").focus()
    burst(page, before, 20)
    sigma, theta = go_there(page)
    slider(page, "theta").focus()
    at = float(box(page, "theta").input_value())  # what the reader sees: the answer to the click may not be here yet
    burst(page, after, 20)
    settle(page)
    ends = {theta} if not after else {at + after / 1000, theta + after / 1000}
    assert any(float(box(page, "theta").input_value()) == pytest.approx(end, abs=1e-9) for end in ends)
    assert_stands(page, "theta", float(box(page, "theta").input_value()))
    assert parse_qs(urlparse(page.url).query)["sigma"] == [sigma]  # set by the same click, and not undone


def test_of_keys_and_a_click_on_a_front_the_last_stands(open_page):
    page = open_page("theta=0.5")
    x, y, thetas = page.evaluate(WHERE, [FRONT, "1", 9])
    slider(page, "theta").focus()
    burst(page, 10, 20)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    settle(page)
    assert parse_qs(urlparse(page.url).query)["sigma"] == ["1"]
    assert any(float(box(page, "theta").input_value()) == pytest.approx(theta) for theta in thetas)
    assert_stands(page, "theta", float(box(page, "theta").input_value()))


def test_a_pin_outlives_keys_that_follow_at_once(open_page):
    page = open_page("theta=0.5")
    page.get_by_role("button", name="Pin as A").click()
    slider(page, "theta").focus()
    burst(page, 12, 20)
    assert_stands(page, "theta", 0.512)
    assert parse_qs(urlparse(page.url).query)["pin"] == ["gaussian~0.25~fashion_mnist-core~entropy~0.500"]


def test_reset_right_after_keys(open_page):
    page = open_page("theta=0.5")
    slider(page, "theta").focus()
    burst(page, 10, 20)
    page.get_by_role("link", name="Reset").click()
    page.wait_for_function("!location.search.includes('theta')")
    assert_stands(page, "theta", 0.3)


def test_back_and_forward_bring_back_what_the_address_says(open_page):
    page = open_page("theta=0.5")
    page.get_by_role("link", name="Certified accuracy").click()
    page.wait_for_selector(".st-key-figure_radius .js-plotly-plot .main-svg")
    page.wait_for_function("location.pathname === '/certified-accuracy' && location.search.includes('theta=0.5')")
    slider(page, "theta").focus()
    burst(page, 5, 20)
    assert_turned(page, "theta", 0.505)  # Streamlit goes forward again to the page whose answer is under way
    page.go_back()
    page.wait_for_function("location.pathname === '/'")
    assert_stands(page, "theta", 0.5)
    page.go_forward()
    page.wait_for_function("location.pathname === '/certified-accuracy'")
    page.wait_for_selector(".st-key-figure_radius .js-plotly-plot .main-svg")
    page.wait_for_function("document.querySelector('.st-key-theta_box input').value === '0.505'")


@pytest.mark.parametrize(
    ("typed", "stands"),
    [("2", 0.3), ("-1", 0.3), ("", 0.3), ("1.000,5", 0.3), ("1e-1", 0.1), ("0.12349", 0.123), ("0,45", 0.45)],
)
def test_what_no_threshold_can_be_is_refused_where_it_was_typed(open_page, typed, stands):
    page = open_page()
    box(page, "theta").fill(typed)
    box(page, "theta").press("Enter")
    assert (box(page, "theta").get_attribute("aria-invalid") == "true") == (stands == 0.3)
    page.keyboard.press("Tab")
    assert_stands(page, "theta", stands)


@pytest.mark.parametrize("when", ["while it is down", "before the page knows", "when it is back"])
def test_the_first_number_typed_after_the_server_was_started_again_stands(demo, new_tab, when):
    port, page = free_port(), new_tab()
    with serve(demo.parent, {"ACES_DEMO": str(demo)}, port=port) as address:
        page.goto(address)
        settle(page)
        slider(page, "theta").focus()
        burst(page, 4, 20)
        assert_stands(page, "theta", 0.304)
    if when == "while it is down":
        type_number(page, "0.6")
    with serve(demo.parent, {"ACES_DEMO": str(demo)}, port=port):
        if when == "when it is back":
            page.wait_for_selector("[data-testid=stApp][data-test-connection-state=CONNECTED]")
        if when != "while it is down":
            type_number(page, "0.6")
        page.wait_for_function("document.querySelector('.st-key-figure_theta').textContent.includes('θ 0.600')")
        assert_stands(page, "theta", 0.6)


def type_number(page: Page, text: str) -> None:
    box(page, "theta").fill(text)
    box(page, "theta").press("Enter")


def test_what_a_click_has_set_stands_after_the_server_was_started_again(demo, new_tab):
    port, page = free_port(), new_tab()
    with serve(demo.parent, {"ACES_DEMO": str(demo)}, port=port) as address:
        page.goto(f"{address}/?theta=0.5&nac=60")
        settle(page)
        _, theta = go_there(page)
        assert_stands(page, "theta", theta)
    with serve(demo.parent, {"ACES_DEMO": str(demo)}, port=port):
        page.wait_for_timeout(3000)
        page.locator(".st-key-alpha input[type=range]").press("ArrowRight")
        assert_stands(page, "alpha", 0.002)
        assert_stands(page, "theta", theta)
