"""What follows the dials while they are turned, on the pages that say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import followed
from app.components import live
from app.settings import Choice, Settings


def show(
    settings: Settings,
    choices: tuple[Choice, ...],
    tiles: tuple[str, ...] = (),
    image: Mapping[str, Any] | None = None,
    steps: Mapping[str, Any] | None = None,
) -> None:
    """Of the compositions ``choices``, all or some of those drawn. ``tiles``: their labels, with r as ``{r}``;
    ``image``: of the one that is open, what it says; ``steps``: the packs of a waterfall.

    After everything else on a page: nothing waits for it.
    """
    of_page = {"tiles": tiles, "image": image, "noises": noises(settings)}
    live.show({**followed.followed(settings, choices), "at": settings.turned, **of_page, **(steps or {"steps": None})})


def waits(name: str, *dials: str) -> DeltaGenerator:
    """A container of what fades while one of the ``dials`` is turned, as only the server can work it out."""
    return st.container(key=f"waits_{'_'.join(dials)}_{name}")


def noises(settings: Settings) -> dict[str, int]:
    """Where the compositions stand, among those drawn, that differ from the reader's in noise alone; by its label."""
    training, _, *others = settings.choice.address
    drawn = enumerate(settings.compositions)
    return {c.address[1]: at for at, c in drawn if [c.address[0], *c.address[2:]] == [training, *others]}
