"""The Runs page: what there is to look at, where it comes from, and sampling more."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from app import data, sampling, state
from app.notices import errors_in_place
from app.sampling import Sampling, State
from app.settings import Settings
from engine.runs import Meta

POLL_SECONDS = 1.0
CONFIGS = Path(__file__).resolve().parents[1] / "engine" / "configs"
ICONS = {State.RUNNING: "running", State.DONE: "complete", State.CANCELLED: "error", State.FAILED: "error"}


def show(settings: Settings | None) -> None:
    """The shelf, a run's card, and precomputes under way. Works on an empty shelf as well."""
    st.subheader("What there is", anchor=False)
    metas = data.catalogue().metas
    if metas:
        _table(metas)
    else:
        st.info("Nothing yet: sample a config below, or bring in finished runs on the command line.")
    st.caption("Finished runs come in on the command line: `python -m engine import RUNS.npz`.")
    st.subheader("Sample more", anchor=False)
    with errors_in_place():
        _start()
    running = any(one.state is State.RUNNING for one in sampling.every(data.store()))
    st.fragment(_under_way, run_every=POLL_SECONDS if running else None)(running)


def _table(metas: list[Meta]) -> None:
    rows = [
        {
            "name": run.name,
            "kind": run.kind,
            "dataset": run.dataset,
            "training": run.network.training,
            "σ": run.sigma,
            "trained at σ": run.network.sigma_train,
            "n0": run.n0,
            "n": run.n,
            "precision": run.precision,
            "created": run.created,
        }
        for run in metas
    ]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, key=state.SHELF, on_select="rerun", selection_mode="single-row",
        placeholder="—", alt="One row a run: kind, dataset, training, noise and draws",
    )  # fmt: skip
    chosen = state.clicked_run()
    if chosen is not None and chosen < len(metas):
        _card(metas[chosen])
    else:
        st.caption(f"{len(metas)} runs. A click on a row opens its card.")


def _card(run: Meta) -> None:
    with errors_in_place():
        st.markdown(f"**{run.name}**, content sha256 `{data.fingerprint(run)}`")
    st.json(run.to_json(), expanded=2)


def _start() -> None:
    configs = _configs()
    left, middle, right = st.columns([4, 2, 2], vertical_alignment="bottom")
    name = left.selectbox(
        "Config", list(configs), key="config", bind=state.URL,
        help="Those that ship, and those in the folder that the environment variable ACES_CONFIGS names.",
    )  # fmt: skip
    if name is None:
        return
    n = middle.number_input(
        "Draws n", 1, None, None, 1000, key="draws", placeholder="as the config says", bind=state.URL
    )
    right.button(
        "Start", type="primary", key="start_sampling", width="stretch", on_click=_begin, args=(configs[name], n)
    )
    with st.expander("What it asks for"):
        st.code(configs[name].read_text(), language="yaml")


def _configs() -> dict[str, Path]:
    """The configs of what to sample, by their place; others say how to train."""
    own = os.environ.get("ACES_CONFIGS")
    places = [CONFIGS, *([Path(own)] if own else [])]
    found = {str(path.relative_to(place)): path for place in places for path in sorted(place.rglob("*.yaml"))}
    return {name: path for name, path in found.items() if "checkpoint:" in path.read_text()}


def _begin(config: Path, n: int | None) -> None:
    with errors_in_place():
        sampling.start(data.store(), config, n)


def _under_way(was_running: bool) -> None:
    """What was started, here or in another browser. The page is drawn anew when the last one ends."""
    found = sampling.every(data.store())
    for one in found:
        _show(one)
    if was_running and not any(one.state is State.RUNNING for one in found):
        st.rerun()


def _show(one: Sampling) -> None:
    with st.container(border=True, key=f"sampling-{one.id}"):
        said, action = st.columns([5, 2], vertical_alignment="center")
        n = "" if one.n is None else f", n {one.n:,}"
        said.markdown(f"**{Path(one.config).name}**{n}: {one.state.value}")
        st.progress(one.share, text=_progress(one))
        if one.message:
            st.error(one.message)
        with action.container(horizontal=True):
            if one.state is State.RUNNING:
                _button("Cancel", one, partial(sampling.cancel, data.store(), one.id))
            else:
                if one.state is not State.DONE:
                    _button("Resume", one, partial(sampling.resume, data.store(), one.id))
                _button("Dismiss", one, partial(sampling.dismiss, data.store(), one.id))


def _button(label: str, one: Sampling, do: Callable[[], object]) -> None:
    if st.button(label, key=f"{label.lower()}-{one.id}"):
        with errors_in_place():
            do()
            st.rerun()


def _progress(one: Sampling) -> str:
    if one.runs:
        return f"made {', '.join(one.runs)}"
    if not one.progress:
        return "reading networks and images" if one.state is State.RUNNING else "no draws were made"
    p = one.progress
    rate = f"{p['draws_per_second']:,.0f} draws/s"
    left = f", {p['seconds_left']:,.0f} s left in this run" if one.state is State.RUNNING and p["seconds_left"] else ""
    return f"{p['job']}: {p['images']} of {p['total_images']} images, {rate}{left}"
