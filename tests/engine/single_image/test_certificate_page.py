"""The certificate for people says what the JSON says, and holds nothing that runs."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

from engine.single_image.certificate_page import to_html
from engine.statistics.bounds import round_up
from tests.engine.single_image.issued_toy import CHAIN, MARGIN, PLAN, TENSOR, VOTES, chained, made


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_says_what_the_certificate_says():
    certificate = made(PLAN)
    page = to_html(certificate, TENSOR)
    for fact in (
        certificate.statement,
        "α 0.001",
        "10,000 of 10,000",
        str(certificate.seed),
        "a" * 64,
        "holds at every look",
    ):
        assert fact in page


def test_the_page_is_whole_and_runs_nothing():
    tags = Tags(to_html(made(PLAN), TENSOR))
    assert tags.open == []
    assert not tags.seen & {"script", "link", "iframe", "object"}


def test_the_page_of_a_margin_shows_the_rivals_bound_and_its_formula():
    certificate = made(MARGIN, p=(0.45, 0.3, 0.25))
    page = to_html(certificate, TENSOR)
    last = certificate.looks[-1]
    for fact in (
        "<th>p_B</th>",
        f"<td>{round_up(last.p_rival, 5)}</td>",
        "σ Φ⁻¹(p_S) and σ/2 (Φ⁻¹(p_A) − Φ⁻¹(p_B))",
        "Half of α is for the look at 10,000 draws",
        "margin over the strongest",
    ):
        assert fact in page
    assert "1 − p_A</td>" in to_html(made(MARGIN, p=(1.0, 0.0, 0.0)), TENSOR)
    assert "p_B" not in to_html(made(PLAN), TENSOR)


def test_names_cannot_become_markup():
    certificate = made(PLAN)
    bad = dataclasses.replace(certificate.networks.certify, name="<script>alert(1)</script>")
    networks = dataclasses.replace(certificate.networks, certify=bad)
    assert "<script>" not in to_html(dataclasses.replace(certificate, networks=networks), TENSOR)


def test_the_page_of_votes_and_chains_names_every_stage():
    votes = to_html(made(VOTES), TENSOR)
    for fact in ("a class with more than a share p₀ = 0.7", "the share p₀ 0.7 of the votes that selects was fixed"):
        assert fact in votes
    assert "the smaller of σ (Φ⁻¹(p_S) − Φ⁻¹(p₀)) and σ Φ⁻¹(p_A)" in votes
    assert "θ" not in votes
    certificate = chained(dataclasses.replace(CHAIN, bound="margin"), {}, {}, low=0.6)
    page = to_html(certificate, TENSOR)
    for fact in (
        certificate.statement, "<th>stage</th>", "Network of stage 2", "Network of stage 3", "2" * 64,
        "its 3 stages and what they select by were fixed", "θ 0.4, by a share of t = 0.3 of the noisy votes, σ 0.25",
        "p₀ = 0.6 of the noisy votes, σ 1", "of every stage before it, within which that hands on",
        "10,000 of 10,000 that estimate of each network", "where a score selects",
    ):  # fmt: skip
        assert fact in page
    assert page.count("<tr><td>10,000</td>") == 3
    assert Tags(page).open == Tags(votes).open == []
