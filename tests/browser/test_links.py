"""Links in the browser: what Copy link and exports hold opens the same view, also in a catalog that has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlparse

import pytest

from engine.records.runs import write_run
from tests import synthetic
from tests.browser.conftest import serve

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser
IMAGES = 60
FRONT = ".st-key-figure_front .js-plotly-plot .main-svg"
LOOKS = 2_500  # milliseconds after which the server has looked at the catalog again


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    folder = synthetic.write_demo(tmp_path / "demo", IMAGES)
    write(folder, "victim", training="victim")
    return folder


@pytest.fixture
def server(demo: Path, tmp_path: Path) -> Iterator[str]:
    """A dashboard whose catalog the test may change."""
    with serve(tmp_path, {"ACES_DEMO": str(demo)}) as address:
        yield address


@pytest.fixture
def open_page(server: str, new_tab: Callable[[], Page], context: BrowserContext) -> Callable[..., Page]:
    context.grant_permissions(["clipboard-read", "clipboard-write"])

    def opened(address: str = "", wait: str = FRONT) -> Page:
        page = new_tab()
        page.goto(address if address.startswith("http") else f"{server}/{address}")
        settle(page, wait)
        return page

    return opened


def settle(page: Page, wait: str = FRONT) -> None:
    page.wait_for_selector(wait)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_selector("[data-stale=true]", state="detached")


def write(
    folder: Path,
    name: str,
    *,
    training: str,
    dataset: str = synthetic.DATASET,
    sigma: float = 0.25,
    noise: float = 0.25,
) -> None:  # fmt: skip
    """``sigma``: of which run the counts are; ``noise``: what the file says."""
    run = synthetic.smoothed(sigma, IMAGES)
    network = replace(run.meta.network, name=name, training=training, sigma_train=noise)
    meta = replace(run.meta, name=name, dataset=dataset, network=network, sigma=noise)
    write_run(replace(run, meta=meta), folder / f"{name}.npz")


def bring_in_another_dataset(folder: Path) -> None:
    """So many runs of it, of so many noise levels, that it comes first."""
    for k, noise in product(range(6), (0.25, 0.5)):
        write(folder, f"m{k}-{noise:g}", training=f"t{k}", dataset="mnist", sigma=1.0, noise=noise)
    core = synthetic.core(IMAGES)
    write_run(replace(core, meta=replace(core.meta, name="m-core", dataset="mnist")), folder / "m-core.npz")


def copied(page: Page) -> str:
    page.locator("#address-links button").click()
    page.get_by_role("button", name="Copied", exact=True).wait_for()
    return str(page.evaluate("navigator.clipboard.readText()"))


def values(address: str) -> dict[str, list[str]]:
    return parse_qs(urlparse(address).query, keep_blank_values=True)


def tiles(page: Page) -> list[str]:
    return page.locator("[data-testid=stMetric]").all_inner_texts()


def dataset(page: Page) -> str:
    return page.locator(".st-key-dataset input").input_value()


def lost(page: Page) -> str:
    found = page.get_by_text("Not what was asked for")
    return found.first.inner_text() if found.count() else ""


@pytest.mark.parametrize("path", ["", "trade-off"])
def test_a_copied_link_has_every_value_and_opens_the_same_view_when_another_dataset_comes_first(open_page, demo, path):
    page = open_page(path)
    assert values(page.url) == {}
    link, before = copied(page), tiles(page)
    found = values(link)
    assert urlparse(link).path == f"/{path}"
    assert {key: found[key] for key in ("dataset", "training", "sigma", "core", "select", "theta", "alpha")} == {
        "dataset": ["fashion_mnist"], "training": ["gaussian"], "sigma": ["0.25"], "core": ["fashion_mnist-core"],
        "select": ["entropy"], "theta": ["0.3"], "alpha": ["0.001"],
    }  # fmt: skip
    assert set(found) >= {"radius", "correction", "convention", "noises", "measure", "nac", "surely", "runs"}
    bring_in_another_dataset(demo)
    page.wait_for_timeout(LOOKS)
    assert dataset(open_page()) == "mnist"  # the bare address is what the catalog has first now
    again = open_page(link)
    assert dataset(again) == "fashion_mnist"
    assert tiles(again) == before
    assert lost(again) == ""
    assert values(copied(again)) == found


def test_a_link_copied_right_after_a_change_has_the_change(open_page):
    page = open_page("?theta=0.5&sigma=0.5&measure=certified+accuracy+at+r")
    page.locator(".st-key-theta input[type=range]").press("ArrowRight")
    page.locator(".st-key-sigma input[type=range]").press("ArrowLeft")  # to its default, which the address leaves out
    link = values(copied(page))
    assert (link["theta"], link["sigma"], link["measure"]) == (["0.501"], ["0.25"], ["certified accuracy at r"])
    assert link["runs"][0].startswith("fashion_mnist-gaussian-0.25~")


def test_an_export_has_an_address_that_opens_its_view(open_page, demo):
    page = open_page("?theta=0.4&with_core=fashion_mnist-other-core&training=victim&nac=80&surely=true")
    page.locator(".st-key-theta input[type=range]").press("ArrowRight")
    page.wait_for_function("location.search.includes('theta=0.401')")
    settle(page)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Table, json").click()
    provenance = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))["provenance"]
    found = values(provenance["address"])
    assert {key: found[key] for key in ("theta", "nac", "surely", "training", "dataset")} == {
        "theta": ["0.401"], "nac": ["80"], "surely": ["true"], "training": ["victim"], "dataset": ["fashion_mnist"],
    }  # fmt: skip
    named = {text.rpartition("~")[0]: text.rpartition("~")[2] for text in found["runs"]}
    assert {run["name"]: run["content_sha256"][:12] for run in provenance["runs"]} == named
    before = tiles(page)
    bring_in_another_dataset(demo)
    page.wait_for_timeout(LOOKS)
    assert tiles(open_page(provenance["address"])) == before


def test_a_link_whose_run_was_sampled_anew_says_so(open_page, demo):
    link = copied(open_page("?training=victim"))
    write(demo, "victim", training="victim", sigma=0.5)
    page = open_page("runs", wait="[data-testid=stDataFrame]")
    page.wait_for_timeout(LOOKS)
    page = open_page(link)
    assert "run victim holds other counts than then" in lost(page)
    page.reload()
    settle(page)
    assert "run victim holds other counts than then" in lost(page)


def test_a_run_that_is_deleted_while_it_is_shown_is_named(open_page, demo):
    page = open_page("?training=victim")
    (demo / "victim.npz").unlink()
    page.wait_for_timeout(LOOKS)
    slider = page.locator(".st-key-theta input[type=range]")
    slider.press("ArrowRight")
    page.get_by_text("run victim is not in this catalog; shown is fashion_mnist-gaussian-0.25").wait_for()
    slider.press("ArrowRight")
    page.wait_for_function("location.search.includes('theta=0.302')")
    settle(page)
    assert "victim" in lost(page)
    assert "victim" in lost(open_page("?training=victim"))


def test_the_first_page_answers_at_its_path_too(open_page):
    page = open_page("trade-off?theta=0.42&sigma=0.5")
    assert page.locator("[role=dialog]").count() == 0
    assert tiles(page) == tiles(open_page("?theta=0.42&sigma=0.5"))
    page.get_by_role("link", name="Selection").click()
    settle(page, ".st-key-figure_entropy .js-plotly-plot .main-svg")
    page.get_by_role("link", name="Trade-off").click()
    settle(page)
    page.wait_for_function("location.search.includes('theta=0.42') && location.search.includes('sigma=0.5')")
    assert page.locator("[role=dialog]").count() == 0
