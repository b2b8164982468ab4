"""Figures by class show the counted numbers under the right names, and many or hostile classes as well."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from engine.figures import DARK, LIGHT, Sketch, printed
from engine.figures.classes import MOST, confusion, rates_by_class, reach, routing_by_class, shares
from engine.figures.export import figure_csv
from engine.figures.settings import Terms
from engine.figures.vector import Look
from engine.figures.views import spread
from engine.records.compose import compose
from engine.statistics.aces import Outcome, certify
from engine.statistics.by_class import ByClass, ClassRates, by_class, class_shares
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound
from tests import synthetic
from tests.hostile import HOSTILE

TERMS = Terms(0.01, Correction.INTERSECTION_UNION, 0.5, Bound.MARGIN)
NAMES = [f"class {k}" for k in range(10)]


@pytest.fixture(scope="module")
def c():
    return compose(synthetic.smoothed(0.5, images=60), synthetic.core(60))


@pytest.fixture(scope="module")
def found(c) -> ByClass:
    return by_class(c, 0.4, [0.25], **TERMS.named)


def rows(sketch: Sketch) -> list[dict[str, str]]:
    return list(csv.DictReader(line for line in figure_csv(sketch, {"runs": []}).splitlines() if line[0] != "#"))


def test_rates_stand_over_their_classes_with_their_images(found):
    drawn = rows(rates_by_class(found, NAMES, 0.25, LIGHT))
    nac = [row for row in drawn if row["series"] == "NAC"]
    assert [next(iter(list(row.values())[1:])) for row in nac] == [
        f"class {label} ({images})" for label, images in zip(found.label, found.images, strict=True)
    ]
    assert [float(list(row.values())[2]) for row in nac] == pytest.approx(found.natural.value, rel=1e-6)
    whiskers = rates_by_class(found, NAMES, 0.25, LIGHT).traces[1]["error_y"]
    assert whiskers["array"] == pytest.approx(found.certified.high[:, 0] - found.certified.value[:, 0])


def test_routing_makes_a_hundred_of_every_class(found):
    sketch = routing_by_class(found, NAMES, LIGHT)
    assert np.sum([trace["y"] for trace in sketch.traces], 0) == pytest.approx(100)
    assert {trace["name"] for trace in sketch.traces} == {outcome.label for outcome in Outcome}


def test_a_square_is_a_label_and_an_answer_and_their_number(found):
    drawn = rows(confusion(found, NAMES, LIGHT))
    assert sum(int(row["images"]) for row in drawn) == 60
    right = {row["label"]: int(row["images"]) for row in drawn if row["series"] == "right"}
    assert all(row["label"] == row["answer"] for row in drawn if row["series"] == "right")
    assert right == {
        NAMES[label]: found.confusion[k, label] for k, label in enumerate(found.label) if found.confusion[k, label]
    }
    assert all(row["label"] != row["answer"] for row in drawn if row["series"] != "right")


def test_every_image_is_in_a_bin(c):
    answer = certify(c, [0.4], **TERMS.named)
    made = spread(c, answer, class_shares(c, TERMS.alpha, TERMS.bound), TERMS)
    assert made.radius_right.sum() + made.radius_wrong.sum() + made.uncertified == 60
    assert made.share_right.sum() + made.share_wrong.sum() == 60
    assert made.radius_wrong.sum() == (answer.ended(Outcome.CERTIFIED)[:, 0] & (answer.c_hat != c.label)).sum()
    for theme in (LIGHT, DARK):
        assert [trace["y"].sum() for trace in reach(made, 0.25, theme).traces] == [
            made.radius_right.sum(), made.radius_wrong.sum(),
        ]  # fmt: skip
        assert sum(trace["y"].sum() for trace in shares(made, theme).traces) == 60
    empty = replace(made, radius_right=0 * made.radius_right, radius_wrong=0 * made.radius_wrong)
    assert any("No image" in note["text"] for note in reach(empty, 0.25, LIGHT).annotations)


def of_many(classes: int) -> ByClass:
    ones = np.linspace(0, 100, classes)
    rates = ClassRates(ones, ones, ones)
    by_radius = ClassRates(ones[:, None], ones[:, None], ones[:, None])
    outcomes = np.tile([25.0] * 4, (classes, 1))
    confusion = np.eye(classes, classes + 1, dtype=np.int64)
    images = np.ones(classes, np.int64)
    of = ClassRates(outcomes, outcomes, outcomes)
    return ByClass(np.arange(classes), images, np.array([0.25]), rates, by_radius, of, ones, confusion)


def test_of_many_classes_those_that_are_answered_worst_are_drawn():
    many, names = of_many(1000), [f"n{k}" for k in range(1000)]
    drawn = rates_by_class(many, names, 0.25, LIGHT)
    assert len(drawn.traces[0]["x"]) == MOST
    assert drawn.layout["xaxis"]["ticktext"][-1] == f"n{MOST - 1} (1)"
    assert len(confusion(many, names, LIGHT).to_json()) < 100_000


@pytest.mark.parametrize("dark", [False, True])
def test_names_of_others_are_letters_and_every_figure_prints(found, dark):
    theme = DARK if dark else LIGHT
    names = [HOSTILE[k % len(HOSTILE)] for k in range(10)]
    for sketch in (
        rates_by_class(found, names, 0.25, theme), routing_by_class(found, names, theme), confusion(found, names, theme)
    ):  # fmt: skip
        assert "<script" not in sketch.to_json()
        sketch.finish()
        assert printed.save(sketch, Look(5, 4, serif=False), theme, "svg").startswith(b"<?xml")
