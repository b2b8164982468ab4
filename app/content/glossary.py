"""The Glossary page: every symbol of the paper, what it is, and the control that moves it here."""

from __future__ import annotations

import streamlit as st

from app import state
from app.glossary import GLOSSARY, Symbol
from app.settings import Settings


def show(settings: Settings | None) -> None:
    """A row per symbol; a box finds some."""
    wanted = st.text_input("Find a symbol or word", key="find", help="Shows the rows that have it.", width=320) or ""
    found = [entry for entry in GLOSSARY if _has(entry, wanted)]
    if not found:
        st.info("No symbol or sentence here has this word.")
    for entry in found:
        with st.container(border=True, key=f"entry-{GLOSSARY.index(entry)}"):
            _row(entry)


def _has(entry: Symbol, wanted: str) -> bool:
    texts = entry.symbol, entry.meaning, entry.control, entry.column
    return wanted.strip().lower() in " ".join(texts).lower()


def _row(entry: Symbol) -> None:
    symbol, meaning, moves = st.columns([2, 6, 3], vertical_alignment="center")
    symbol.markdown(f"**{entry.symbol}**")
    meaning.markdown(entry.meaning)
    said = [f"paper: {entry.paper}" if entry.paper else "", entry.source]
    columns = ", ".join(f"`{name}`" for name in entry.column.split(", ") if name)
    meaning.caption(" · ".join(part for part in (f"in files: {columns}" if columns else "", *said) if part))
    page = state.page(entry.page)
    moves.page_link(
        page,
        label=f"{entry.control}, on {page.title}" if entry.control else f"See {page.title}",
        icon=":material/tune:" if entry.control else ":material/visibility:",
    )
