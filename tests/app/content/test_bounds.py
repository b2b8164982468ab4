from __future__ import annotations

from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound
from engine.statistics.steps import STEPS
from tests.app_pages import said, specs

NAMES = [step.name for step in STEPS.values()]


def test_the_page_shows_every_step_with_its_proof(open_page):
    page = open_page("bounds")
    assert not page.exception
    assert page.dataframe[0].value["step"].tolist() == NAMES
    assert len(specs(page)) == 1
    assert all(f"section {step.section}" in said(page) for step in STEPS.values())


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
