"""The Certify page as a visitor meets it: uploads of every kind, a certificate that grows, is taken away, checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest

from cache.catalog import DEMO
from engine.single_image.certificate import Certificate, check, from_json
from engine.single_image.picture import read_picture, to_png, to_tensor
from engine.single_image.promise import known_classes, promise
from tests.bad_pictures import BAD, GOOD
from tests.browser.acts import choose, switch_on, until_shown
from tests.browser.conftest import ROOT, serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
LONG = "n=1%2C000%2C000"  # minutes on any machine: still under way when a test comes to end it
SELECTION = "fashion_mnist-gaussian-0.25-selection-0.5"


@pytest.fixture(scope="module")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard on the demo that ships, whose networks can be sampled."""
    folder = tmp_path_factory.mktemp("certify")
    threads = os.environ.get("OMP_NUM_THREADS", "2")
    with serve(folder, {"ACES_DEMO": str(DEMO), "ACES_MAX_N": "1000000", "OMP_NUM_THREADS": threads}) as address:
        yield address


@pytest.fixture
def open_page(real_server: str, new_tab: Callable[[], Page]) -> Callable[..., Page]:
    """Opens the page in a tab of its own."""

    def opened(
        query: str = "", *, path: str = "certify?theta=0.6&training=gaussian&", wait: str = ".st-key-start"
    ) -> Page:
        page = new_tab()
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(f"{real_server}/{path}{query}")
        page.wait_for_selector(wait)
        settle(page)
        return page

    return opened


def settle(page: Page) -> None:
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_selector("[data-stale=true]", state="detached")


def start(page: Page) -> None:
    page.locator(".st-key-start button:not([disabled]):visible").click()


def send(page: Page, name: str, data: bytes) -> None:
    """Upload this file alone: what was sent before is taken away."""
    removes = page.locator(".st-key-upload").get_by_role("button", name="Remove")
    while removes.count():
        count = removes.count()
        removes.first.click()
        page.wait_for_function(
            "n => document.querySelectorAll('.st-key-upload [data-testid=stFileUploaderFile]').length < n", arg=count
        )
        settle(page)
    upload = page.locator(".st-key-upload")
    sent = {"name": name, "mimeType": "application/octet-stream", "buffer": data}

    def choose_file() -> None:
        if not upload.locator("[data-testid=stFileUploaderFile]").count():
            upload.locator("input[type=file]").set_input_files(sent)  # type: ignore[arg-type]

    until_shown(choose_file, upload.get_by_text(Path(name).name))
    settle(page)


def download(page: Page, key: str) -> bytes:
    with page.expect_download() as caught:
        page.locator(f".st-key-{key} button:visible").click()
    return Path(caught.value.path()).read_bytes()


def job(page: Page) -> str:
    return parse_qs(urlparse(page.url).query)["job"][0]


def test_an_upload_is_certified_and_its_certificate_checks(open_page):
    data = GOOD["turned.jpg"][0]
    page = open_page("source=Upload")
    send(page, "../../etc/passwd.jpg", data)
    page.get_by_text("Turned upright").wait_for()
    start(page)
    page.wait_for_selector(".st-key-get_json button:visible")
    certificate = from_json(download(page, "get_json"))
    tensor = to_tensor(read_picture(data), certificate.image.framing, certificate.image.shape)
    check(certificate, tensor)
    assert certificate.image.file_sha256 == read_picture(data).sha256
    assert certificate.plan.mode == "may-stop-early"
    assert page.get_by_text(certificate.statement).count() == 1
    assert certificate.statement in download(page, "get_html").decode()
    assert (
        to_tensor(read_picture(download(page, "get_tensor")), certificate.image.framing, (1, 28, 28)) == tensor
    ).all()


def test_what_cannot_be_certified_gets_a_sentence_and_the_next_upload_works(open_page):
    page = open_page("source=Upload")
    refused = [(name, data, message) for name, (data, message) in BAD.items() if message]
    in_turn = refused[::2] + refused[1::2]
    # A sentence is waited for, so no two uploads in a row may have the same: the one before would be taken for it.
    assert all(a[2] != b[2] for a, b in pairwise(in_turn))
    for name, data, message in in_turn:
        send(page, name, data)
        page.locator("[data-testid=stAlert]").filter(has_text=message).wait_for()
        settle(page)
        assert page.locator("[data-testid=stException]").count() == 0, name
        assert page.locator(".st-key-start button[disabled]:visible").count() == 1, name
    send(page, "large.png", bytes(11_000_000))
    page.get_by_text("must be 10.0MB or smaller").wait_for()
    send(page, "palette.png", GOOD["palette.png"][0])
    page.get_by_text("laid on white").wait_for()
    page.wait_for_selector(".st-key-start button:not([disabled]):visible")


def test_several_pictures_are_certified_at_once_and_a_damaged_one_is_named(open_page):
    page = open_page("source=Upload&n=2%2C500")
    whole = [(name, GOOD[name][0]) for name in ("plain.png", "turned.jpg")]
    files = [*whole, ("cut.png", GOOD["plain.png"][0][:60])]
    page.locator(".st-key-upload input[type=file]").set_input_files(
        [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files]
    )
    page.locator("[data-testid=stAlert]").filter(has_text="cut.png: the image is damaged or cut off").wait_for()
    page.get_by_text("turned.jpg: Turned upright").wait_for()
    settle(page)
    start(page)
    page.get_by_text("2 certified.").wait_for()
    settle(page)
    assert title(page).startswith("Result, of plain.png")
    page.locator(".st-key-looked_at button:has(img)").nth(1).click()
    page.locator("[class*=st-key-result-answer]").get_by_text("Result, of turned.jpg").wait_for()
    made = issued(page)
    tensor = to_tensor(read_picture(GOOD["turned.jpg"][0]), made.image.framing, made.image.shape)
    check(made, tensor)
    assert not is_grey(page)


def test_stopping_early_gives_a_certificate_by_the_looks_so_far(open_page):
    page = open_page(LONG)
    start(page)
    page.get_by_text("If you stop now:").wait_for()
    page.locator(".st-key-stop button:not([disabled]):visible").click()
    page.wait_for_selector(".st-key-get_json button:visible")
    certificate = from_json(download(page, "get_json"))
    check(certificate)
    assert 1_000 <= certificate.looks[-1].n < 1_000_000


def test_a_job_survives_a_reload_is_seen_in_a_second_tab_and_can_be_cancelled_there(open_page):
    page = open_page(LONG)
    start(page)
    page.wait_for_selector(".st-key-cancel button:visible")
    id = job(page)
    page.reload()
    page.wait_for_selector(".st-key-cancel button:visible")
    second = open_page(f"job={id}", wait=".st-key-cancel")
    second.locator(".st-key-cancel button:visible").click()
    for tab in (second, page):
        tab.get_by_text("Cancelled: no certificate.").wait_for()
    assert second.locator(".st-key-get_json").count() == 0


def test_fixed_n_is_provisional_and_cannot_be_stopped_for_a_certificate(open_page):
    page = open_page(LONG + "&mode=Fixed+n")
    start(page)
    page.get_by_text("Provisional until the last draw").wait_for()
    assert page.locator(".st-key-stop").count() == 0
    page.locator(".st-key-cancel button:visible").click()
    page.get_by_text("Cancelled: no certificate.").wait_for()


def test_the_attack_shows_what_it_found(open_page):
    page = open_page()
    start(page)
    page.wait_for_selector(".st-key-attack button:visible")
    page.locator(".st-key-attack button:visible").click()
    page.get_by_text("certified radius. Before:").wait_for()
    assert page.get_by_text("an attack that fails proves nothing").count() == 1


def test_the_address_of_a_job_that_is_gone_says_so(open_page):
    page = open_page("job=of-nobody", wait=".st-key-start")
    page.get_by_text("The job of this address is gone").wait_for()
    assert "job=" not in page.url


def test_the_crop_moves_the_exact_tensor(open_page):
    page = open_page("source=Upload")
    send(page, "plain.png", GOOD["plain.png"][0])
    picture = page.locator("[data-testid=stImage]", has_text="exact tensor").locator("img")
    before = picture.get_attribute("src")
    page.get_by_text("Crop", exact=True).click()
    page.locator("[data-testid=stSlider]", has_text="Left to right").locator("input[type=range]").press("Home")
    page.wait_for_function("([node, before]) => node.src !== before", arg=[picture.element_handle(), before])
    start(page)
    page.wait_for_selector(".st-key-get_json button:visible")
    assert json.loads(download(page, "get_json"))["image"]["framing"]["x"] == 0.0


def test_the_pages_lead_to_each_other_and_share_their_settings(open_page):
    page = open_page("sigma=0.5")
    # While the page asks for the rate, Streamlit 1.67 may answer its timer in the place of a click: the last one wins.
    page.get_by_text("measuring …").wait_for(state="detached")
    settle(page)
    page.get_by_role("link", name="Trade-off").click()
    page.wait_for_selector(".st-key-figure_front .js-plotly-plot .main-svg")
    settle(page)
    page.wait_for_function("location.pathname === '/' && location.search.includes('theta=0.6')")
    page.get_by_role("link", name="Certify my image").click()
    page.get_by_text("fashion_mnist-gaussian-0.5 with").wait_for()
    page.wait_for_function("location.pathname === '/certify' && location.search.includes('theta=0.6')")


def title(page: Page) -> str:
    return page.locator("[class*=st-key-result-answer] .result-of b").first.inner_text()


def is_grey(page: Page) -> bool:
    """Whether the result has lost its colours, on the page as it is drawn."""
    result = page.locator("[class*=st-key-result-answer]")
    assert result.count() == 1
    return "grayscale" in result.evaluate("node => getComputedStyle(node).filter")


def test_a_result_stays_with_its_picture_when_another_one_is_uploaded(open_page):
    page = open_page("source=Upload")
    send(page, "first.png", GOOD["plain.png"][0])
    start(page)
    page.wait_for_selector(".st-key-get_json button:visible")
    settle(page)
    assert title(page) == "Result, of first.png at θ 0.600"
    assert not is_grey(page)
    name = "![x](x.invalid)<img src=x onerror=alert(1)> " + 200 * "a" + ".png"
    page.locator(".st-key-upload").get_by_role("button", name="Remove").first.click()
    page.get_by_text("Now chosen: no picture.").wait_for()
    page.locator(".st-key-upload input[type=file]").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": GOOD["palette.png"][0]}
    )
    page.get_by_text("Now chosen: picture ![x](x.invalid)").wait_for()
    settle(page)
    assert title(page) == "Previous result, of first.png at θ 0.600"
    assert is_grey(page)
    assert page.locator(".st-key-get_json button:visible").is_visible() is False  # folded away under what it belongs to
    page.get_by_text("Files of the previous result").click()
    with page.expect_download() as caught:
        page.locator(".st-key-get_json button:visible").click()
    assert caught.value.suggested_filename == "aces-first-certificate.json"
    assert page.locator("[class*=st-key-result] img[src*='invalid'], [class*=st-key-result] img[src='x']").count() == 0
    start(page)
    page.get_by_text("Result, of ![x](x.invalid)").first.wait_for()
    settle(page)
    assert not is_grey(page)


def test_a_result_is_grey_while_the_controls_say_something_else(open_page):
    page = open_page("sigma=0.5")
    start(page)
    page.wait_for_selector(".st-key-get_json button:visible")
    settle(page)
    assert not is_grey(page)
    theta = page.locator(".st-key-theta input[type=range]")
    theta.press("ArrowRight")
    page.get_by_text("Now chosen: θ 0.601.").wait_for()
    assert is_grey(page)
    theta.press("ArrowLeft")
    page.get_by_text("Now chosen").wait_for(state="detached")
    settle(page)
    assert not is_grey(page)
    page.locator(".st-key-example button:has(img)").nth(1).click()
    page.get_by_text("Now chosen: picture").wait_for()
    page.locator(".st-key-example button:has(img)").first.click()
    page.get_by_text("Now chosen").wait_for(state="detached")
    settle(page)
    page.get_by_text("Crop", exact=True).click()
    switch_on(page, "invert-", page.get_by_text("Now chosen: invert on."))
    assert is_grey(page)
    assert title(page).endswith("at θ 0.600")


def test_a_running_job_keeps_its_question_while_the_controls_move(open_page):
    page = open_page(LONG + "&sigma=0.5")
    start(page)
    page.wait_for_selector(".st-key-cancel button:visible")
    page.locator(".st-key-theta input[type=range]").press("ArrowRight")
    page.get_by_text("Now chosen: θ 0.601.").wait_for()
    assert title(page).startswith("Previous job, of ")
    page.locator(".st-key-stop button:not([disabled]):visible").click()
    page.get_by_text("Files of the previous result").click()
    assert from_json(download(page, "get_json")).plan.theta == 0.6


def said_beside(page: Page) -> str:
    """What stands with the answer, as it is read."""
    return page.locator("[class*=st-key-result-answer]").inner_text()


def issued(page: Page) -> Certificate:
    """The certificate of a job that has ended."""
    page.wait_for_selector(".st-key-get_json button:visible")
    settle(page)
    return from_json(download(page, "get_json"))


def test_a_selection_network_is_chosen_certifies_is_checked_and_attacked(open_page, tmp_path):
    page = open_page("sigma=0.25")
    start(page)
    assert issued(page).networks.select is None
    choose(page, "select", SELECTION)
    page.get_by_text(f"Now chosen: selection network {SELECTION}").wait_for()
    settle(page)
    assert is_grey(page)  # the entropies' answer is no answer of the network
    start(page)
    page.get_by_text("Now chosen").wait_for(state="detached")
    page.get_by_text("Scores: draws of the selection network").wait_for()
    page.wait_for_selector(".st-key-get_json button:visible")
    settle(page)
    assert not is_grey(page)
    certificate, image = tmp_path / "certificate.json", tmp_path / "tensor.png"
    certificate.write_bytes(download(page, "get_json"))
    image.write_bytes(download(page, "get_tensor"))
    assert SELECTION in download(page, "get_html").decode()
    made = from_json(certificate.read_bytes())
    assert made.networks.select is not None
    assert (made.networks.select.name, made.networks.mechanism) == (SELECTION, "network")
    assert made.plan.sigma_select == 0.25
    command = [sys.executable, "-m", "engine", "check", str(certificate), str(image), "--resample", "--fraction", "1"]
    environment = os.environ | {"ACES_DEMO": str(DEMO), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{2 * (100 + 10_000):,} draws again, no votes otherwise than recorded" in done.stdout
    page.locator(".st-key-attack button:visible").click()
    page.get_by_text("certified radius. Before:").wait_for()
    assert page.get_by_text("The image before: ").count() == 1


def test_random_noise_is_answered_beside_words_that_say_what_that_is_worth(open_page):
    noise = np.random.default_rng(3).integers(0, 256, (1, 28, 28), np.uint8)
    page = open_page("source=Upload&theta=0.6&sigma=0.25")
    send(page, "noise.png", to_png(noise))
    start(page)
    made = issued(page)
    assert made.outcome == "certified"  # though it has no right label, of which α could be an error rate
    assert promise(made.outcome, made.plan, made.networks.classes) in said_beside(page)
    assert "whether the answer is right is not said" in said_beside(page)
    assert known_classes(made.networks.classes) in said_beside(page)
    assert made.promise is not None
    assert made.promise in download(page, "get_html").decode()


def test_while_it_may_be_stopped_the_same_words_stand_beside_the_answer(open_page):
    page = open_page(LONG)
    start(page)
    page.get_by_text("If you stop now:").wait_for()
    page.get_by_text("whether the answer is right is not said").first.wait_for()
    page.locator(".st-key-cancel button:visible").click()
    page.get_by_text("Cancelled: no certificate.").wait_for()


def test_what_the_core_network_answers_has_its_own_words(open_page):
    page = open_page("", path="certify?theta=0&training=gaussian&sigma=0.25&")
    start(page)
    made = issued(page)
    assert made.outcome == "core"
    assert "its smoothed selection surely chooses the core network, except with probability" in said_beside(page)
    assert promise("core", made.plan, made.networks.classes) in said_beside(page)
