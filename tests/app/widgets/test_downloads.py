from __future__ import annotations

from app import catalog
from app.settings import Choice, Settings, later_text
from app.widgets import downloads
from engine.mechanisms import ENTROPY, NETWORK
from engine.records.compose import compose
from engine.statistics.chains import Later
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
    catalog.look_again()
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


def chained(first: float, then: Later | None, *, by_votes: bool = False) -> Choice:
    metas = synthetic.smoothed(first, IMAGES).meta, synthetic.core(IMAGES).meta
    return Choice("gaussian", f"{first:g}", *metas, by_votes=by_votes, then=then)


def test_second_stages_and_shares_of_votes_have_columns_where_one_that_is_drawn_has_them(demo):
    catalog.look_again()
    of_scores = Later(synthetic.smoothed(1.0, IMAGES).meta, 0.4, 0.2)
    of_votes = Later(synthetic.smoothed(1.0, IMAGES).meta, 0.8, by_votes=True)
    drawn = (chained(0.25, of_scores), chained(0.5, of_votes), chained(0.25, None, by_votes=True))
    view = Settings(drawn[0], theta=0.3, t=0.6, p0=0.7, drawn=drawn)
    rows = downloads.fronts_table(view)
    second = [tuple(row[name] for name in ("then", "theta2", "t2", "p02")) for row in rows]
    assert second == [
        (later_text(of_scores), 0.4, 0.2, None),
        (later_text(of_votes), None, None, 0.8),
        ("", None, None, None),
    ]
    assert [(row["theta"], row["t"], row["p0"]) for row in rows] == [
        (0.3, 0.6, None),
        (0.3, 0.6, None),
        (None, None, 0.7),
    ]
    assert len({tuple(row) for row in rows}) == 1, "render asks for the same columns in all"
    for form in (Format.CSV, Format.LATEX, Format.JSON):
        assert of_scores.run.name in render(rows, form).replace("\\", "")


def test_todays_columns_stay_where_there_is_no_second_stage(demo):
    catalog.look_again()
    view = Settings(chained(0.25, None), theta=0.3)
    assert list(downloads.fronts_table(view)[0])[:7] == ["training", "sigma", "core", "selection", "t", "theta", "nac"]
    assert not {"then", "p0", "theta2", "p02"} & {
        *downloads.fronts_table(view)[0],
        *downloads.theta_table(view, (0.2,))[0],
    }


def test_the_table_over_thresholds_ends_with_the_second_stage(demo):
    catalog.look_again()
    then = Later(synthetic.smoothed(1.0, IMAGES).meta, 0.4, 0.2)
    rows = downloads.theta_table(Settings(chained(0.25, then), theta=0.3), (0.2, 0.4))
    assert [row["theta"] for row in rows] == [0.2, 0.4]
    assert {tuple(row.items())[-4:] for row in rows} == {
        (("then", later_text(then)), ("theta2", 0.4), ("t2", 0.2), ("p02", None))
    }
