from __future__ import annotations

import csv
import json
import re
from decimal import Decimal

import pytest

from engine.tables import Format, render

ROWS = [{"theta": 0.3, "radius": Decimal("0.25"), "acr": float("nan"), "entropy_median": float("nan"), "index": 0}]


@pytest.mark.parametrize("form", Format)
def test_a_number_that_is_none_is_no_word(form):
    assert not re.search("nan|none|inf", render(ROWS, form), re.IGNORECASE)


def test_a_missing_number_is_an_empty_cell_and_null():
    (row,) = csv.DictReader(render(ROWS, Format.CSV).splitlines())
    assert row == {"theta": "0.3", "radius": "0.25", "acr": "", "entropy_median": "", "index": "0"}
    (read,) = json.loads(render(ROWS, Format.JSON), parse_constant=pytest.fail)
    assert read == {"theta": 0.3, "radius": 0.25, "acr": None, "entropy_median": None, "index": 0}
    assert "|  |  | 0 |" in render(ROWS, Format.MARKDOWN)
