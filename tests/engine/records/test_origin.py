from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import AcesError
from engine.records.origin import Origin

texts = st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.builds(Origin, texts.filter(bool), texts, texts, texts, texts, st.none() | st.integers(1, 999), st.none()))
def test_what_is_kept_comes_back(origin):
    assert Origin.from_json(origin.to_json()) == origin


@pytest.mark.parametrize(
    ("architecture", "code"),
    [
        (None, False),
        ("resnet20", False),
        ("timm:resnet18", False),
        ("transformers:ViT", False),
        ("net.py:make", True),
        ("os:abort", True),
    ],
)
def test_functions_of_ones_own_are_code(architecture, code):
    assert Origin("net.pth", architecture).runs_code == code


@pytest.mark.parametrize(
    "said", [None, [], {}, {"checkpoint": 3}, {"checkpoint": "a\nb"}, {"checkpoint": "a", "size": 0},
             {"checkpoint": "a", "size": True}, {"checkpoint": "a", "architecture": "x" * 2000}],
    ids=lambda said: str(said)[:30],
)  # fmt: skip
def test_what_is_no_origin_is_refused(said):
    with pytest.raises(AcesError, match=r"meta\.origin"):
        Origin.from_json(said)


def test_entries_of_a_newer_version_are_passed_over():
    assert Origin.from_json({"checkpoint": "a", "colour": "blue"}) == Origin("a")
