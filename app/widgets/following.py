"""What follows the dials while they are turned, on the pages that say so."""

from __future__ import annotations

from app import data
from app.components import live
from app.settings import Choice, Settings


def show(settings: Settings, choices: tuple[Choice, ...], tiles: tuple[str, ...] = ()) -> None:
    """Of the compositions ``choices``, all or some of those drawn. ``tiles``: their labels, with r as ``{r}``.

    After everything else on a page: nothing waits for it.
    """
    said = {**data.followed(settings, choices), "at": settings.turned, "tiles": tiles}
    live.show(said)
