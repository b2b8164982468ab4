"""The Runs page: what there is to look at, where it comes from, and sampling more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from zlib import crc32

import pandas as pd
import streamlit as st

from app import actions, catalog, headlines, keys, state
from app.content import bring_in, run_card
from app.escape import markdown
from app.services import precompute
from app.services.limits import Limits, read_only
from app.services.precompute import AS_CONFIGURED, DrawRule, Planned, Sampling, State
from app.services.work import PLACES, Kind
from app.settings import Settings
from app.widgets import downloads
from app.widgets.notices import errors_in_place, show_error
from app.widgets.panels import polled
from cache import Listing
from engine import files, folders
from engine.figures.headlines import BEST, WHAT, BestPoint, Headline
from engine.records.meta import Meta
from engine.strict_yaml import MOST_BYTES
from engine.tables import Rows, duration

HEADLINE_SECONDS = 1.0  # of working out numbers of runs before the table is shown without the rest
NUMBERED = "numbered"  # of which catalog the session has seen all numbers: those of a damaged run never come
ABOUT_BUTTONS = {
    "Cancel": "Ends the sampling; what was drawn stays.",
    "Resume": "Goes on from what was drawn.",
    "Dismiss": "Takes this card away; runs and draws stay.",
}
AS_CONFIG, DECIDE = "As the config says", "Until decided"
RULES = {AS_CONFIG: None, "Lose 1 %": "1%", "Lose 5 %": "5%", DECIDE: None}
POLL_SECONDS, IDLE_SECONDS = 1.0, 5.0  # while something is sampled, and while somebody else may begin to
THOUSANDS = {
    name: st.column_config.NumberColumn(format="localized") for name in ("n0", "n", "draws", "cached", "missing")
}
COLUMNS = THOUSANDS | {
    "label": st.column_config.TextColumn(width=140),
    "NAC": st.column_config.NumberColumn(format="%.1f %%", help=f"Natural accuracy, {WHAT}."),
    "ACR": st.column_config.NumberColumn(format="%.3f", help=f"Average certified radius, {WHAT}."),
    "best ACR": st.column_config.NumberColumn(format="%.3f", help=f"Best front point: {BEST}."),
    "its NAC": st.column_config.NumberColumn(format="%.1f %%", help="The composition's NAC at that point."),
    "at θ": st.column_config.NumberColumn(format="%.3f", help="The threshold of that point; the entropy selects."),
    "with core": st.column_config.TextColumn(
        width=140, help="The most accurate core network of those shown that were evaluated on its images."
    ),
}


def show(settings: Settings | None) -> None:
    """The catalog, a run's card, and precomputes under way. Works with an empty catalog as well."""
    st.header("Available runs", anchor=False)
    listing = catalog.listing()
    metas: list[Meta] = []
    if listing.metas:
        metas = _catalog(listing, settings)
    else:
        st.info("Nothing yet: sample a config below, or bring in finished runs.")
    waiting = st.container()
    _beneath()
    if st.session_state.get(NUMBERED) != catalog.digest() and not _all_known(metas, 0.0):
        with waiting:  # begun last: the page stands by then
            polled(_more_numbers, POLL_SECONDS, metas)


def _beneath() -> None:
    """What stands under the catalog."""
    run_card.trash()
    if read_only():
        st.caption("This server is read-only: runs can be looked at and downloaded, not changed, and none are sampled.")
        return
    bring_in.show()
    st.caption("Folders of runs and logs come in on the command line: `python -m engine import DIR`.")
    st.header("Sample more", anchor=False)
    with errors_in_place():
        _start()
    running = any(one.state is State.RUNNING for one in precompute.every(catalog.store()))
    polled(_under_way, POLL_SECONDS if running else IDLE_SECONDS, running)


def _catalog(listing: Listing, settings: Settings | None) -> list[Meta]:
    """The table of runs, what was done last, and the card of the run that was clicked on; the runs in the table."""
    hidden = len(listing.metas) - len(listing.shown)
    all_too = bool(hidden) and st.toggle(f"Show hidden ({hidden})", key="show_hidden")
    metas = listing.metas if all_too else listing.shown
    rows = _rows(metas, listing, headlines.headlines(metas, HEADLINE_SECONDS), headlines.best_points(metas, 0.0))
    key = f"{keys.CATALOG}-{crc32(repr([meta.name for meta in metas]).encode()):x}"  # other rows: nothing is chosen
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, key=key, on_select="rerun", selection_mode="single-row",
        placeholder="—", alt="One row per run: kind, dataset, training, noise, NAC, ACR, best front point and draws",
        column_config=COLUMNS,
    )  # fmt: skip
    run_card.undo()
    chosen = actions.clicked_run(key)
    if chosen is not None and chosen < len(metas):
        run_card.show(metas[chosen], listing)
    else:
        st.caption(f"{len(metas)} runs. A click on a row opens its card. NAC and ACR are {WHAT}. Best is {BEST}.")
    if settings is not None and metas:
        downloads.menu("runs", settings, {}, lambda: rows)
    return metas


def _all_known(metas: list[Meta], seconds: float) -> bool:
    """Whether the numbers of all these runs are known, after working out more of them for so long."""
    end = time.monotonic() + seconds
    count = len(headlines.headlines(metas, seconds))
    return count == len(headlines.best_points(metas, end - time.monotonic())) == len(metas)


def _more_numbers(metas: list[Meta]) -> None:
    """Work out more of them, a second at a time, and draw the page anew when all are known."""
    if _all_known(metas, HEADLINE_SECONDS):
        st.session_state[NUMBERED] = catalog.digest()
        st.rerun()
    st.caption("NAC, ACR and best front points of more runs are being worked out.")


def _rows(
    metas: list[Meta], listing: Listing, known: Mapping[str, Headline], best: Mapping[str, BestPoint | None]
) -> Rows:
    """A row a run; columns that would say the same of all are left out."""
    notes = [listing.note(run.name) for run in metas]
    labelled, hidden = any(note.label for note in notes), any(note.hidden for note in notes)
    several = len({note.collection for note in notes}) > 1
    return [
        {
            **({"label": note.label or None} if labelled else {}),
            "name": run.name,
            **({"collection": note.collection} if several else {}),
            **({"hidden": note.hidden} if hidden else {}),
            "kind": run.kind,
            "dataset": run.dataset,
            "training": run.network.training,
            "σ": run.sigma,
            "NAC": known.get(run.name, Headline()).nac,
            "ACR": known.get(run.name, Headline()).acr,
            **_best(best.get(run.name), listing.called),
            "trained at σ": run.network.sigma_train,
            "n0": run.n0,
            "n": run.n,
            "precision": run.precision,
            "created": (run.created or "")[:16].replace("T", " "),
        }
        for run, note in zip(metas, notes, strict=True)
    ]


def _best(point: BestPoint | None, called: Mapping[str, str]) -> dict[str, object]:
    """The cells of a run's best front point."""
    if point is None:
        return {"best ACR": None, "its NAC": None, "at θ": None, "with core": None}
    core = called.get(point.core, point.core)
    return {"best ACR": point.acr, "its NAC": point.nac, "at θ": point.theta, "with core": core}


def _start() -> None:
    """A config and a number of draws, what that would take, and only then the button that begins."""
    configs = _configs()
    left, middle, right = st.columns([4, 2, 2], vertical_alignment="bottom")
    name = left.selectbox(
        "Config", list(configs), key="config", bind=keys.URL,
        help="Those that ship, and those in the folder that the environment variable ACES_CONFIGS names.",
    )  # fmt: skip
    if name is None:
        return
    asked = _text(configs[name])  # a config that was edited asks something else
    n = middle.number_input(
        "Draws n",
        1,
        None,
        None,
        1000,
        key="draws",
        placeholder="as the config says",
        bind=keys.URL,
        help="Noisy copies per image and network that the bounds rest on; more give larger radii.",
    )
    if right.button("Estimate the cost", key="estimate", width="stretch", help="Samples for about 2 s a network."):
        with st.spinner("Looking at networks, images and what is stored", show_time=True):
            limits = Limits.from_environment()
            with PLACES.held(Kind.ESTIMATE, state.session().session, limits):
                found = precompute.plan(catalog.store(), configs[name], n, limits.seconds)
            state.keep_plan((name, n, asked), found)
    found = state.plan((name, n, asked))
    if found is not None:
        _plan(found, configs[name], n, _rule(asked))
    with st.expander("Show the config"):
        st.code(asked, language="yaml")


def _rule(config: str) -> DrawRule | None:
    """Which images get how many draws; None where that is not said yet."""
    how, more, at = st.columns([4, 2, 2], vertical_alignment="bottom")
    chosen = how.segmented_control(
        "Draws of an image", list(RULES), key="rule", bind=keys.URL, default=AS_CONFIG, required=True,
        help="n for every image; or as many as it is worth, by its guess draws; or until it is known whether it is "
        "certified at some radii. All of them are valid at full α. What the config says of it stands in the config.",
    )  # fmt: skip
    if chosen is None or chosen == AS_CONFIG:
        return AS_CONFIGURED
    theta = at.text_input(
        "θ", placeholder="1" if chosen == DECIDE else "all", key="rule_theta", bind=keys.URL,
        help="The threshold that draws are for: of a budget a range as well, 0.2:0.4.",
    ).strip()  # fmt: skip
    if chosen != DECIDE:
        return DrawRule(lose=RULES[chosen], theta=theta or None)
    radii = more.text_input(
        "Radii", "0.25, 0.5", key="rule_r", bind=keys.URL,
        help="Those that images are asked about. Such a run supports their certified accuracy, and no ACR.",
    )  # fmt: skip
    said = "".join(radii.split())
    return DrawRule(decide=f"r={said}", theta=theta or None) if said else None


def _plan(found: tuple[Planned, ...], config: Path, n: int | None, rule: DrawRule | None) -> None:
    """A row a run, the time in all, and the button that begins."""
    rows = [
        {
            "run": one.name,
            "kind": one.kind,
            "images": one.images,
            "draws": one.draws,
            "cached": one.cached,
            "missing": one.draws - one.cached,
            "time": duration(one.seconds),
        }
        for one in found
    ]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, column_config=THOUSANDS,
        alt="One row per run that the config asks for: draws, how many are stored, how many are missing, how long",
    )  # fmt: skip
    said, compare, begin = st.columns([5, 2, 2], vertical_alignment="center")
    at_most = "At most" if rule is None or rule != AS_CONFIGURED else "About"
    said.markdown(
        f"{at_most} **{duration(sum(one.seconds for one in found))}** on this machine, by a short probe. "
        "May be cancelled at any time: what was drawn stays."
    )
    compare.button(
        "Compare budgets",
        key="compare_budgets",
        width="stretch",
        on_click=_begin,
        args=(config, n, _compared(rule)),
        kwargs={"compares": True},
        help="Takes the guess draws, which are kept, and says what n for every image, budgets that may lose 1, 2 and "
        "5 % of the ACR, and a question would draw, and how long.",
    )
    begin.button(
        "Start",
        type="primary",
        key="start_sampling",
        width="stretch",
        on_click=_begin,
        args=(config, n, rule),
        disabled=rule is None,
        help="Samples in a process of its own; this page may be closed meanwhile.",
    )


def _configs() -> dict[str, Path]:
    """The configs of what to sample, by their place; others say how to train."""
    paths = [(place, path) for place in folders.configs() for path in place.rglob("*.yaml")]
    paths.sort(key=lambda found: (len(found[1].relative_to(found[0]).parts), found[1]))  # the general ones first
    found = {str(path.relative_to(place)): path for place, path in paths}
    return {name: path for name, path in found.items() if "checkpoint:" in _text(path)}


def _text(path: Path) -> str:
    """What a config says as it is shown, whatever its encoding; nothing where it is no file, or cannot be read."""
    try:
        with files.opened(path) as file:
            return file.read(MOST_BYTES).decode("utf-8", "replace").replace("\0", "")
    except (files.FileError, OSError):
        return ""


def _compared(rule: DrawRule | None) -> DrawRule:
    """The question that budgets are compared with: that which is chosen, or whether images are certified at 0.25."""
    rule = rule or AS_CONFIGURED
    return DrawRule(decide=rule.decide or "r=0.25", theta=rule.theta)


def _begin(config: Path, n: int | None, rule: DrawRule, *, compares: bool = False) -> None:
    if not compares:
        state.drop_plan()
    with errors_in_place():
        precompute.start(catalog.store(), config, n, rule, compares=compares)


def _under_way(was_running: bool) -> None:
    """What was started, here or in another browser. The page is drawn anew when the first begins or the last ends."""
    found = precompute.every(catalog.store())
    for one in found:
        _show(one)
    if was_running != any(one.state is State.RUNNING for one in found):
        state.drop_plan()
        catalog.look_again()
        st.rerun()


def _show(one: Sampling) -> None:
    with st.container(border=True, key=f"sampling-{one.id}"):
        said, action = st.columns([5, 2], vertical_alignment="center")
        n = "" if one.n is None else f", n {one.n:,}"
        rule = f", {markdown(str(one.rule))}" if str(one.rule) and not one.compares else ""
        what = ", budgets compared" if one.compares else ""
        said.markdown(f"**{markdown(Path(one.config).name or 'unknown config')}**{n}{rule}{what}: {one.state.value}")
        st.progress(one.share, text=_progress(one))
        if one.forecasts:
            _forecasts(one)
        if one.message:
            show_error(one.message)
        with action.container(horizontal=True):
            if one.state is State.RUNNING:
                _button("Cancel", one, partial(precompute.cancel, catalog.store(), one.id))
            else:
                if one.state is not State.DONE:
                    _button("Resume", one, partial(precompute.resume, catalog.store(), one.id))
                _button("Dismiss", one, partial(precompute.dismiss, catalog.store(), one.id))


def _forecasts(one: Sampling) -> None:
    """A row a rule: what all runs of the config would draw together."""
    rows = [
        {
            "rule": of.rule,
            "draws": of.draws,
            "saves": f"{of.full / of.draws:.1f} x" if of.draws else None,
            "of the ACR": None if of.kept is None else f"{100 * of.kept:.1f} %",
            "time": duration(of.seconds),
        }
        for of in one.forecasts
    ]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, placeholder="—", column_config=THOUSANDS, key=f"forecasts-{one.id}",
        alt="One row per budget: draws that it would take, how many times fewer, what is left of the ACR, how long",
    )  # fmt: skip
    st.caption(
        "Forecast from the guess draws, which are stored: no certificate rests on it. Of several runs the sums, and "
        "the least share of an ACR. A question measures no ACR."
    )


def _button(label: str, one: Sampling, do: Callable[[], object]) -> None:
    if st.button(label, key=f"{label.lower()}-{one.id}", help=ABOUT_BUTTONS[label]):
        with errors_in_place():
            do()
            st.rerun()


def _progress(one: Sampling) -> str:
    if one.state is State.DONE and one.compares:
        return "the guess draws are stored" if one.forecasts else "nothing is to be sampled: the store has every run"
    if one.state is State.DONE:
        return f"made {', '.join(map(markdown, one.runs))}"
    if not one.progress:
        return "reading networks and images" if one.state is State.RUNNING else "no draws were reported"
    p = one.progress
    decided = " decided" if one.rule.decide and not one.compares else ""
    done = f"{markdown(p['job'])}: {p['images']} of {p['total_images']} images{decided}"
    done += f", {p['saved']:,} draws saved" if p.get("saved") else ""
    if one.state is not State.RUNNING:
        return f"{done}, {p['draws']:,} of {p['total']:,} draws are kept: Resume goes on from there"
    left = f", {duration(p['seconds_left'])} left in this run" if p.get("seconds_left") else ""
    return f"{done}, {p.get('draws_per_second') or 0:,.0f} draws/s{left}"
