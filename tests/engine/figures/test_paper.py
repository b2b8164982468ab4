from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.figures import paper, vector
from engine.figures.paper import ACR, Aspect, NetworkAlone
from engine.figures.vector import Bars, Curve
from tests.engine.figures.drawn import HISTOGRAM, front

SMALL, LARGE = front("a", core=(90.0, 0.0)), front("b", nac=(95.0, 90.0, 80.0), core=(95.0, 0.0))
NAMES = {"σ a": "small", "σ b": "large"}
ALONE = [NetworkAlone("n", 0.25, 0.25, 79.0, 0.31), NetworkAlone("m", 0.5, 0.5, 70.0, 0.5)]


def curves(plate, k=0) -> list[Curve]:
    return list(plate.panels[k].parts)


def names(plate) -> list[str]:
    return [part.name for part in curves(plate) if part.name]


def test_fig_1_has_a_front_a_composition_a_square_a_core_and_triangles():
    plate = paper.fronts([Aspect(ACR, [SMALL, LARGE], ALONE)], NAMES)
    assert names(plate) == ["small", "large", "core alone", "smoothed alone"]
    squares = [(part.x[0], part.y[0], part.color) for part in curves(plate) if part.marker == "s" and len(part.x)]
    assert [(x, y) for x, y, _ in squares] == [(90.0, 0.0), (95.0, 0.0)]
    assert [color for _, _, color in squares] == [part.color for part in curves(plate)[:2]]
    triangles = next(part for part in curves(plate) if part.marker == "^")
    assert (triangles.x.tolist(), triangles.y.tolist()) == ([79.0, 70.0], [0.31, 0.5])


def test_a_core_that_several_fronts_share_is_drawn_once():
    plate = paper.fronts([Aspect(ACR, [SMALL, replace(LARGE, core=SMALL.core)])], NAMES)
    assert sum(part.marker == "s" and len(part.x) > 0 for part in curves(plate)) == 1


def test_dots_stand_where_a_front_moves():
    at = np.linspace(0, 1, 1001)
    still = np.where(at < 0.5, 90.0, 80.0)
    plate = paper.fronts([Aspect(ACR, [replace(SMALL, thetas=at, nac=still, robustness=at * 0)])], NAMES)
    assert curves(plate)[0].at.tolist() == [0, 500]


def test_a_panel_of_zeros_still_has_an_axis():
    assert paper.fronts([Aspect(ACR, [replace(SMALL, robustness=np.zeros(3))])], NAMES).panels[0].high == (None, 1.0)
    assert paper.fronts([Aspect(ACR, [SMALL])], NAMES).panels[0].high == (None, None)


def test_fig_2_is_coloured_by_noise_dashed_by_core_and_dotted_by_network():
    levels = [NetworkAlone("n", 0.25, noise, 80 - 40 * noise, noise) for noise in (0.5, 0.25, 0.125)]
    other = NetworkAlone("m", 0.5, 0.5, 70.0, 0.5)
    cores, noises = {"σ a": "one", "σ b": "two"}, {"σ a": 0.25, "σ b": 0.25}
    plate = paper.fronts_by_noise([Aspect(ACR, [SMALL, LARGE], [*levels, other])], cores, noises)
    assert names(plate) == [
        "trained at σ 0.25", "trained at σ 0.5", "ACES, core one", "ACES, core two", "smoothed alone, by evaluation σ",
        "smoothed alone",
    ]  # fmt: skip
    dotted, triangle, first, second = (part for part in curves(plate) if len(part.x))
    lines = {part.marker + part.dash: part for part in (dotted, triangle)}
    assert lines["odotted"].y.tolist() == [0.125, 0.25, 0.5]
    assert lines["^"].color != lines["odotted"].color == first.color == second.color
    assert (first.dash, second.dash) == ("solid", "dashed")


def test_fig_3_stacks_what_is_not_certifiable_upon_what_is():
    plate = paper.histogram(HISTOGRAM, 3.0, "entropy")
    certifiable, other = plate.panels[0].parts
    assert isinstance(certifiable, Bars)
    assert isinstance(other, Bars)
    assert (certifiable.counts.tolist(), other.base.tolist()) == ([5, 3, 0, 0], [5, 3, 0, 0])
    assert other.counts.tolist() == [0, 1, 4, 2]
    assert certifiable.name == "certifiably correct at r = 3"


def test_fig_6_sorts_every_threshold_for_itself():
    plate = paper.signed_radii(np.array([[0.5, -1.0], [-0.5, 1.0]]), (0.1, 0.9))
    zero, first, second = curves(plate)
    assert not zero.y.any()
    assert (first.y.tolist(), second.y.tolist()) == ([-0.5, 0.5], [-1.0, 1.0])
    assert first.x.tolist() == [25.0, 75.0]
    vector.svg(paper.signed_radii(np.empty((0, 1)), (0.1,)), vector.Look())


def test_fig_7_marks_thresholds_and_names_those_that_coincide_once():
    plate = paper.marked_front(Aspect(ACR, [SMALL], ALONE), (0.0, 0.1, 0.5), NAMES)
    assert [(note.x, note.text) for note in plate.panels[0].notes] == [(90.0, "0"), (85.0, "0.5")]
    assert paper.marked_front(Aspect(ACR, [SMALL]), (), NAMES).panels[0].notes == ()


def test_curves_have_both_networks_alone():
    radii, rate = np.array([0, 0.5, 1.0]), np.array([90.0, 40.0, 0.0])
    plate = paper.curves(radii, {0.1: rate}, rate / 2, 91.0, "θ")
    assert names(plate) == ["θ = 0.1", "smoothed alone", "core alone"]
    assert curves(plate)[-1].y.tolist() == [91.0]


def test_what_the_paper_prints_is_dotted_in_grey():
    printed = {"paper: a": (np.array([70.0, 60.0]), np.array([0.1, 0.2]))}
    last = curves(paper.fronts([Aspect(ACR, [SMALL], (), printed)], NAMES))[-1]
    assert (last.name, last.dash, last.y.tolist()) == ("paper: a", "dotted", [0.1, 0.2])
