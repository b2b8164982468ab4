from __future__ import annotations

import numpy as np
import pytest

from app.proofs import proof
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound
from engine.statistics.steps import STEPS
from tests.app_pages import said, specs, turn

NAMES = [step.name for step in STEPS.values()]


def test_the_page_shows_every_step_with_its_proof(open_page):
    page = open_page("bounds")
    assert not page.exception
    assert page.dataframe[0].value["step"].tolist() == NAMES
    assert len(specs(page)) == 1
    labels = {key: page.button(key=f"proof_{key}").label for key in STEPS}
    assert labels == {key: f"Proof: section {step.section}" for key, step in STEPS.items()}


@pytest.mark.parametrize("key", STEPS)
def test_a_proof_opens_on_the_page(key, open_page):
    found = proof(STEPS[key].section)
    assert found is not None
    page = open_page("bounds").button(key=f"proof_{key}").click().run()
    assert not page.exception
    assert found.text in [one.value for one in page.markdown]


def test_the_table_names_the_parameters_that_a_step_has(open_page):
    rows = open_page("bounds").dataframe[0].value.set_index("step")
    chain, votes = rows.loc[STEPS["chain"].name], rows.loc[STEPS["votes"].name]
    assert 0.5 < votes["p0"] < 1
    assert votes[["theta", "t", "theta2"]].isna().all()
    assert chain[["theta", "t", "sigma", "sigma2", "theta2", "t2"]].notna().all()
    assert np.isnan(chain["p0"])
    assert rows["change"].isna().tolist() == [step.before is None for step in STEPS.values()]


@pytest.mark.parametrize("floor", ["12.5", "0", "100", "1e1"])
def test_the_floor_of_an_address_is_the_pages(floor, open_page):
    page = open_page("bounds", floor=floor)
    assert page.number_input(key="floor").value == float(floor)
    assert "lies between" not in said(page)


@pytest.mark.parametrize("floor", ["-1", "100.5", "nan", "inf", "1e999", "x", "", "**b**"])
def test_a_floor_that_is_none_is_refused_in_place(floor, open_page):
    now = open_page("bounds").number_input(key="floor").value
    page = open_page("bounds", floor=floor)
    assert not page.exception
    assert page.number_input(key="floor").value == now
    assert "A NAC lies between 0 and 100 %" in said(page)


def test_the_floor_stays_while_dials_are_turned_until_another_is_asked_for(open_page):
    page = open_page("bounds", theta="0.3")
    begun, table = page.number_input(key="floor").value, page.dataframe[0].value
    assert not [button for button in page.button if button.key == "floor_now"]
    page = turn(turn(page, "theta", 1.0), "votes", 0.4).run()
    assert page.number_input(key="floor").value == begun
    assert page.dataframe[0].value.equals(table)
    page = page.button(key="floor_now").click().run()
    now = page.number_input(key="floor").value
    assert now != begun
    assert open_page("bounds", theta="1.0", votes="0.4").number_input(key="floor").value == now


def test_a_step_is_used_and_the_papers_is_named_so(open_page):
    page = open_page("bounds")
    button = page.button(key="use_paper")
    assert button.label == "The paper's setting"
    page = button.click().run()
    assert not page.exception
    assert page.session_state["correction"] == Correction.BONFERRONI
    assert page.session_state["bound"] == Bound.COMPLEMENT


def test_a_step_that_cannot_be_had_is_left_out_with_a_sentence(open_page, demo):
    for path in demo.glob("*.npz"):
        if "gaussian" in path.name and "0.25" not in path.name:
            path.unlink()
    page = open_page("bounds")
    assert not page.exception
    assert page.dataframe[0].value["step"].tolist() == [name for name in NAMES if name != "+ chain"]
    assert "needs another noise level" in said(page)
