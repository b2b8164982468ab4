"""The explorer's pages as a reader meets them: in Chromium, by keyboard and mouse."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlparse
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser

PAGES = {
    "": ("figure_front", "figure_theta"),
    "trade-off": ("figure_front", "figure_theta"),
    "certified-accuracy": ("figure_radius", "figure_selected"),
    "selection": ("figure_entropy", "figure_signed", "figure_receiver"),
    "images": ("figure_images",),
    "compare": (),
    "paper": (),
    "bounds": ("figure_steps",),
    "runs": (),
    "certify": (),
}
WITH_RESULTS = [path for path in PAGES if path != "certify"]  # which says that this demo has no weights
A_PIN = "pin=gaussian~0.5~fashion_mnist-core~entropy~0.300"

DRAWN = """key => {
  const plot = document.querySelector(`.st-key-${key} .js-plotly-plot`);
  return plot && plot.layout && JSON.stringify([plot.data, plot.layout.shapes, plot.layout.title]);
}"""


@pytest.fixture
def open_page(server: str, context: BrowserContext) -> Iterator[Callable[..., Page]]:
    pages = []

    def opened(path: str, query: str = "", width: int = 1280, height: int = 800, scheme: str = "light") -> Page:
        page = context.new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{server}/{path}?{query}")
        settle(page, path)
        return page

    yield opened
    for page in pages:
        page.close()


def settle(page: Page, path: str) -> None:
    for key in PAGES[path]:
        page.wait_for_selector(f".st-key-{key} .js-plotly-plot .main-svg", timeout=60_000)
    page.wait_for_selector(".page-title", state="attached")
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_selector("[data-stale=true]", state="detached")
    if path == "compare":  # whose tables come after the run, and push what stands below them
        page.wait_for_selector("[data-testid=stDataFrame] canvas", state="attached")


def query(page: Page) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlparse(page.url).query).items()}


def await_query(page: Page, key: str) -> str:
    page.wait_for_function("key => new URLSearchParams(location.search).has(key)", arg=key)
    return query(page)[key]


@pytest.mark.parametrize("path", WITH_RESULTS)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_every_page_opens_in_the_dark_and_on_a_phone(open_page, path, width, scheme):
    page = open_page(path, A_PIN, width=width, scheme=scheme)
    assert page.locator("[data-testid=stException], [data-testid=stAlertContentError]").count() == 0
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width


@pytest.mark.parametrize("path", [path for path, keys in PAGES.items() if keys and path != "bounds"])  # chooses its θ
def test_theta_moves_every_figure_of_a_page(open_page, path):
    page = open_page(path, "theta=0.3")
    before = {key: page.evaluate(DRAWN, key) for key in PAGES[path]}
    page.locator(".st-key-theta input[type=range]").press("ArrowRight")
    for key, old in before.items():
        page.wait_for_function(
            f"([k, old]) => {{ const now = ({DRAWN})(k); return now && now !== old }}", arg=[key, old]
        )


def test_a_change_of_pages_keeps_the_view(open_page):
    page = open_page("", f"theta=0.42&sigma=0.5&{A_PIN}")
    page.get_by_role("link", name="Selection").click()
    settle(page, "selection")
    await_query(page, "theta")
    assert {key: query(page)[key] for key in ("theta", "sigma", "pin")} == {
        "theta": "0.42",
        "sigma": "0.5",
        "pin": A_PIN.removeprefix("pin="),
    }


def test_what_to_deploy_is_gone_to_by_its_button(open_page):
    page = open_page("", "theta=0.3&nac=60")
    said = page.locator(".st-key-deploy strong").inner_text()
    sigma, theta = re.fullmatch(r"σ (\S+), θ (\S+)", said).groups()
    page.get_by_role("button", name="Go there").click()
    assert float(await_query(page, "theta")) == float(theta)
    settle(page, "")
    assert query(page).get("sigma", "0.25") == sigma


RANGE = "document.querySelector('.st-key-figure_front .js-plotly-plot')._fullLayout.xaxis.range.map(Math.round).join()"


def test_a_zoom_outlives_a_change_of_pages_until_a_double_click(open_page):
    page = open_page("", "theta=0.3")
    whole = page.evaluate(RANGE)
    drag(page, "figure_front", [(0.2, 0.2), (0.6, 0.6)])
    page.wait_for_function(f"whole => {RANGE} !== whole", arg=whole)
    zoomed = page.evaluate(RANGE)
    page.get_by_role("link", name="Selection").click()
    settle(page, "selection")
    page.get_by_role("link", name="Trade-off").click()
    settle(page, "")
    page.wait_for_function(f"zoomed => {RANGE} === zoomed", arg=zoomed)
    page.locator(".st-key-figure_front .nsewdrag").first.dblclick(position={"x": 200, "y": 20})
    page.wait_for_function(f"whole => {RANGE} === whole", arg=whole)


def test_a_comma_typed_into_a_number_box_is_the_decimal_one(open_page):
    page = open_page("")
    page.locator(".st-key-nac input").click(click_count=3)
    page.keyboard.type("72,5")
    page.keyboard.press("Enter")
    assert await_query(page, "nac") == "72.5"


def test_reset_brings_every_control_back(open_page):
    page = open_page("", f"theta=0.42&sigma=0.5&alpha=0.01&correction=bonferroni&{A_PIN}")
    page.get_by_role("link", name="Reset").click()
    page.wait_for_function("!location.search.includes('theta') && !location.search.includes('pin')")
    settle(page, "")
    assert query(page) == {}
    assert page.locator(".st-key-theta_box input").input_value() == "0.300"


def test_a_lasso_picks_images_and_a_copied_url_picks_them_again(open_page):
    page = open_page("images", "theta=0.3")
    drag(page, "figure_images", [(0.05, 0.05), (0.25, 0.05), (0.25, 0.6), (0.05, 0.6), (0.05, 0.05)])
    picked = await_query(page, "pick").split(".")
    page.get_by_text(f"{len(picked)} of 120 images").wait_for()
    again = open_page("images", urlparse(page.url).query)
    again.get_by_text(f"{len(picked)} of 120 images").wait_for()
    again.get_by_role("button", name="Clear").click()
    again.get_by_text("120 of 120 images").wait_for()


@pytest.mark.parametrize("key", ["figure_entropy", "figure_signed"])
def test_a_box_on_the_selections_figures_picks_the_images_of_its_marks(open_page, key):
    page = open_page("selection", "theta=0.3")
    drag(page, key, [(0.02, 0.02), (0.4, 0.98)])
    picked = await_query(page, "pick").split(".")
    page.locator(".st-key-picked").get_by_text(str(len(picked))).wait_for()
    page.get_by_role("link", name="Show them").click()
    page.get_by_text(f"{len(picked)} of 120 images").wait_for()


TALLEST_BAR = """() => {
  const plot = document.querySelector(".st-key-figure_entropy .js-plotly-plot");
  const bars = [...plot.querySelectorAll(".bars path")].map((bar) => bar.getBoundingClientRect());
  const tallest = bars.reduce((a, b) => (b.height > a.height ? b : a));
  const counts = plot.calcdata.flatMap((trace) => trace.map((bar) => bar.s || 0));
  return [tallest.x + tallest.width / 2, tallest.y + tallest.height / 2, Math.max(...counts)];
}"""


def test_a_click_on_a_bar_picks_its_images(open_page):
    page = open_page("selection")
    x, y, images = page.evaluate(TALLEST_BAR)
    page.mouse.click(x, y)
    assert len(await_query(page, "pick").split(".")) == images


def drag(page: Page, key: str, corners: list[tuple[float, float]]) -> None:
    """Drag over a figure from corner to corner, in parts of its width and height."""
    box = page.locator(f".st-key-{key} .nsewdrag").first.bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*at[0])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(x, y, steps=6)
    page.mouse.up()


def test_a_row_opens_its_image(open_page):
    page = open_page("images", "theta=0.3&view=Table")
    page.locator("[data-testid=stDataFrame] .dvn-scroller").click(position={"x": 18, "y": 90})  # a canvas: no DOM rows
    page.get_by_text("Guess the selection.").wait_for()
    assert query(page)["image"] == "20"
    page.wait_for_selector(".st-key-figure_bounds .js-plotly-plot .main-svg")


def test_a_picture_of_the_gallery_opens_its_image(open_page):
    page = open_page("images", "theta=0.3&view=Gallery")
    page.locator(".st-key-gallery button").filter(has_text=re.compile(r"\b40: ")).click()
    page.get_by_text("Guess the selection.").wait_for()
    assert query(page)["image"] == "40"


def test_a_cell_of_the_comparison_picks_its_images(open_page):
    page = open_page("compare", f"theta=0.3&{A_PIN}")
    table = page.locator(".st-key-matrix .dvn-scroller")
    table.click(position={"x": table.bounding_box()["width"] * 0.2, "y": 52})  # certified and correct under both
    picked = await_query(page, "pick").split(".")
    page.get_by_role("link", name="Show them").click()
    page.get_by_text(f"{len(picked)} of 120 images").wait_for()


def test_the_keyboard_alone_turns_theta_opens_an_image_and_goes_back(open_page):
    page = open_page("images", "theta=0.3&view=Gallery")
    tab_to(page, "[aria-label^='Selection threshold']")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("location.search.includes('theta=0.301')")
    tab_to(page, ".st-key-gallery button")
    ring = page.evaluate("(s => s.boxShadow + s.outlineStyle)(getComputedStyle(document.activeElement))")
    assert ring != "nonenone"
    page.keyboard.press("Enter")
    assert await_query(page, "image") == "0"
    page.get_by_text("Guess the selection.").wait_for()
    page.keyboard.press("j")
    page.wait_for_function("location.search.includes('image=20')")
    page.keyboard.press("Escape")
    page.wait_for_function("!location.search.includes('image=')")
    page.get_by_text("Guess the selection.").wait_for(state="detached")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


IN_SIGHT = """() => [...document.querySelectorAll(".js-plotly-plot .legendtext")].map((name) => {
  const box = name.getBoundingClientRect(), place = name.closest("[data-testid=stElementContainer]");
  const whole = place.getBoundingClientRect(), shown = name.closest(".legend").getBoundingClientRect();
  return [name.textContent, box.bottom <= Math.min(whole.bottom, shown.bottom) && box.right <= whole.right];
})"""


@pytest.mark.parametrize("path", ["certified-accuracy", "selection", ""])
def test_on_a_phone_every_name_of_a_legend_is_in_sight(open_page, path):
    page = open_page(path, "theta=0.4", width=390, height=844)
    page.locator(".js-plotly-plot .legendtext").first.wait_for()
    page.wait_for_function(f"({IN_SIGHT})().every(([, seen]) => seen)", timeout=15_000)
    assert len(page.evaluate(IN_SIGHT)) >= 3


@pytest.mark.parametrize("path", [path for path in WITH_RESULTS if path != "paper"])  # whose figures are its exports
def test_every_export_of_every_page_can_be_parsed(open_page, path):
    page = open_page(path, f"theta=0.4&{A_PIN}")
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Report, html").wait_for()
    parsed = set()
    for button in page.locator("[data-testid=stDownloadButton] button:visible").all():
        with page.expect_download() as download:
            button.click()
        ending = download.value.suggested_filename.rpartition(".")[2]
        PARSE[ending](download.value.path().read_text(encoding="utf-8"))
        parsed.add(ending)
    assert parsed == set(PARSE)


def is_json(text: str) -> None:
    read = json.loads(text, parse_constant=pytest.fail)
    assert read["provenance"]["theta"] == 0.4
    assert all(run["content_sha256"] for run in read["provenance"]["runs"])
    assert read["rows"]


def is_csv(text: str) -> None:
    assert "# theta: 0.4\n" in text
    found = rows(text)
    assert found
    assert all(None not in row and None not in row.values() for row in found)  # as many cells as columns


def is_latex(text: str) -> None:
    table = text[text.index("\\begin{tabular}") :]
    head, *body = [line for line in table.splitlines() if line.endswith(r"\\")]
    assert all(line.count(" & ") == head.count(" & ") for line in body)
    assert re.search(r"toprule.*midrule.*bottomrule", table, re.DOTALL)
    assert not re.search(r"(?<!\\)[_%#]|[^\x00-\x7f]", table)


def is_report(text: str) -> None:
    assert text.startswith("<!doctype html>")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", text)


PARSE = {"json": is_json, "csv": is_csv, "tex": is_latex, "html": is_report}


def test_the_report_asks_nobody_and_shares_nothing(open_page, new_tab, tmp_path):
    page = open_page("", "theta=0.4")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Report, html").click()
    download.value.save_as(tmp_path / "report.html")
    report, asked = new_tab(), []
    report.on("request", lambda request: asked.append(request.url))
    report.goto((tmp_path / "report.html").as_uri())
    report.wait_for_selector(".js-plotly-plot .main-svg")
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    titles = report.locator(".modebar-btn").evaluate_all("buttons => buttons.map(b => b.dataset.title)")
    assert titles
    assert not any("share" in title.lower() or "cloud" in title.lower() for title in titles if title)


def test_a_figure_is_saved_as_svg(open_page):
    page = open_page("", "theta=0.4")
    page.locator(".st-key-figure_front .nsewdrag").first.hover()
    with page.expect_download() as download:
        page.locator(".st-key-figure_front .modebar-btn[data-title^=Download]").click(force=True)
    root = ElementTree.fromstring(download.value.path().read_text(encoding="utf-8"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


AXE_PAGES = {
    **dict.fromkeys(PAGES, A_PIN),
    "certified-accuracy": f"{A_PIN}&by_class=true",
    "images": "image=40",
    "certify": "",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", AXE_PAGES)
def test_axe_finds_nothing_serious(open_page, path, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = open_page(path, AXE_PAGES[path], scheme=scheme)
    found = axe.Axe().run(page).response["violations"]
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    assert not serious, [(v["id"], [(node["html"][:300], node["any"][:1]) for node in v["nodes"][:4]]) for v in serious]
