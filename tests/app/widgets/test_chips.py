from __future__ import annotations

import html
import re

from app.widgets.chips import LONGEST, Chip, row
from tests import synthetic
from tests.app_pages import chips


def test_a_row_has_the_words_of_every_chip_and_its_whole_twice():
    made = row([Chip("σ 0.5", "σ 0.5: noise"), Chip("500 images", "500 images of x test")])
    assert re.findall(r'class="chip" title="([^"]*)">([^<]*)<', made) == [
        ("σ 0.5: noise", "σ 0.5"),
        ("500 images of x test", "500 images"),
    ]
    assert re.findall(r"<li>([^<]*)</li>", made) == ["σ 0.5: noise", "500 images of x test"]
    assert made.startswith("<details")
    assert "<summary>" in made  # which keyboards open


def test_names_of_others_are_letters_and_not_endless():
    hostile = '"><img src=x onerror=alert(1)>\x1b[31m'
    made = row([Chip("x", hostile + "y" * 10_000)])
    assert "<img" not in made
    assert "\x1b" not in made
    (whole,) = re.findall(r"<li>(.*?)</li>", made)
    assert len(html.unescape(whole)) == LONGEST + len(" …")


def test_a_page_says_what_selects_where_it_is_not_a_majority_for_the_entropy(open_page):
    plain = chips(open_page())
    other = chips(open_page(select="votes", p0="0.8", correction="bonferroni", bound="complement"))
    assert len(other) == len(plain) + 2  # what selects, and a bound that is not the first one
    assert "Answered where a class has more than p₀ = 0.8 of the votes" in other
    assert "Class bounded by its complement" in other
    assert any(synthetic.CORE in one for one in plain)
    assert any(one.startswith("Correction: ") for one in plain)
