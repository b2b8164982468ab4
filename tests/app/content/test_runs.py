"""The Runs page with the engine's own processes behind it: a tiny network on a folder of pictures."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest

from app import catalog
from app.services import precompute
from app.services.limits import Limits
from app.services.precompute import DrawRule
from app.services.work import PLACES, Kind
from cache import Store
from engine.datasets import own_card
from engine.figures.headlines import best_point
from engine.models import architecture, assemble
from tests import app_pages, synthetic
from tests.app_pages import captions, damage
from tests.waiting import wait_until

IMAGES, N0, N = 3, 100, 100_000  # enough that it can be cancelled on a fast machine as well
PATIENCE = 240  # looks, half a second apart


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config of one's own, its pictures and an untrained network; the demo is empty."""
    folder = tmp_path / "configs"
    for k, name in enumerate(["dark/a.png", "bright/b.png", "grey/c.png"]):
        (folder / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (60 * k, 0, 0)).save(folder / "own" / name)
    body = assemble(architecture("resnet8"), own_card("own", folder / "own", 8)).body
    save_file(body.state_dict(), folder / "tiny.safetensors")
    (folder / "tiny.yaml").write_text(
        f"dataset: own\ndata: {{path: own, size: 8}}\nn0: {N0}\nn: {N}\n"
        "certify: [{checkpoint: tiny.safetensors, sigma: [0.25]}]\n"
    )
    monkeypatch.setenv("ACES_CONFIGS", str(folder))
    monkeypatch.setenv("ACES_DEMO", str(tmp_path / "nothing"))
    return folder


@pytest.mark.slow
def test_sampling_is_estimated_started_cancelled_resumed_and_then_in_the_catalog(configs, open_app):
    page = open_app("runs", config="tiny.yaml")
    assert not page.button(key="estimate").disabled
    assert "start_sampling" not in keys(page)  # not before the reader knows what it takes
    page.button(key="estimate").click().run(timeout=120)
    (row,) = page.dataframe[0].value.to_dict("records")
    assert (row["run"], row["images"], row["draws"], row["cached"]) == ("tiny", IMAGES, IMAGES * (N0 + N), 0)
    page.button(key="start_sampling").click().run()
    assert button(page, "cancel")
    assert "start_sampling" not in keys(page)  # the answer was of what is stored no longer
    other = open_app("runs")  # a second browser
    until(other, lambda: f"1 of {IMAGES} images" in said(other))
    assert "draws/s" in said(other)
    button(other, "cancel").click().run()
    until(page, lambda: "draws are kept" in said(page))
    page.button(key="estimate").click().run(timeout=120)
    assert 0 < page.dataframe[0].value["cached"][0] < IMAGES * (N0 + N)
    button(page, "resume").click().run()
    until(page, lambda: "made tiny" in said(page) and "name" in page.dataframe[0].value)
    (run,) = page.dataframe[0].value.to_dict("records")
    assert (run["name"], run["n"]) == ("tiny", N)


@pytest.mark.slow
def test_sampling_that_is_killed_is_not_done_and_goes_on_where_it_was(configs, open_app):
    page = open_app("runs", config="tiny.yaml")
    page.button(key="estimate").click().run(timeout=120)
    page.button(key="start_sampling").click().run()
    until(page, lambda: f"1 of {IMAGES} images" in said(page))
    (job,) = (catalog.store() / precompute.FOLDER).glob(f"*/{precompute.JOB}")
    os.kill(json.loads(job.read_text())["pid"], signal.SIGKILL)
    until(page, lambda: "SIGKILL" in "".join(error.value for error in page.error))
    assert "failed" in said(page)
    assert "draws are kept" in said(page)
    button(page, "resume").click().run()
    until(page, lambda: "made tiny" in said(page))


@pytest.mark.slow
def test_what_a_precompute_would_refuse_is_said_before_it_starts(configs, open_app):
    (configs / "tiny.safetensors").unlink()
    page = open_app("runs", config="tiny.yaml")
    page.button(key="estimate").click().run(timeout=120)
    assert "no checkpoint at" in page.error[0].value
    assert "start_sampling" not in keys(page)


def test_an_estimate_while_another_is_made_is_refused_in_a_sentence(configs, open_app):
    page = open_app("runs", config="tiny.yaml")
    with PLACES.held(Kind.ESTIMATE, "another session", Limits()):
        page.button(key="estimate").click().run()
    assert ["for somebody else" in error.value for error in page.error] == [True]
    assert "start_sampling" not in keys(page)


@pytest.mark.timeout(120)
def test_the_page_lives_with_configs_of_every_kind(configs, open_app):
    text = "dataset: own # café\ncertify: [{checkpoint: tiny.safetensors}]\n"
    for encoding in ("latin-1", "utf-16", "utf-8-sig"):
        (configs / f"{encoding}.yaml").write_bytes(text.encode(encoding))
    (configs / "folder.yaml").mkdir()
    (configs / "nowhere.yaml").symlink_to(configs / "absent")
    os.mkfifo(configs / "pipe.yaml")
    page = open_app("runs", config="latin-1.yaml")
    assert not page.exception
    listed = page.selectbox(key="config").options
    assert {"latin-1.yaml", "utf-16.yaml", "utf-8-sig.yaml", "tiny.yaml"} <= set(listed)
    assert not {"folder.yaml", "nowhere.yaml", "pipe.yaml"} & set(listed)


def test_an_estimate_is_of_the_config_as_it_was(configs, open_app, monkeypatch):
    planned = (precompute.Planned("tiny", "smoothed", IMAGES, 100, 0, 1.0),)
    monkeypatch.setattr(precompute, "plan", lambda *_: planned)
    page = open_app("runs", config="tiny.yaml")
    page.button(key="estimate").click().run()
    assert "start_sampling" in keys(page)
    page.run()
    assert "start_sampling" in keys(page)
    config = configs / "tiny.yaml"
    config.write_text(config.read_text().replace("sigma: [0.25]", "sigma: [0.5]"))
    page.run()
    assert "start_sampling" not in keys(page)


def test_the_rule_that_is_chosen_is_the_one_that_begins(configs, open_app, monkeypatch):
    planned, begun = (precompute.Planned("tiny", "smoothed", IMAGES, 100, 0, 1.0),), []
    monkeypatch.setattr(precompute, "plan", lambda *_: planned)
    monkeypatch.setattr(precompute, "start", lambda *asked, **how: begun.append((*asked[2:], how)))
    for address, rule in {
        "As the config says": DrawRule(),
        "Lose 1 %": DrawRule(lose="1%", theta="0.3"),
        "Lose 5 %": DrawRule(lose="5%", theta="0.3"),
        "Until decided": DrawRule(decide="r=0.25,0.5", theta="0.3"),
    }.items():
        page = open_app("runs", config="tiny.yaml", rule=address, rule_theta="0.3")
        page.button(key="estimate").click().run()
        assert ("At most" if rule != DrawRule() else "About") in said(page)
        page.button(key="compare_budgets").click().run()
        assert begun.pop() == (None, DrawRule(decide=rule.decide or "r=0.25", theta=rule.theta), {"compares": True})
        page.button(key="start_sampling").click().run()
        assert begun.pop() == (None, rule, {"compares": False})


@pytest.mark.slow
def test_budgets_are_compared_before_anything_is_begun_and_one_is_chosen(configs, open_app):
    config = configs / "tiny.yaml"
    config.write_text(config.read_text().replace(f"n: {N}", "n: 2000"))
    page = open_app("runs", config="tiny.yaml", rule="Until decided", rule_r="0.1")
    page.button(key="estimate").click().run(timeout=120)
    page.button(key="compare_budgets").click().run()
    until(page, lambda: "the guess draws are stored" in said(page))
    (rows,) = [frame.value.to_dict("records") for frame in page.dataframe if "rule" in frame.value]
    assert [row["rule"] for row in rows] == [
        "n = 2,000 for every image",
        "lose 1 %",
        "lose 2 %",
        "lose 5 %",
        "decide r 0.1",
    ]
    assert rows[0]["draws"] == IMAGES * 2000 > rows[-1]["draws"]
    page.button(key="estimate").click().run(timeout=120)
    page.button(key="start_sampling").click().run()
    until(page, lambda: "made tiny" in said(page))
    with Store(catalog.store()) as store:
        assert store.find("tiny").meta.decided["r"] == [0.1]


def keys(page: AppTest) -> list[str]:
    return [button.key for button in page.button]


def button(page: AppTest, action: str):
    (key,) = (key for key in keys(page) if key.startswith(f"{action}-"))
    return page.button(key=key)


def said(page: AppTest) -> str:
    progress = [bar.proto.text for bar in page.get("progress")]
    return "\n".join([*progress, *(markdown.value for markdown in page.markdown)])


def until(page: AppTest, wanted: Callable[[], bool]) -> None:
    for _ in range(PATIENCE):
        page.run()
        if wanted():
            return
        time.sleep(0.5)
    raise AssertionError(said(page))


def test_the_catalog_is_listed_on_the_runs_page_also_when_it_is_empty(open_page, tmp_path, monkeypatch):
    listed = open_page("runs").dataframe[0].value
    assert set(listed["kind"]) == {"smoothed", "core"}
    assert len(listed) == 5
    monkeypatch.setenv("ACES_DEMO", str(tmp_path / "nothing"))
    empty = open_page("runs")
    assert "Nothing yet" in empty.info[0].value
    assert "checkpoint:" in empty.code[0].value


def test_every_certification_run_has_its_best_front_point_once_these_are_worked_out(open_page):
    page = open_page("runs")
    table = page.dataframe[0].value.set_index("name")
    run, core = synthetic.smoothed(0.5, app_pages.IMAGES), synthetic.core(app_pages.IMAGES)
    best = best_point(run, core)
    assert best is not None
    row = table.loc[run.meta.name]
    assert row["best ACR"] == pytest.approx(best.acr)
    assert row["its NAC"] == pytest.approx(best.nac)
    assert (row["at θ"], row["with core"]) == (best.theta, core.meta.name)
    assert table.loc[core.meta.name, ["best ACR", "its NAC", "at θ", "with core"]].isna().all()
    assert "being worked out" not in captions(page)


def test_a_damaged_run_has_no_numbers_and_the_page_ends(open_page, demo):
    damage(demo, synthetic.certify_name(0.5))
    catalog.look_again()
    page = open_page("runs")
    assert not page.exception
    assert "being worked out" not in captions(page)
    table = page.dataframe[0].value.set_index("name")
    assert table["best ACR"].notna().sum() == 2


def test_a_precompute_that_was_started_elsewhere_is_shown(open_page, tmp_path, monkeypatch):
    code = 'print(\'{"event": "run", "images": 4, "meta": {"name": "net"}}\')'
    monkeypatch.setattr(precompute, "command_for", lambda *_, **__: [sys.executable, "-c", code])
    id = precompute.start(tmp_path / "store", Path("a.yaml"))
    page = open_page("runs")
    assert any("a.yaml" in markdown.value for markdown in page.markdown)
    running = precompute.State.RUNNING
    wait_until(lambda: precompute.every(tmp_path / "store")[0].state is not running, "the precompute's end")
    page.run()
    page.button(key=f"dismiss-{id}").click().run()
    assert not any("a.yaml" in markdown.value for markdown in page.markdown)
