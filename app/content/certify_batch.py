"""Several pictures that are certified together: how far they are, ways to end them, and a table that opens each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from zlib import crc32

import streamlit as st

from app.content import certify_history, certify_result
from app.content.certify_input import AT
from app.escape import markdown
from app.services.certify_queue import JobState, Server, View
from app.services.question import readable
from engine.tables import duration

BATCH = "batch"  # the ids of the batch that this session asked for last
COLUMNS = ("picture", "name", "class", "outcome", "radius", "draws", "said")


def remember(ids: Sequence[str]) -> None:
    """This session has asked for these."""
    st.session_state[BATCH] = tuple(ids)


def shown(server: Server, session: str, opened: View | None) -> tuple[View, ...]:
    """The batch on the page: this session's while it runs, whatever is opened; else that of the job opened."""
    mine = _kept(server, session, st.session_state.get(BATCH, ()))
    if is_active(mine) or opened is None:
        return mine if is_active(mine) else ()
    return _kept(server, session, opened.batch)


def is_active(views: Sequence[View]) -> bool:
    """Whether any picture is still to be certified."""
    return any(view.state.active for view in views)


def show(server: Server, session: str, ids: tuple[str, ...], was_active: bool, parameter: str, opened: str) -> None:
    """The batch as it stands. Runs by itself, and the whole page again where that shows something else."""
    views = _kept(server, session, ids)
    if is_active(views) != was_active or st.query_params.get(parameter) != opened:
        st.rerun()
    st.header(f"Batch of {len(ids)} pictures", anchor=False)
    if was_active:
        _progress(views)
        _ways_to_end(server, session, views)
    else:
        st.caption(_ended(views))
    _table(views, parameter)
    st.caption(_promise(views) + " A click on a row opens it above.")


def open_picture(views: Sequence[View], parameter: str, file_sha256: str) -> None:
    """Callback: a picture is looked at, and its result, if it is in the batch, is opened beside it."""
    found = [view for view in views if view.task.image.file_sha256 == file_sha256]
    if found:
        st.query_params[parameter] = found[0].id


def _kept(server: Server, session: str, ids: Sequence[str]) -> tuple[View, ...]:
    """Jobs in order, but for those that the session keeps no longer."""
    return tuple(view for id in ids if (view := server.view(session, id)) is not None)


def _progress(views: Sequence[View]) -> None:
    done = [view for view in views if not view.state.active]
    now = next((view for view in views if view.state is JobState.RUNNING), None)
    share = 0.0 if now is None else now.drawn / now.task.plan.n
    st.progress(min(1.0, (len(done) + share) / len(views)), text=_how_far(views, len(done), now))


def _how_far(views: Sequence[View], done: int, now: View | None) -> str:
    said = f"**{done} of {len(views)} done**"
    if now is None:
        ahead = next(view.ahead for view in views if view.state.active)
        return f"{said} · waiting: {ahead} before the next picture" if ahead else f"{said} · next in the queue"
    n = now.task.plan.n
    said += f" · {markdown(readable(now.task.name))} · {now.drawn:,} of {n:,} draws"
    left = (len(views) - done) * n - now.drawn
    bound = "" if now.task.until is None else "at most "
    return f"{said} · {bound}{duration(left / now.rate)} left" if now.rate else said


def _ways_to_end(server: Server, session: str, views: Sequence[View]) -> None:
    active = [view.id for view in views if view.state.active]
    if not all(view.yours for view in views):
        st.caption(certify_result.NOT_YOURS)
        return
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Cancel this picture", key="cancel_one", on_click=server.cancel, args=(session, active[:1]),
            help="Ends the picture that is under way without a certificate; the next one begins.",
        )  # fmt: skip
        st.button(
            "Cancel all", key="cancel_all", on_click=server.cancel, args=(session, active),
            help="Ends the batch. What is certified already stays.",
        )  # fmt: skip


def _ended(views: Sequence[View]) -> str:
    """How many pictures ended how."""
    counts = Counter(str(certify_history.row(view)["outcome"]) for view in views)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common()) + "."


def _promise(views: Sequence[View]) -> str:
    """What alpha means for all of them: each has noise of its own, and a union bound needs not even that."""
    count, alpha = len(views), views[0].task.plan.alpha
    return (
        f"Each answer is promised by itself, except with probability α {alpha:g}. That any of the {count} fails, and "
        f"so one picked by its radius, has probability at most {count} α = {min(count * alpha, 1):.3g}."
    )


def _table(views: Sequence[View], parameter: str) -> None:
    ids = [view.id for view in views]
    rows = [certify_history.row(view) for view in views]
    columns = [name for name in COLUMNS if name != "said" or any(row["said"] for row in rows)]
    key = f"batch-{crc32(repr(ids).encode()):x}"
    st.dataframe(
        [{name: row[name] for name in columns} for row in rows], hide_index=True, key=key,
        selection_mode="single-row", row_height=44, on_select=partial(_open, views, key, parameter), placeholder="—",
        alt="One row per picture of the batch: answer, outcome, radius and draws",
        column_config={"picture": st.column_config.ImageColumn(width=60), "class": "answer"},
    )  # fmt: skip


def _open(views: Sequence[View], key: str, parameter: str) -> None:
    """Callback: a row's result is opened, and its picture is looked at."""
    certify_history.open_row([view.id for view in views], key, parameter)
    at = next((view for view in views if view.id == st.query_params.get(parameter)), None)
    if at is not None:
        st.session_state[AT] = at.task.image.file_sha256
