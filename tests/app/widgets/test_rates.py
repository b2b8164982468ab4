"""app.widgets.rates: a table whose names are text and whose missing numbers are said to be missing."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def draw() -> None:
    from math import nan

    from app.widgets.rates import ALONE, RateRow, table
    from engine.statistics.intervals import Estimate

    rows = [
        RateRow("θ 0.300", Estimate(91.25, 88.0, 93.04), 0.12345, [91.25, 40.0], "0.3"),
        RateRow("<b>'x'", Estimate(nan, nan, nan), 0.0, [0.0, 0.0], ALONE),
        RateRow("core alone", Estimate(95.0, 92.0, 97.0), 0.0, [95.0, 0.0]),
    ]
    table(rows, (0.0, 0.25), "it's <rates>", own=0)


def test_rows_are_text_and_say_what_they_follow():
    page = AppTest.from_function(draw).run()
    html = page.get("html")[0].proto.body
    assert "<th scope=row>θ 0.300</th><td>91.2</td><td>88.0–93.0</td><td>0.123</td><td>91.2</td><td>40.0</td>" in html
    assert "<tr data-follows='alone'><th scope=row>&lt;b&gt;&#x27;x&#x27;</th><td>missing</td>" in html
    assert "<td>missing–missing</td>" not in html
    assert [part.split("'")[0] for part in html.split("data-follows='")[1:]] == ["own", "alone", ""]
    assert "data-radii='[0.0, 0.25]'" in html
    assert "aria-label='it&#x27;s &lt;rates&gt;'" in html
