"""What the page Certified accuracy shows class by class, at the reader's theta, where it is asked for."""

from __future__ import annotations

import streamlit as st

from app import data, keys
from app.components.chart import chart
from app.settings import Settings
from app.widgets import following
from app.widgets.panels import theme
from engine import figures
from engine.statistics.by_class import ByClass
from engine.tables import class_rows, confusion_rows

DIALS = ("theta", "votes", "alpha", "radius", "sigma")


def show(settings: Settings) -> dict[str, figures.Sketch]:
    """Accuracies with intervals, who answers, what is mistaken, and how far images reach; the figures by name."""
    asked = st.toggle(
        "By class", key="by_class", bind=keys.URL,
        help="Accuracies, routing and mistakes of each class at the sidebar's threshold, and how radii and shares of "
        "the votes are spread.",
    )  # fmt: skip
    if not asked:
        return {}
    names = data.class_names(settings.certify_run)
    found, spread = data.by_class(settings, (settings.radius,)), data.spread(settings)
    drawn = {
        "classes": figures.rates_by_class(found, names, settings.radius, theme()),
        "routing": figures.routing_by_class(found, names, theme()),
        "confusion": figures.confusion(found, names, theme()),
        "reach": figures.reach(spread, settings.radius, theme()),
        "shares": figures.shares(spread, theme()),
    }
    with following.waits("classes", *DIALS):
        _drawn(drawn)
        _table(found, names, settings)
    return drawn


def _drawn(drawn: dict[str, figures.Sketch]) -> None:
    left, right = st.columns(2)
    with left:
        chart(drawn["classes"], "figure_classes", "Natural and certified accuracy of each class with 95 % intervals")
        chart(drawn["confusion"], "figure_confusion", "How many images of each class are answered by each class")
    with right:
        chart(drawn["routing"], "figure_routing", "How CERTIFY ends on the images of each class, in percent")
        chart(drawn["reach"], "figure_reach", "Images by certified radius, of the right and of a wrong class")
        chart(drawn["shares"], "figure_shares", "Images by the lower bound of their class's share of the votes")


def _table(found: ByClass, names: tuple[str, ...], settings: Settings) -> None:
    """The numbers of the figures, for who reads them rather."""
    r = f"{settings.radius:.9g}"
    rows = [_row(row, r) for row in class_rows(found, names, [r])]
    st.dataframe(
        rows, hide_index=True, alt="Accuracies with intervals and outcomes of each class",
        column_config={"ACR": st.column_config.NumberColumn(format="%.3f")}
        | {name: st.column_config.NumberColumn(format="%.1f") for name in rows[0] if name.endswith("%")},
    )  # fmt: skip
    with st.expander("Answers by class, as a table"):
        st.dataframe(
            confusion_rows(found, names), hide_index=True, alt="Images of each class by the class that is answered"
        )
    st.caption(
        "A class has few images: the intervals are of 95 % over these, each for itself; of many some lie beyond "
        "theirs by chance. Answers are CERTIFY's; NAC is of PREDICT. p_A is the first stage's, at full α, of the class "
        "that the certification network is guessed to give."
    )


def _row(row: dict[str, object], r: str) -> dict[str, object]:
    def ends(name: str) -> str:
        return f"{row[f'{name}_low']:.1f} to {row[f'{name}_high']:.1f}"

    return {
        "class": row["name"], "images": row["images"], "NAC %": row["nac"], "NAC, 95 %": ends("nac"),
        "ACR": row["acr"],
        f"certified r {r} %": row[f"cert_{r}"],
        "certified, 95 %": ends(f"cert_{r}"),
        **{f"{name} %": row[name] for name in ("certified", "consensus", "core", "abstain")},
    }  # fmt: skip
