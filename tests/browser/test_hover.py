"""What a reader sees who points at a figure: no radius above the true one, in the library that draws it."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# Points at one point of every trace that has a radius: its true value, and the label that then stands there.
POINTED = """async key => {
  const plot = document.querySelector(`.st-key-${key} .js-plotly-plot`);
  const found = [];
  for (const [curve, trace] of plot._fullData.entries()) {
    const axis = trace.meta && trace.meta.radii;
    if (!axis || trace.hoverinfo === "skip" || !trace[axis].length) continue;
    const values = Array.from(trace[axis], Math.abs);
    const at = values.indexOf(Math.max(...values.filter(v => v < plot._fullLayout[axis + "axis"].range[1])));
    window.Plotly.Fx.hover(plot, [{curveNumber: curve, pointNumber: at}]);
    await new Promise(ready => setTimeout(ready, 100));
    const label = Array.from(plot.querySelectorAll(".hoverlayer text"), t => t.textContent).join(" ");
    found.push([values[at], label, trace.text[at]]);
  }
  return found;
}"""


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("certified-accuracy?theta=0.3", "figure_radius"),
        ("certified-accuracy?theta=0.3", "figure_selected"),
        ("selection?theta=0.3", "figure_signed"),
        ("images?theta=0.3&image=40", "figure_bounds"),
        ("images?theta=0.3", "figure_images"),
    ],
)
def test_pointing_shows_radii_rounded_down(server: str, new_tab: Callable[[], Page], path: str, key: str):
    page = new_tab()
    page.goto(f"{server}/{path}")
    page.wait_for_selector(f".st-key-{key} .js-plotly-plot .main-svg", timeout=60_000)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    found = page.evaluate(POINTED, key)
    assert found
    for true, label, text in found:
        assert text in label
        shown = abs(Decimal(re.sub("[^0-9.]", "", text)))
        assert shown <= Decimal(true) < shown + Decimal("0.001")
