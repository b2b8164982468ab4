"""What the pages say of choices, undecided selections, missing numbers and processes that were killed, in Chromium."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from app.services import precompute
from engine.mechanisms import ENTROPY
from engine.records.compose import compose
from engine.records.runs import write_run
from engine.statistics.corrections import Correction
from engine.statistics.explain import explain
from tests import synthetic
from tests.browser.conftest import serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

IMAGES = 40
FAMILY = tuple(f"{synthetic.DATASET}-core-{letter}-checkpoint" for letter in "abcd")
TABLE = "ImageNet, Consistency, σ 0.5"
FRONT = ".st-key-figure_front"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard with a selection network, core networks of one family, and a precompute that was killed."""
    folder = tmp_path_factory.mktemp("words")
    demo = synthetic.write_demo(folder / "demo", IMAGES)
    for name in FAMILY:
        write_run(synthetic.core(IMAGES, name), demo / f"{name}.npz")
    write_run(synthetic.selection(0.25, IMAGES), demo / "selection.npz")
    _killed(folder / "store" / precompute.FOLDER / "1")
    with serve(folder, {"ACES_DEMO": str(demo)}) as found:
        yield found


def _killed(folder: Path) -> None:
    """What a precompute leaves that is killed in silence, before it has made a run."""
    folder.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        pass
    job = {"pid": gone.pid, "born": 0, "config": "tiny.yaml", "n": None}
    said = {"event": "progress", "job": "tiny", "images": 1, "total_images": 4, "draws": 50, "total": 200}
    (folder / precompute.JOB).write_text(json.dumps(job))
    (folder / precompute.SAID).write_text(json.dumps(said) + "\n")
    (folder / precompute.ERRORS).write_text("")
    (folder / precompute.STATUS).write_text("-9")


@pytest.fixture
def opened(address: str, new_tab: Callable[[], Page]) -> Callable[..., Page]:
    def opening(path: str = "", **query: object) -> Page:
        page = new_tab()
        page.goto(f"{address}/{path}?{urlencode(query, doseq=True)}")
        page.wait_for_selector(".page-title", state="attached", timeout=60_000)
        settle(page)
        return page

    return opening


def settle(page: Page) -> None:
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_selector("[data-stale=true]", state="detached")


def read(page: Page) -> str:
    """The page beside its sidebar, as it is read."""
    return page.locator("[data-testid=stMain]").inner_text()


def test_a_precompute_that_was_killed_in_silence_has_failed_and_can_go_on(opened):
    page = opened("runs")
    card = page.locator(".st-key-sampling-1")
    card.wait_for()
    said = card.inner_text()
    assert "tiny.yaml: failed" in said
    assert "signal 9, SIGKILL" in said
    assert "made" not in said
    bar = card.get_by_role("progressbar")
    assert bar.get_attribute("aria-valuenow") == "25"
    assert card.get_by_role("button", name="Resume").is_visible()


def test_choosing_among_compositions_is_priced_and_the_button_pays(opened):
    page = opened(with_training="gaussian")
    said = re.search(r"(\d+) compositions are compared, core networks aside, at α 0.001 each", read(page))
    assert said
    count = int(said[1])
    assert "seed 0, under the same noise" in read(page)
    page.locator(".st-key-spread_alpha button").first.click()
    page.wait_for_function("new URLSearchParams(location.search).has('alpha')")
    alpha = float(page.evaluate("new URLSearchParams(location.search).get('alpha')"))
    assert 0.9 * 0.001 / count < alpha <= 0.001 / count
    page.get_by_text(f"at most {count} α = {count * alpha:.3g}").wait_for()


def test_a_selection_that_is_undecided_is_said_and_its_votes_are_not_invented(opened):
    c = compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES))
    theta, image = next(
        (k / 100 + 0.005, index)
        for k in range(100)
        for index in c.index.tolist()
        if explain(c, index, k / 100 + 0.005, 0.001, Correction.SIMULTANEOUS, ENTROPY.words).select is None
    )
    page = opened("images", sigma="0.25", theta=f"{theta:.3f}", correction="simultaneous", image=image)
    page.get_by_text("The selection is undecided.").wait_for()
    settle(page)
    assert not re.search(r"\b0 of 10,000", read(page))


def test_what_a_selection_network_says_is_not_called_entropy(opened):
    for path in ("images", "selection"):
        page = opened(path, sigma="0.25", select=synthetic.selection(0.25, 1).meta.name, image="40")
        page.get_by_text("selection score").first.wait_for()
        settle(page)
        assert "entrop" not in read(page).lower()


def test_the_papers_table_is_on_a_front_of_certified_accuracy_or_missed_aloud(opened):
    at = {"measure": "certified accuracy at r", "paper": TABLE}
    drawn = opened(**at, radius="0.25")
    drawn.locator(f"{FRONT} text", has_text="ImageNet, Consistency").first.wait_for()
    missed = opened(**at, radius="0.3")
    missed.get_by_text("print no certified accuracy at r 0.3").wait_for()
    assert missed.locator(f"{FRONT} text", has_text="ImageNet, Consistency").count() == 0


def test_core_networks_of_one_family_have_four_names_in_the_legend(opened):
    page = opened(core=FAMILY[0], with_core=FAMILY[1:], noises="only this σ")
    page.locator(f"{FRONT} .legendtext").first.wait_for()
    every = page.locator(f"{FRONT} .legendtext").all_text_contents()
    legend = [line for line in every if re.search("check|point", line)]  # what a cut leaves of their names
    assert len(legend) == len(set(legend)) == len(FAMILY)


def test_a_radius_beyond_the_ceiling_puts_no_word_for_a_missing_number_into_a_legend(opened):
    page = opened("selection", sigma="0.25", radius="3.9")
    page.locator(".st-key-figure_receiver .legendtext").first.wait_for()
    legend = page.locator(".st-key-figure_receiver .legendtext").all_text_contents()
    assert any("none is certifiable" in line for line in legend)
    assert not re.search(r"\bnan\b", " ".join(legend), re.IGNORECASE)


@pytest.mark.parametrize(("path", "box", "empty"), [("images", "image", ""), ("runs", "draws", "")])
def test_an_address_with_a_number_without_end_opens_its_page(opened, path, box, empty):
    page = opened(path, **{box: "1e400"}, theta="0.42")
    assert page.locator(f".st-key-{box} input").input_value() == empty
    assert page.locator("[data-testid=stException]").count() == 0
    assert "theta=0.42" in page.url
