from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from engine.records.compose import compose
from engine.statistics.intervals import rate_interval
from engine.statistics.metrics import evaluate
from tests import synthetic
from tests.app_pages import CERTIFIED, IMAGES, captions, specs


def test_certified_accuracy_may_stand_against_natural_accuracy(open_page):
    page = open_page(measure="certified accuracy at r")
    title = json.loads(specs(page)[0])["layout"]["yaxis"]["title"]["text"]
    assert title == "certified accuracy at r 0.25 [%]"


def test_the_table_of_the_paper_stands_under_the_curves(open_page):
    page = open_page(CERTIFIED, theta="0.3", fan="0.5")
    (html,) = [one.proto.body for one in page.get("html") if "data-radii" in one.proto.body]
    rows = [re.findall("<t[hd].*?>(.*?)</t[hd]>", row) for row in html.split("<tr")[1:]]
    table = pd.DataFrame([row[1:] for row in rows[1:]], [row[0] for row in rows[1:]], rows[0][1:])
    m = evaluate(compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES)), [0.3, 0.5], bound="margin")
    assert table.index.tolist() == ["θ 0.300", "θ 0.500", "certification network only", "core network only"]
    assert table.loc["θ 0.500", "ACR"] == f"{m.acr[1]:.3f}"
    assert table.loc["θ 0.300"].iloc[3:].tolist() == [f"{rate:.1f}" for rate in m.certified_accuracy[0]]
    low, high = rate_interval(m.nac[:1], IMAGES)
    assert table.loc["θ 0.300", "95 % interval"] == f"{low[0]:.1f}–{high[0]:.1f}"
    assert "<tr data-follows='own'><th scope=row>θ 0.300" in html


@pytest.mark.parametrize(("r", "drawn"), [("0.25", True), ("0.3", False)])
def test_the_papers_tables_are_on_certified_accuracy_fronts_or_missed_aloud(open_page, r, drawn):
    label = "ImageNet, Consistency, σ 0.5"
    page = open_page(measure="certified accuracy at r", radius=r, paper=label)
    assert ("paper: ImageNet, Consistency" in specs(page)[0]) == drawn
    assert ("print no certified accuracy at r 0.3" in captions(page)) == (not drawn)
