"""app.widgets.take_away: the file of what was chosen, or a sentence that says why there is none."""

from __future__ import annotations

import yaml
from streamlit.testing.v1 import AppTest


def draw(demo: str) -> None:
    from pathlib import Path

    from app.widgets import take_away
    from cache.catalog import Catalog
    from engine.figures.numbers import Numbers
    from engine.figures.settings import Settings
    from engine.single_image.system_file import MeasuredPoint
    from engine.statistics.intervals import Estimate

    numbers = Numbers(Catalog(demo=Path(demo)))
    choice = numbers.choice("fashion_mnist-gaussian-0.5", "fashion_mnist-core")
    one = Estimate(75.0, 71.0, 79.0)
    take_away.show(Settings(choice, theta=0.25), MeasuredPoint(500, "chosen", "ACR", one, one))


def test_the_file_says_the_point_and_the_script_uses_it():
    from cache.catalog import DEMO

    page = AppTest.from_function(draw, kwargs={"demo": str(DEMO)}).run()
    assert not page.exception
    assert [expander.label for expander in page.expander] == ["Take it away: system.yaml, Python, a server"]
    assert "System.load('system.yaml')" in page.code[0].value


def test_what_is_written_is_the_view():
    from app.widgets.take_away import FILE
    from cache.catalog import DEMO, Catalog
    from engine.figures.deploy import deployed
    from engine.figures.numbers import Numbers
    from engine.figures.settings import Settings
    from engine.single_image.system_file import to_yaml

    choice = Numbers(Catalog(demo=DEMO)).choice("fashion_mnist-gaussian-0.5", "fashion_mnist-core")
    data = yaml.safe_load(to_yaml(deployed(Settings(choice, theta=0.25, t=0.4)), FILE))
    assert (data["settings"]["theta"], data["settings"]["t"], data["settings"]["sigma"]) == (0.25, 0.4, 0.5)
    assert data["provenance"]["runs"] == {"certify": "fashion_mnist-gaussian-0.5", "core": "fashion_mnist-core"}


def test_without_networks_a_sentence_says_which_are_missing(monkeypatch, tmp_path):
    from cache.catalog import DEMO

    monkeypatch.setenv("ACES_DEMO", str(tmp_path))
    monkeypatch.setenv("ACES_MODELS", str(tmp_path))
    page = AppTest.from_function(draw, kwargs={"demo": str(DEMO)}).run()
    assert not page.exception
    assert not page.expander
    assert page.caption[0].value.startswith("Not to be taken away: the weights of ")
