"""Files dropped onto the Runs page."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.services.test_bring import LOG


def drop(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    key = next(element.key for element in page.file_uploader if element.key.startswith("bring-"))
    return page.file_uploader(key=key).set_value([(name, data, "") for name, data in files]).run()


def test_a_dropped_log_is_listed_and_a_bad_file_is_named(open_page):
    page = drop(open_page("runs"), ("cifar10_noise_0.25.txt", LOG.encode()), ("<b>.txt", b"\x00"))
    page.button(key="bring_in").click().run()
    assert not page.exception
    assert "cifar10_noise_0.25" in list(page.dataframe[0].value["name"])
    assert [error.value for error in page.error if "no run file" in error.value]
    assert any("cifar10\\_noise" in said.value or "cifar10_noise" in said.value for said in page.markdown)
    assert page.button(key="bring_in").disabled  # the files are done with


def test_what_the_name_does_not_say_is_chosen(open_page):
    page = drop(open_page("runs"), ("log.txt", LOG.encode()))
    page.selectbox(key="bring_dataset").set_value("cifar10")
    page.number_input(key="bring_sigma").set_value(0.25)
    page.button(key="bring_in").click().run()
    assert "log" in list(page.dataframe[0].value["name"])


@pytest.mark.parametrize("variable", ["ACES_READ_ONLY", "ACES_PUBLIC"])
def test_strangers_bring_nothing_in(open_page, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    page = open_page("runs")
    assert not page.file_uploader
    assert not [button for button in page.button if button.key == "bring_in"]
