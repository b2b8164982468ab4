"""No text names a larger radius, lower bound or z than was proved: not by pointing, in files, in words or in formulas.

What is drawn here lies a hair below a round number, so that rounding to nearest, at whatever digits, would exceed it.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from app.settings import Terms
from engine import figures
from engine.figures import LIGHT, RADII, export, views
from engine.mechanisms import ENTROPY
from engine.records.compose import Composition, compose
from engine.records.runs import CoreRun, SmoothedRun
from engine.statistics.aces import certify
from engine.statistics.bounds import (
    MAJORITY,
    ceiling,
    lower_confidence_bound,
    round_down,
    round_radius,
    round_up,
    rounded_down,
    z_lower_bound,
)
from engine.statistics.corrections import Correction
from engine.statistics.explain import explain, formulas
from engine.statistics.margin import Bound
from engine.statistics.metrics import standalone
from engine.statistics.separation import signed_radii
from engine.tables import Format, outcome_rows, render
from tests import random_runs

ROOT = Path(__file__).resolve().parents[1]
N, ALPHA, BONFERRONI = 1000, 0.01, Correction.BONFERRONI
THETAS = np.array([0.0, 0.2, 0.4, 0.6, 1.0])
TARGET = 0.95 * (1 - 1e-12)  # to 2, 3, 4 and 9 digits the nearest number is 0.95
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
HOVER = re.compile(r"%\{([^}:]+)(?::([^}]+))?\}")
finite = st.floats(-1e6, 1e6)


@given(finite, st.integers(1, 12))
def test_what_is_rounded_down_never_exceeds_the_float_and_no_larger_number_would_fit(x, digits):
    down = round_down(x, digits)
    assert down <= Decimal(x)
    assert len(down.as_tuple().digits) <= digits
    step = Decimal(1).scaleb(down.adjusted() - digits + 1)
    assert x == 0 or down + step > Decimal(x)


@given(finite, st.integers(0, 9))
def test_to_decimals_as_well_and_for_many_at_once(x, decimals):
    down = round_down(x, decimals=decimals)
    assert down <= Decimal(x) < down + Decimal(1).scaleb(-decimals)
    (one,) = rounded_down([x], decimals)
    assert one <= x
    assert f"{one + 0.0:.{decimals}f}" == f"{down:f}"


@pytest.mark.parametrize("x", [0.3, 0.1, 0.7, 0.9528, 1.9057, 0.5, 2.675, 0.29, 0.57, 5e-324, 1e-9, -0.3])
@pytest.mark.parametrize("decimals", [1, 2, 3, 4, 6])
def test_a_product_that_was_itself_rounded_up_is_no_round_number(x, decimals):
    for value in (x, np.nextafter(x, -9), np.nextafter(x, 9)):
        assert Decimal(float(rounded_down(value, decimals))) - round_down(value, decimals=decimals) < Decimal("1e-9")
        assert (
            f"{float(rounded_down(value, decimals)) + 0.0:.{decimals}f}" == f"{round_down(value, decimals=decimals):f}"
        )


@given(finite, st.integers(1, 9))
def test_a_radius_of_either_sign_loses_size(x, digits):
    assert abs(round_radius(x, digits)) <= abs(Decimal(x))
    assert round_radius(-x, digits) == -round_radius(x, digits)


@given(st.floats(1e-12, 1, exclude_max=True), st.integers(1, 9))
def test_a_level_rounds_up_and_one_that_was_typed_stays(alpha, digits):
    assert round_up(alpha, digits) >= Decimal(repr(alpha))
    assert round_up(0.001, digits) == Decimal("0.001")


def test_what_is_no_number_is_said_by_name():
    assert [str(round_down(x, decimals=4)) for x in (np.nan, np.inf, -np.inf)] == ["NaN", "Infinity", "-Infinity"]
    assert str(round_down(-0.0, decimals=4)) == "0.0000"
    assert str(round_radius(-1e-9, decimals=4)) == "0.0000"
    assert np.isnan(rounded_down(np.nan, 4))


def runs(sigma: float) -> tuple[SmoothedRun, CoreRun]:
    """Six images: class votes unanimous or nearly, selections unanimous for either network over parts of theta."""
    votes = np.array([N, N, N, N - 1, N, N // 2])
    selected = np.array(
        [[1, 1, 1, 1, 1], [0, 1, 1, 1, 1], [0, 0, 1, 1, 1], [0, 1, 1, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1]]
    )
    classes = np.stack([votes, N - votes, np.zeros_like(votes)], 1)
    run = SmoothedRun(
        random_runs.meta("smoothed", 3, sigma=sigma, n0=100, n=N),
        np.arange(6),
        np.zeros(6, int),
        np.repeat([[100, 0, 0]], 6, 0),
        classes,
        THETAS,
        100 * selected,
        N * selected,
        np.full(6, 0.2),
    )
    return run, CoreRun(random_runs.meta("core", 3), run.index, run.label, np.zeros(6, int))


def composition(alpha: float = ALPHA) -> tuple[Composition, SmoothedRun]:
    """Unanimous votes certify ``TARGET`` or a few steps of the last bit less."""
    sigma = TARGET / ceiling(1.0, N, alpha / 2)
    run, core = runs(sigma)
    return compose(run, core), run


@pytest.fixture(scope="module")
def c() -> Composition:
    return composition()[0]


@pytest.fixture(scope="module")
def drawn(c) -> dict[str, figures.Sketch]:
    answer = certify(c, THETAS, ALPHA, BONFERRONI)
    at = certify(c, [0.4], ALPHA, BONFERRONI)
    curves = views.radius_curves(
        c, standalone(composition()[1], ALPHA), at, Terms(ALPHA, BONFERRONI, MAJORITY, Bound.COMPLEMENT)
    )
    fan = views.fan(answer, curves.radii)
    one = certify(c.rows(slice(1, 2)), THETAS, ALPHA, BONFERRONI)
    signed = signed_radii(c, THETAS, ALPHA, BONFERRONI)
    assert signed.min() < -0.94
    return {
        "map": figures.images(views.image_rows(c, at), 0.4, "entropy", LIGHT),
        "answer": figures.answer_over_theta(one, 0.4, LIGHT),
        "bounds": figures.bounds_over_theta(one, 0.4, LIGHT),
        "accuracy": figures.accuracy_over_radius(curves, fan, 0.4, 0.25, 0, LIGHT),
        "selected": figures.selection_over_radius(curves, fan, 0.4, 0.25, 0, LIGHT),
        "signed": figures.signed_radii(signed, THETAS, LIGHT),
    }


def numbers(text: str) -> list[Decimal]:
    return [Decimal(found) for found in NUMBER.findall(text)]


def exceeds(named: Decimal, true: float) -> bool:
    """Whether a number in a text is this one, and more than it: close to it in size, and above."""
    return abs(Decimal(true)) < abs(named) <= abs(Decimal(true)) * Decimal("1.02")


def hovers(trace: dict, at: int) -> str:
    """What a reader sees who points at a point, by plotly's rules."""

    def shown(match: re.Match[str]) -> str:
        value = trace[match[1]][at]
        return format(float(value), match[2]) if match[2] else str(value)

    return HOVER.sub(shown, trace["hovertemplate"])


def pointed_at(sketch: figures.Sketch):
    """(trace, position) of everything that a reader can point at; a trace without texts of its own is none."""
    for trace in sketch.traces:
        if trace.get("hoverinfo") == "skip":
            continue
        assert "hovertemplate" in trace, f"{trace.get('name')} leaves its digits to plotly"
        yield from ((trace, at) for at in range(len(trace["x"])))


def is_a_radius(value: float) -> bool:
    return 0.9 < abs(value) < 1


def test_every_coordinate_that_is_a_radius_says_so(drawn):
    for name in ("map", "answer", "bounds", "signed"):
        for trace in drawn[name].traces:
            assert trace["meta"][RADII] == "y", name
    for name in ("accuracy", "selected"):
        assert {t.get("meta", {}).get(RADII) for t in drawn[name].traces if len(t["x"]) > 1} == {"x"}


def test_pointing_names_no_larger_radius(drawn):
    seen = 0
    for name, sketch in drawn.items():
        for trace, at in pointed_at(sketch):
            axis = trace.get("meta", {}).get(RADII)
            if axis is None:
                continue
            true = float(trace[axis][at])
            text = hovers(trace, at)
            assert not any(exceeds(number, true) for number in numbers(text)), (name, text, true)
            seen += is_a_radius(true) and "0.949" in text
    assert seen > 20


def test_labels_and_legends_name_no_larger_radius(drawn):
    for name, sketch in drawn.items():
        said = [note["text"] for note in sketch.annotations] + [str(t.get("name")) for t in sketch.traces]
        said += map(str, json.loads(sketch.to_json())["layout"]["title"].values())
        found = [number for text in said for number in numbers(text)]
        assert not any(exceeds(number, TARGET) for number in found), (name, said)
    assert "ceiling 0.94" in [note["text"] for note in drawn["accuracy"].annotations]


def test_a_figures_csv_names_no_larger_radius(drawn):
    origin = {"runs": []}
    for name, sketch in drawn.items():
        rows = list(csv.reader(line for line in export.figure_csv(sketch, origin).splitlines() if line[0] != "#"))[1:]
        points = [(t.get("meta", {}).get(RADII), p) for t in sketch.traces for p in zip(t["x"], t["y"], strict=True)]
        assert len(rows) == len(points)
        for (_, x, y), (axis, point) in zip(rows, points, strict=True):
            if axis is not None:
                text, true = (x, point[0]) if axis == "x" else (y, point[1])
                assert abs(Decimal(text)) <= abs(Decimal(float(true))), name
                assert float(text) == pytest.approx(true, rel=2e-8), name


@pytest.mark.parametrize("form", Format)
def test_no_table_of_outcomes_names_a_larger_radius(c, form):
    answer = certify(c, [0.4], ALPHA, BONFERRONI)
    rows = outcome_rows(answer, answer.prediction()[:, 0], c.score_median)
    text = render(rows, form) + export.table(rows, form, {"runs": []} if form is not Format.JSON else {})
    text += export.report("a", rows, {}, {})
    assert not any(exceeds(number, TARGET) for number in numbers(text)), text
    assert "0.949" in text
    if form is Format.CSV:
        assert "0.949999999" in text


@pytest.mark.parametrize(
    ("what", "alpha", "target"),
    [
        ("radius", ALPHA, TARGET),
        ("p", 2 * (0.995 * (1 - 1e-9)) ** N, 0.995 * (1 - 1e-9)),
        ("z", 2 * float(ndtr(2.5 * (1 - 1e-9))) ** N, 2.5 * (1 - 1e-9)),
    ],
)
def test_formulas_name_no_larger_radius_bound_or_z(what, alpha, target):
    made, _ = composition(alpha)
    bound = float(lower_confidence_bound(N, N, alpha / 2))
    z = float(z_lower_bound(N, N, alpha / 2))
    assert {"radius": TARGET, "p": bound, "z": z}[what] == pytest.approx(target, rel=1e-7)
    e = explain(made, 1, 0.4, alpha, BONFERRONI, ENTROPY.words)
    text = " ".join(tex for _, tex in formulas(e, ("a", "b", "c")))
    for true in (TARGET, bound, z):
        near = [number for number in numbers(text) if abs(float(number) / true - 1) < 2e-4]
        assert near
        assert not any(number > Decimal(true) for number in near), text


def test_a_level_in_a_formula_is_not_less_than_what_was_spent():
    made, _ = composition(ALPHA)
    e = explain(made, 1, 0.4, 0.001, Correction.SIMULTANEOUS, ENTROPY.words)
    assert f"LCB}}({N}, {N}, 0.00000496)" in formulas(e, ("a", "b", "c"))[1][1]  # 0.001 / 202 = 0.00000495049...


CLAIMS = re.compile(r"ceiling|\bradius|radius_|\bp_[as]\b|p_select|p_certify|\.p\b|\bz\b|lower_bound")
# Radii that the reader chose, or that a table prints; where the reader's slider of attacks begins; what is refused.
CHOSEN = {
    "radius",
    "settings.radius",
    "self.radius",
    "plan.radius",
    "value.radius",  # until which a question draws
    "series.radii[at]",
    "2 * radius",
}


def test_no_format_rounds_a_claim_to_nearest():
    """Every place where the source formats what is called a radius or a bound, by its name."""
    wrong = []
    for path in sorted(
        [*(ROOT / "app").rglob("*.py"), *(ROOT / "engine").rglob("*.py"), *(ROOT / "cache").rglob("*.py")]
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
                what, form = ast.unparse(node.value), ast.unparse(node.format_spec)
                if CLAIMS.search(what) and re.search(r"\.\d+[fge]|g'", form) and what not in CHOSEN:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {what}")
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("round", "int") and node.args:
                what = ast.unparse(node.args[0])
                if CLAIMS.search(what) and what not in CHOSEN:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert not wrong
