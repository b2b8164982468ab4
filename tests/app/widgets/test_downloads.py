from __future__ import annotations

from app import data
from app.settings import Choice, Settings
from app.widgets import downloads
from engine.mechanisms import ENTROPY, NETWORK
from engine.records.compose import compose
from engine.statistics.metrics import evaluate
from engine.tables import Format, render
from tests import synthetic
from tests.app_pages import IMAGES


def test_tables_for_people_call_the_score_by_its_name_and_those_for_programs_keep_theirs():
    rows = [{"index": 1, "entropy_median": 0.25}]
    assert [list(row) for row in downloads.in_words(rows, ENTROPY.words)] == [["index", "entropy (median)"]]
    named = downloads.in_words(rows, NETWORK.words)
    assert named == [{"index": 1, "selection score (median)": 0.25}]
    assert "0.25" in render(named, Format.LATEX)
    assert "entropy_median" in render(rows, Format.CSV)


def test_tables_hold_the_engines_numbers_for_every_front_threshold_and_image(demo):
    data.look_again()
    choices = tuple(
        Choice("gaussian", f"{sigma:g}", synthetic.smoothed(sigma, IMAGES).meta, synthetic.core(IMAGES).meta)
        for sigma in synthetic.SIGMAS
    )
    view = Settings(choices[0], theta=0.3, drawn=choices)
    rows = downloads.fronts_table(view)
    assert [row["sigma"] for row in rows] == ["0.25", "0.5", "1"]
    for row, sigma in zip(rows, synthetic.SIGMAS, strict=True):
        m = evaluate(compose(synthetic.smoothed(sigma, IMAGES), synthetic.core(IMAGES)), [0.3], bound=view.bound)
        assert (row["theta"], row["nac"], row["acr"]) == (0.3, m.nac[0], m.acr[0])
    assert {row["t"] for row in rows} == {0.5}
    assert [row["theta"] for row in downloads.theta_table(view, (0.2, 0.4))] == [0.2, 0.4]
    assert [row["index"] for row in downloads.image_table(view)] == [20 * i for i in range(IMAGES)]
