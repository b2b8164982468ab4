"""The About page: version, licence, the paper with its BibTeX entry, what the demo is, and the documents to read."""

from __future__ import annotations

import streamlit as st

from app import documents
from app.settings import Settings
from engine import __version__

PAPER = (
    "Miklós Z. Horváth, Mark Niklas Müller, Marc Fischer, Martin Vechev: *Robust and Accurate – Compositional "
    "Architectures for Randomized Smoothing*, 2022. [arXiv:2204.00487](https://arxiv.org/abs/2204.00487)"
)
BIBTEX = """@article{horvath2022robust,
  title   = {Robust and Accurate -- Compositional Architectures for Randomized Smoothing},
  author  = {Horv{\\'a}th, Mikl{\\'o}s Z. and M{\\"u}ller, Mark Niklas and Fischer, Marc and Vechev, Martin},
  journal = {arXiv preprint arXiv:2204.00487},
  year    = {2022}
}"""
DEMO = (
    "The demo that ships: certification networks by several training methods, selection networks and core networks on "
    "Fashion-MNIST and CIFAR-10, trained for this project, each evaluated on 500 test images with 10,000 draws an "
    "image. They are smaller than the paper's networks, so numbers differ; the paper's printed tables can be drawn "
    "beside them (*Compare with*, The paper's tables)."
)


def show(settings: Settings | None) -> None:
    """Facts first, then a document that is chosen."""
    st.markdown(
        f"**ACES Explorer {__version__}** shows what certified classifiers trade for accuracy, live, from counts that "
        "were sampled once. MIT License; third-party notices are in `NOTICE`."
    )
    st.header("The paper", anchor=False)
    st.markdown(PAPER)
    st.code(BIBTEX, language="latex")
    st.header("The demo", anchor=False)
    st.markdown(DEMO)
    st.header("Documents", anchor=False)
    _documents()


def _documents() -> None:
    name = st.selectbox(
        "Document", [*documents.DOCUMENTS], index=None, key="document", placeholder="choose one to read",
        format_func=lambda name: f"docs/{name}.md: {documents.DOCUMENTS[name]}",
        help="The project's own documents, as they lie beside the program.",
    )  # fmt: skip
    if name is None:
        return
    text = documents.read(name)
    if text is None:
        st.info(f"docs/{name}.md is not among the files here: the project's checkout has it.")
    else:
        st.markdown(text)
