"""Runs, messages and files whose names are written to be obeyed: the pages show their letters, and fetch nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cache.entries import card_key, write
from cache.store import Store
from engine.records.runs import Run, write_run
from tests import synthetic
from tests.browser.conftest import serve

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser

PAGES = ("", "certified-accuracy", "selection", "images", "compare", "paper", "runs", "certify")
INVISIBLE = "\u2060"


class Trap:
    """A server that must not be asked for anything, and what it was asked for."""

    def __init__(self) -> None:
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/favicon.ico":  # which a browser asks of any site that it visits, as the control does
                    asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"caught")

            def log_message(self, *_: object) -> None:
                """Nothing is said."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    made = Trap()
    yield made
    made.server.shutdown()
    made.server.server_close()


class Names:
    """What the runs are called."""

    def __init__(self, url: str) -> None:
        self.image = f"![x]({url}/leak.png)"
        self.html = f"<img src={url}/leak.png> &lt; 5%{{x}}"
        self.link = f"<a href='{url}/a'>x</a> [y]({url}/b) {url}/c www.{url[7:]}"
        self.directives = ":red[a] :material/delete: :smile: $\\sqrt{2}$ **b** -> `c`"
        self.dataset = ":blue[d] <b>e<b> *f* $g$"


def renamed(run: Run, name: str, names: Names, training: str | None = None) -> Run:
    network = replace(run.meta.network, name=name, training=training or run.meta.network.training)
    return replace(run, meta=replace(run.meta, name=name, network=network, dataset=names.dataset, split="t:red[est]"))


@pytest.fixture(scope="module")
def names(trap: Trap) -> Names:
    return Names(trap.url)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, names: Names) -> Iterator[str]:
    """The address of a dashboard on runs of these names, beside broken ones, and beside precomputes that failed."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "demo").mkdir()
    runs = [
        renamed(synthetic.smoothed(0.5, 60), names.image, names, names.image),
        renamed(synthetic.smoothed(0.5, 60), f"{names.image}, again", names, names.image),
        renamed(synthetic.smoothed(0.25, 60), names.link, names, names.html),
        renamed(synthetic.core(60), names.html, names),
        renamed(synthetic.core(60, accuracy=0.8), names.directives, names),
        renamed(synthetic.selection(0.5, 60), f"{names.directives} {names.image}", names),
    ]
    for k, run in enumerate(runs):
        write_run(run, folder / "demo" / f"{k}.npz")
    _break(folder / "store", names)
    _fail_sampling(folder / "store", names)
    (folder / "configs").mkdir()
    (folder / "configs" / ":red[x] **y** <b>.yaml").write_text("checkpoint: x")
    places = {"ACES_DEMO": str(folder / "demo"), "ACES_CONFIGS": str(folder / "configs")}
    with serve(folder, places) as address:
        yield address


def _break(place: Path, names: Names) -> None:
    """A stored run whose card nobody can read: its name is in a message on every page."""
    with Store(place) as store, store.runs.writing() as cache:
        write(cache, card_key(f"broken {names.image} {names.html}"), json.dumps({"meta": {}}).encode())


def _fail_sampling(place: Path, names: Names) -> None:
    folder = place / "sampling" / "1"
    folder.mkdir(parents=True)
    job = {"pid": 2**22, "born": 1, "config": f"/x/{names.directives}", "n": None}
    (folder / "job.json").write_text(json.dumps(job))
    event = {
        "event": "progress", "job": names.image, "images": 1, "total_images": 2, "draws": 5, "total": 10,
        "draws_per_second": 1.0, "seconds_left": 1.0,
    }  # fmt: skip
    (folder / "progress.jsonl").write_text(json.dumps(event) + "\n")
    (folder / "errors.txt").write_text(f"error: no {names.image} {names.html}\n")


@pytest.fixture
def opened(server: str, context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    page.set_viewport_size({"width": 1280, "height": 900})
    yield page
    page.close()


def visit(page: Page, server: str, path: str, query: str = "") -> None:
    page.goto(f"{server}/{path}?{query}")
    page.wait_for_selector(".page-title", state="attached", timeout=60_000)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    page.wait_for_selector("[data-stale=true]", state="detached")
    page.wait_for_load_state("networkidle")
    unfold(page)


def unfold(page: Page) -> None:
    """The full names behind the chips."""
    page.locator(".rests-on").evaluate_all("every => every.forEach((one) => { one.open = true; })")


def shown(page: Page, selector: str) -> str:
    texts = page.locator(selector).all_inner_texts()
    return "\n".join(texts).replace(INVISIBLE, "").replace("\u00a0", " ")


def assert_harmless(page: Page, trap: Trap) -> None:
    """Nothing was fetched, and nothing waits for a click that would."""
    foreign = "a[href*='{0}'], img[src*='{0}'], a[*|href*='{0}'], image[*|href*='{0}']".format(trap.url[7:])
    assert page.locator(foreign).count() == 0
    assert page.locator("[data-testid=stException]").count() == 0
    for made in (
        ".stMarkdownColoredText",
        ".katex:has-text('√')",
        ".stMarkdownBadge:has-text('red')",
        "em:has-text('f')",
    ):
        assert page.locator(made).count() == 0, made
    assert page.locator("[aria-label='delete icon']").count() == 0
    assert trap.asked == []


def wait_for_drawn(page: Page, key: str) -> None:
    page.wait_for_selector(f".st-key-{key} .js-plotly-plot .main-svg", timeout=60_000)


def test_the_trap_would_be_noticed(opened, trap):
    opened.goto(f"{trap.url}/once")
    assert "/once" in trap.asked
    trap.asked.clear()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_the_letters_of_names_and_fetches_nothing(opened, server, trap, names, path):
    visit(opened, server, path)
    assert_harmless(opened, trap)
    said = shown(opened, "[data-testid=stMain]")
    assert f"broken {names.image} {names.html}" in shown(opened, "[data-testid=stAlert]")
    if path not in ("runs", "compare"):
        assert names.image in said.replace(shown(opened, "[data-testid=stAlert]"), "")
        assert names.dataset in said or path == "certify"


def test_a_comparison_names_both_sides(opened, server, trap, names):
    visit(opened, server, "compare")
    opened.get_by_role("button", name="Pin this view as A").click()
    opened.wait_for_selector(".st-key-matrix", timeout=60_000)
    opened.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)
    unfold(opened)
    assert_harmless(opened, trap)
    assert names.image in shown(opened, "[data-testid=stMain]")


def choose_all_beside(page: Page) -> None:
    page.get_by_text("Compare with").click()
    for title in ("Trainings", "Core networks", "Selections"):
        box = page.get_by_role("combobox", name=title)
        box.click()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)


def test_figures_show_the_letters_in_legend_and_hover(opened, server, trap, names):
    visit(opened, server, "")
    choose_all_beside(opened)
    wait_for_drawn(opened, "figure_front")
    opened.wait_for_function(
        "() => document.querySelector('.st-key-figure_front .js-plotly-plot').data.length > 8", timeout=60_000
    )
    opened.wait_for_load_state("networkidle")
    assert_harmless(opened, trap)
    cores = opened.evaluate(
        """() => {
          const node = document.querySelector('.st-key-figure_front .js-plotly-plot');
          const wanted = node.data.findIndex((t) => t.hovertemplate && t.hovertemplate.includes('core network only<'));
          Plotly.Fx.hover(node, node.data[wanted].customdata.map((_, k) => ({curveNumber: wanted, pointNumber: k})));
          return node.querySelector('.hoverlayer').textContent;
        }"""
    )
    assert names.html in cores or names.directives in cores
    assert_harmless(opened, trap)


def test_the_selection_page_names_its_curves(opened, server, trap, names):
    visit(opened, server, "selection")
    choose_all_beside(opened)
    wait_for_drawn(opened, "figure_receiver")
    opened.wait_for_load_state("networkidle")
    legend = opened.locator(".st-key-figure_receiver .legendtext").all_text_contents()
    assert all("(![…" in line for line in legend)  # names in a legend are cut, their letters stay letters
    assert_harmless(opened, trap)


def test_the_noise_slider_names_runs_of_equal_noise(opened, server, trap, names):
    def wait_for_label(text: str) -> None:  # a slider that is redrawn has none for a moment
        opened.wait_for_function(
            "([text, invisible]) => document.querySelector('.st-key-sigma').innerText.replaceAll(invisible, '')"
            ".includes(text)",
            arg=[text, INVISIBLE],
        )

    visit(opened, server, "")
    wait_for_label(f"({names.image}")
    opened.locator(".st-key-sigma").get_by_role("slider").focus()
    opened.keyboard.press("End")
    opened.wait_for_function("() => location.search.includes('sigma')")
    wait_for_label(names.image)
    address = opened.url
    visit(opened, server, "", address.partition("?")[2])
    wait_for_label(names.image)
    assert_harmless(opened, trap)


def test_precomputes_and_cards_show_the_letters(opened, server, trap, names):
    visit(opened, server, "runs")
    opened.get_by_text("1 of 2 images").wait_for()  # a bar of progress comes with code of its own
    said = shown(opened, "[data-testid=stMain]")
    assert Path(names.directives).name in said  # the config of the precompute
    assert f"{names.image}: 1 of 2 images" in said
    assert f"no {names.image} {names.html}" in said
    opened.locator("[class*=st-key-catalog-] canvas").first.click(position={"x": 12, "y": 60}, force=True)
    opened.wait_for_selector("[data-testid=stJson]", timeout=60_000, state="attached")
    opened.locator("[data-testid=stExpander] details:has([data-testid=stJson])").evaluate("node => (node.open = true)")
    opened.wait_for_load_state("networkidle")
    assert "content sha256" in shown(opened, "[data-testid=stMain]")
    assert_harmless(opened, trap)


def test_an_image_that_is_open_shows_the_letters(opened, server, trap):
    visit(opened, server, "images", "image=0")
    wait_for_drawn(opened, "figure_votes")
    assert_harmless(opened, trap)
