from __future__ import annotations

import pytest

from tests.app_pages import shown, turn


def test_a_change_of_a_dial_counts_once_and_what_a_click_sets_outlives_it(open_page):
    page = open_page(theta="0.3")
    assert shown(turn(page, "theta", 0.7).run().run(), "theta") == 0.7
    page.button(key="go_deploy").click().run()
    gone_to = float(page.session_state["theta"])
    assert gone_to != 0.7
    assert shown(page.run(), "theta") == gone_to
    assert shown(turn(page, "theta", 0.6, at=2.0).run().run(), "theta") == 0.6


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), None, "0.5x", [0.5], 10**400])
def test_a_value_that_no_dial_can_have_is_not_taken(open_page, value):
    page = open_page(theta="0.3")
    assert shown(turn(page, "theta", value).run().run(), "theta") == 0.3
