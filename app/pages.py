"""The pages: a card each, in the order of the navigation. An entry of ``PAGES`` is all that another page needs."""

from __future__ import annotations

from dataclasses import dataclass

from app.keys import FIRST_PAGE


@dataclass(frozen=True)
class PageCard:
    """A page at ``/path``: its ``title``, and the ``module`` whose ``show(settings)`` draws it when it is first opened.

    One that ``needs_runs`` gives way to a word on how to make some while there are none, so its settings are never
    None. One that ``shows_many`` compositions gets the sidebar's controls that add some; one of ``one_stage`` those of
    the first stage only, in which a score selects. One that is not ``listed`` is reached from the help menu.
    """

    path: str
    title: str
    module: str
    needs_runs: bool = True
    shows_many: bool = True
    one_stage: bool = False
    listed: bool = True


PAGES = {
    card.path: card
    for card in (
        PageCard(FIRST_PAGE, "Trade-off", "app.content.tradeoff"),
        PageCard("certified-accuracy", "Certified accuracy", "app.content.accuracy"),
        PageCard("selection", "Selection", "app.content.selection"),
        PageCard("images", "Images", "app.content.images"),
        PageCard("compare", "Compare", "app.content.compare"),
        PageCard("paper", "Paper", "app.content.paper"),
        PageCard("bounds", "Bounds", "app.content.bounds", shows_many=False, one_stage=True),
        PageCard("runs", "Runs", "app.content.runs", needs_runs=False),
        PageCard("certify", "Certify my image", "app.content.certify", shows_many=False),
        PageCard("glossary", "Glossary", "app.content.glossary", needs_runs=False, shows_many=False, listed=False),
        PageCard("about", "About", "app.content.about", needs_runs=False, shows_many=False, listed=False),
    )
}
