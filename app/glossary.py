"""The words and symbols of the paper: what each is, and where it is here. No Streamlit.

`python -m app.glossary` prints docs/glossary.md, which a test holds equal to this table.
"""

from __future__ import annotations

from dataclasses import dataclass

HEAD = """# Glossary

Every symbol of Horváth et al. 2022 and of this dashboard: what it is, what moves it here, its name in tables and files,
and where to read more. `python -m app.glossary` makes this page from the table that the dashboard shows as its own page
*Glossary*.

| symbol | what it is | control, page | column or field | in the paper | in these documents |
|---|---|---|---|---|---|
"""
STATISTICS, EXPLORER, FORMATS, ZOO = (f"docs/{name}.md" for name in ("statistics", "explorer", "formats", "zoo"))


@dataclass(frozen=True)
class Symbol:
    """One symbol in a sentence: ``control`` moves it on the page of this path; ``column`` is its name in files.

    ``paper``: section, equation or algorithm; ``docs``: a file of the project, and its section. Empty: there is none.
    """

    symbol: str
    meaning: str
    control: str = ""
    page: str = "trade-off"
    column: str = ""
    paper: str = ""
    docs: str = ""
    section: str = ""

    @property
    def source(self) -> str:
        """Where the documents speak of it."""
        return f"{self.docs} §{self.section}" if self.section else self.docs


GLOSSARY = (
    Symbol(
        "ACES",
        "A classifier of three parts: for each image a smoothed selection decides whether the certification "
        "network answers, with a certified radius, or the core network, without.",
        paper="Eq. 4",
        docs=STATISTICS,
        section="1",
    ),
    Symbol(
        "core network",
        "The accurate network that answers the images that are not selected; it is not smoothed and gives no "
        "guarantee. Its own accuracy is the square on the front.",
        control="Core network",
        column="core_prediction",
        paper="§2 (F_Core), §3",
        docs=STATISTICS,
        section="1",
    ),
    Symbol(
        "certification network",
        "The network, smoothed by noise, whose majority answer carries a certified radius; without ACES it is "
        "the triangle on the front.",
        control="Training",
        column="training",
        paper="§2, Eq. 1",
        docs=STATISTICS,
        section="2",
    ),
    Symbol(
        "selection",
        "What decides for each noisy copy of an image which network should answer: the entropy of the "
        "certification network, a selection network, or the votes for the class.",
        control="Selection",
        column="selection",
        paper="§3",
        docs=STATISTICS,
        section="4",
    ),
    Symbol(
        "entropy",
        "The entropy of the certification network's class probabilities, to base m, so that it lies in [0, "
        "1]: low where the network is sure.",
        control="Selection",
        page="selection",
        column="entropy_median",
        paper="§3, App. C",
        docs=FORMATS,
    ),
    Symbol(
        "selection network",
        "A network of its own that scores each noisy copy in place of the entropy.",
        control="Selection",
        page="selection",
        column="selection",
        paper="§3, App. D.3.2",
        docs=FORMATS,
    ),
    Symbol(
        "θ",
        "Selection threshold: a noisy copy votes for the certification network where its entropy or score is "
        "at most θ. At 0 only the core network answers, at 1 only the certification network.",
        control="Selection threshold θ",
        column="theta",
        paper="§3",
        docs=STATISTICS,
        section="9",
    ),
    Symbol(
        "t",
        "Share of the noisy copies that must vote for the certification network to select it; 0.5 is the "
        "paper's majority.",
        control="Share of votes t",
        column="t",
        docs=STATISTICS,
        section="17",
    ),
    Symbol(
        "best t",
        "On every point of a front, the share t that gives most robustness at its natural accuracy.",
        control="best t",
        column="t",
        docs=STATISTICS,
        section="17",
    ),
    Symbol(
        "p₀",
        "Where votes select, the share of the votes that a class must exceed for the certification network to answer.",
        control="Share of votes p₀ (Selection: votes)",
        column="p0",
        docs=STATISTICS,
        section="19",
    ),
    Symbol(
        "σ",
        "Standard deviation of the noise, where a pixel runs from 0 to 1: σ_ε at evaluation, σ_t at training. "
        "Radii are proportional to it.",
        control="Noise σ",
        column="sigma, sigma_train",
        paper="§2, App. C",
        docs=STATISTICS,
        section="2",
    ),
    Symbol(
        "α",
        "Failure probability: over the noise drawn, a certificate fails to hold with at most this "
        "probability; 1 − α is the confidence. It says nothing of whether the label is right.",
        control="Failure probability α",
        column="alpha",
        paper="Theorem B.1",
        docs=STATISTICS,
        section="4",
    ),
    Symbol(
        "n0",
        "The draws that guess the class and the side of the selection; no bound rests on them.",
        page="runs",
        column="n0",
        paper="Algorithm 1",
        docs=STATISTICS,
        section="4",
    ),
    Symbol(
        "n",
        "The draws, made after the guess, from which the bounds are computed; more of them give larger radii.",
        control="Draws n",
        page="certify",
        column="n",
        paper="Algorithm 1",
        docs=STATISTICS,
        section="3",
    ),
    Symbol(
        "ĉ",
        "The class that the n0 draws guess; the n draws then bound its probability.",
        page="images",
        column="prediction",
        paper="Algorithm 1",
        docs=STATISTICS,
        section="4",
    ),
    Symbol(
        "p_A",
        "Lower confidence bound (Clopper-Pearson) of the probability that the certification network answers ĉ "
        "under noise.",
        control="Failure probability α",
        page="images",
        paper="Theorem 2.1",
        docs=STATISTICS,
        section="3",
    ),
    Symbol(
        "p_B",
        "Upper bound of the probability of any other class: 1 − p_A in the paper, with the margin a bound of "
        "the strongest rival's own.",
        control="Bound of the class",
        page="certify",
        paper="Theorem 2.1",
        docs=STATISTICS,
        section="18",
    ),
    Symbol(
        "p_S",
        "Lower confidence bound of the probability that the selection chooses the side that was guessed.",
        control="Failure probability α",
        page="images",
        paper="App. B",
        docs=STATISTICS,
        section="4",
    ),
    Symbol(
        "R",
        "Certified radius: within this ℓ2 distance the answer does not change; the smaller of the selection's "
        "and the class's radius.",
        page="images",
        column="radius, radius_select, radius_certify",
        paper="Theorem 2.1, App. B",
        docs=STATISTICS,
        section="4",
    ),
    Symbol(
        "r",
        "The radius at which certified accuracy and the selection rate are read.",
        control="Radius r",
        page="certified-accuracy",
        column="radius",
        paper="§2",
        docs=STATISTICS,
        section="10",
    ),
    Symbol(
        "ceiling",
        "The largest radius that n unanimous draws can certify at this σ and α.",
        page="certified-accuracy",
        docs=STATISTICS,
        section="2",
    ),
    Symbol(
        "NAC",
        "Natural accuracy: the percentage of images that PREDICT answers correctly, without any attack.",
        column="nac",
        paper="§2, §4",
        docs=STATISTICS,
        section="10",
    ),
    Symbol(
        "ACR",
        "Average certified radius: the mean of R over the images, where wrong and uncertified answers count 0.",
        control="ACR / certified accuracy",
        column="acr",
        paper="§2, §4",
        docs=STATISTICS,
        section="11",
    ),
    Symbol(
        "certified accuracy",
        "The percentage of images answered correctly with R ≥ r; at r = 0 of all that CERTIFY answers correctly.",
        control="Radius r",
        page="certified-accuracy",
        column="cert_0.25",
        paper="§2, Table 1",
        docs=STATISTICS,
        section="10",
    ),
    Symbol(
        "certified selection rate",
        "The percentage of images certified to go to the certification network within r.",
        control="Radius r",
        page="certified-accuracy",
        column="select_0.25",
        paper="Table 1",
        docs=STATISTICS,
        section="10",
    ),
    Symbol(
        "CERTIFY",
        "The algorithm that returns an answer and its radius R, or abstains.",
        page="certify",
        column="outcome",
        paper="Algorithm 1",
        docs=STATISTICS,
        section="4",
    ),
    Symbol(
        "PREDICT",
        "The cheaper algorithm that returns an answer without a radius; NAC counts its answers.",
        page="images",
        column="natural_prediction",
        paper="Algorithm 4",
        docs=STATISTICS,
        section="8",
    ),
    Symbol(
        "certified",
        "Outcome: the certification network answers, with a radius.",
        control="Outcome",
        page="images",
        column="outcome",
        paper="Algorithm 1",
        docs=STATISTICS,
        section="4",
    ),
    Symbol(
        "core",
        "Outcome: the selection certifiably chooses the core network, which answers; R = 0.",
        control="Outcome",
        page="images",
        column="outcome",
        paper="Algorithm 1",
        docs=STATISTICS,
        section="4",
    ),
    Symbol(
        "consensus",
        "Outcome: the selection is undecided, but both networks give the same class, which is the answer; R = 0.",
        control="Outcome",
        page="images",
        column="outcome",
        paper="Algorithm 1",
        docs=STATISTICS,
        section="4",
    ),
    Symbol(
        "ABSTAIN (⊘)",
        "Outcome: the draws do not suffice for an answer at this α. It is no error, and never counts as correct.",
        control="Outcome",
        page="images",
        column="outcome",
        paper="§2, Algorithm 1",
        docs=STATISTICS,
        section="4",
    ),
    Symbol(
        "correction",
        "How α is divided between the bounds of the selection and of the class, so that the whole fails with "
        "at most α.",
        control="Correction",
        column="correction",
        paper="§3",
        docs=STATISTICS,
        section="5",
    ),
    Symbol(
        "bonferroni",
        "The union bound: α/2 for each bound, as in the paper.",
        control="Correction",
        column="correction",
        paper="§3, App. B",
        docs=STATISTICS,
        section="5",
    ),
    Symbol(
        "intersection-union",
        "IU, the correction that pages begin with: a wrong certificate needs one fixed bound to fail, so each "
        "may have all of α. Same guarantee, larger radii.",
        control="Correction",
        page="bounds",
        column="correction",
        docs=STATISTICS,
        section="6",
    ),
    Symbol(
        "simultaneous",
        "A correction under which certificates hold for every θ at once, so θ may be chosen after looking.",
        control="Correction",
        column="correction",
        docs=STATISTICS,
        section="7",
    ),
    Symbol(
        "margin",
        "Bound of the class against its strongest rival only; larger radii where the other classes' votes are split.",
        control="Bound of the class",
        page="bounds",
        column="bound",
        paper="Theorem 2.1",
        docs=STATISTICS,
        section="18",
    ),
    Symbol(
        "complement",
        "Bound of the class against all others together, p_B = 1 − p_A, as in the paper.",
        control="Bound of the class",
        page="bounds",
        column="bound",
        paper="App. A",
        docs=STATISTICS,
        section="18",
    ),
    Symbol(
        "chain",
        "A second stage: images that the first selection does not take go to another certification network "
        "before the core network.",
        control="Second stage",
        column="then, theta2, t2, p02",
        docs=STATISTICS,
        section="19",
    ),
    Symbol(
        "front",
        "NAC and robustness of one composition at every θ: one line of the trade-off figure.",
        control="Compare with",
        paper="Fig. 1",
        docs=EXPLORER,
    ),
    Symbol(
        "composition",
        "A certification network at a σ, a core network and a selection, taken together.",
        control="Compare with",
        page="compare",
        paper="§3",
        docs=EXPLORER,
    ),
    Symbol(
        "run",
        "What was sampled once of one network on a set of images: counts, from which every number here is computed.",
        page="runs",
        column="name",
        docs=FORMATS,
    ),
    Symbol(
        "training",
        "How the certification network was trained: gaussian, smoothadv, macer or consistency. Denoised: not under "
        "noise, but as a classifier that stands behind a denoiser.",
        control="Training",
        column="training",
        paper="App. C",
        docs=ZOO,
    ),
)


def document() -> str:
    """docs/glossary.md: a row per entry."""
    return HEAD + "".join(f"| {' | '.join(_cells(entry))} |\n" for entry in GLOSSARY)


def _cells(entry: Symbol) -> list[str]:
    where = f"{entry.control} (`/{entry.page}`)" if entry.control else f"`/{entry.page}`"
    columns = ", ".join(f"`{name}`" for name in entry.column.split(", ") if name)
    file = entry.docs.removeprefix("docs/")
    link = f"[{file}]({file})" + (f" §{entry.section}" if entry.section else "") if file else ""
    return [entry.symbol, entry.meaning, where, columns, entry.paper, link]


if __name__ == "__main__":
    print(document(), end="")
