from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from app.settings import Choice, Settings
from engine.figures import DARK, LIGHT, Sketch, export
from engine.figures.base import empty
from engine.records.meta import Meta, NetworkInfo
from engine.statistics.chains import Later
from engine.tables import Format

CERTIFY = Meta(
    "smoothed", "net", "d", 10, sigma=0.5, n0=100, n=1000, network=NetworkInfo("net", "abc", "gaussian", 0.5)
)
SETTINGS = Settings(Choice("gaussian", "0.5", CERTIFY, Meta("core", "core", "d", 10)), theta=0.4)
ORIGIN = export.provenance(SETTINGS, 500, {"net": "d1", "core": "d2"}, address="http://here/?theta=0.4")
ROWS = [{"theta": 0.4, "nac": 81.2, "radius": Decimal("0.1234"), "area": float("nan")}]


def test_provenance_names_settings_runs_digests_and_version():
    assert (ORIGIN["theta"], ORIGIN["alpha"], ORIGIN["images"]) == (0.4, 0.001, 500)
    assert (ORIGIN["correction"], ORIGIN["bound"]) == ("intersection-union", "margin")
    certify, core = ORIGIN["runs"]
    assert (certify["name"], certify["content_sha256"], certify["n"]) == ("net", "d1", 1000)
    assert certify["network"]["sha256"] == "abc"
    assert core == {"name": "core", "kind": "core", "dataset": "d", "content_sha256": "d2"}
    assert re.fullmatch(r"ACES Explorer \S+", ORIGIN["made_by"])


def test_csv_has_its_provenance_as_comments_and_missing_numbers_empty():
    text = export.table(ROWS, Format.CSV, ORIGIN)
    assert "# theta: 0.4\n" in text
    body = [line for line in text.splitlines() if not line.startswith("#")]
    assert list(csv.DictReader(body)) == [{"theta": "0.4", "nac": "81.2", "radius": "0.1234", "area": ""}]


def test_json_keeps_provenance_beside_the_rows_and_missing_numbers_null():
    read = json.loads(export.table(ROWS, Format.JSON, ORIGIN), parse_constant=pytest.fail)
    assert read["provenance"] == ORIGIN
    assert read["rows"] == [{"theta": 0.4, "nac": 81.2, "radius": 0.1234, "area": None}]


def test_latex_is_a_booktabs_table_below_comments():
    text = export.table(ROWS, Format.LATEX, ORIGIN)
    assert all(line.startswith("% ") for line in text.split("\\begin")[0].splitlines())
    assert r"\toprule" in text
    assert "nan" not in text


def test_latex_sets_names_as_they_stand_and_keeps_the_digits_of_small_numbers():
    rows = [{"run": "a_b", "composition": "σ 0.25 · net", "area": 0.9512, "trained at σ": None, "nac": 93.04}]
    text = export.table(rows, Format.LATEX, ORIGIN)
    assert r"run & composition & area & trained at $\sigma$ & nac \\" in text
    assert r"a\_b & $\sigma$ 0.25 $\cdot$ net & 0.9512 &  & 93.0 \\" in text


def test_a_figure_as_csv_has_a_row_a_point():
    figure = Sketch({})
    figure.add_scatter(x=[0.5, 1.0], y=[1.0, np.nan], name="<b>θ</b>")
    figure.add_bar(x=[1], y=["a"])
    body = [line for line in export.figure_csv(figure, ORIGIN).splitlines() if not line.startswith("#")]
    assert body == ["series,x,y", "θ,0.5,1", "θ,1,", "series 2,1,a"]


def test_a_report_stands_alone_and_shares_nothing():
    figures = {"one": Sketch({}), "two": Sketch({})}
    text = export.report("A & B", ROWS, figures, ORIGIN)
    assert text.count("sendChartToCloud") >= len(figures)
    assert not re.search(r"<(script|link)[^>]+(src|href)=", text)
    assert "<h1>A &amp; B</h1>" in text
    assert "<td>missing</td>" in text
    assert text.count('class="plotly-graph-div"') == 2


def test_a_second_stage_stands_in_provenance_report_and_title():
    then = Later(replace(CERTIFY, name="behind"), 0.6, 0.2)
    view = replace(SETTINGS, choice=replace(SETTINGS.choice, then=then))
    origin = export.provenance(view, 500, {"net": "d1", "core": "d2", "behind": "d3"}, address="http://here/")
    assert origin["then"] == {"run": "behind", "theta": 0.6, "votes": 0.2}
    assert '# then: {"run": "behind", "theta": 0.6, "votes": 0.2}\n' in export.table(ROWS, Format.CSV, origin)
    assert "then gaussian σ 0.5, θ 0.600, t 0.2, first stage θ 0.400, α 0.001" in export.title(view)
    by_votes = replace(SETTINGS, choice=replace(SETTINGS.choice, by_votes=True), theta=0.7)
    assert export.title(by_votes).endswith("p₀ 0.700, α 0.001")


def test_what_a_row_has_no_number_of_is_not_missing():
    text = export.report("A", [{"theta": None, "p0": 0.7, "area": float("nan")}], {}, ORIGIN)
    assert "<td>—</td><td>0.7</td><td>missing</td>" in text


def test_columns_of_a_figure_are_called_as_its_axes_and_single_precision_has_seven_digits():
    figure = Sketch({"xaxis_title": {"text": "NAC [%]"}, "yaxis_title": {"text": "radius"}})
    figure.add_scatter(x=np.array([45.4], np.float32), y=np.array([0.5]), name="a", meta={"radii": "y"})
    body = [line for line in export.figure_csv(figure, ORIGIN).splitlines() if not line.startswith("#")]
    assert body == ["series,NAC [%],radius", "a,45.4,0.5"]
    figure.add_scatter(x=[1], y=[2], name="b", yaxis="y2")
    assert "series,NAC [%],y\n" in export.figure_csv(figure, ORIGIN)


def test_columns_for_people_say_what_they_are():
    row = {"theta": 0.1, "nac": 1.0, "acr": 0.1, "cert_0.25": 2.0, "select_0.25": 3.0, "natural_prediction": 4, "x": 5}
    assert list(export.readable([row])[0]) == [
        "θ", "NAC [%]", "ACR", "certified accuracy at r 0.25 [%]", "certified selection rate at r 0.25 [%]",
        "natural prediction", "x",
    ]  # fmt: skip


def test_estimates_have_digits_that_mean_something_and_radii_keep_theirs():
    (row,) = export.readable([{"nac": 45.400001, "acr": 0.53039412, "radius": Decimal("0.123456789"), "low": 1 / 3}])
    assert row == {"NAC [%]": 45.4, "ACR": 0.530394, "radius": Decimal("0.123456789"), "low": 1 / 3}
    assert export.readable([{"nac": float("nan"), "theta": None}])[0]["θ"] is None


def test_a_report_names_its_networks_and_captions_its_figures():
    hostile = replace(SETTINGS, choice=replace(SETTINGS.choice, core_run=Meta("core", "<b>&core", "d", 10)))
    drawn = {"theta": empty("a", "x", "y", LIGHT), "map": empty("b", "x", "y", DARK)}
    text = export.report("A", ROWS, drawn, ORIGIN, export.facts(hostile, 500))
    assert "<dt>Core network</dt><dd>&lt;b&gt;&amp;core</dd>" in text
    assert "<dt>Images</dt><dd>500 of d</dd>" in text
    assert "<td>81.2</td><td>0.400</td>" in export.report("A", [{"NAC [%]": 81.23, "ACR": 0.4}], {}, ORIGIN)
    assert f"<figcaption>Figure 1. {export.CAPTIONS['theta']}</figcaption>" in text
    assert text.count("<figure class=dark>") == 1
