"""The left half of the Certify page: where the images come from, and the exact tensors that the networks see."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app import data, keys, run_pictures
from app.escape import markdown
from app.services import pictures
from app.services.limits import PICTURES, Limits
from app.services.question import readable
from app.services.uploads import Batch, Chosen, Refused, choose, sort_out, take, too_many
from app.settings import Settings
from engine.datasets import DatasetCard
from engine.errors import AcesError
from engine.single_image.picture import CENTRED, Framing, Picture, read_picture, to_png
from engine.smoothing import Smoothing

PHOTOGRAPHS = {path.stem: path for path in sorted((Path(__file__).parents[1] / "photographs").glob("*.jpg"))}
SOURCES = ("Example", "Upload", "Camera")
COPIES = 5


AT = "looked_at"
CROP = ("zoom", "x", "y", "invert")  # the parts of a ``Framing``


@dataclass(frozen=True, eq=False)
class Selected:
    """The pictures to certify, and the one that is looked at: one of them, and its pixels."""

    chosen: tuple[Chosen, ...]
    at: Chosen
    picture: Picture


def select(settings: Settings, card: DatasetCard, limits: Limits, looked: Callable[[str], None]) -> Selected | None:
    """Widgets for the images; None while there is none. Raises ``AcesError`` for one that cannot be used.

    ``looked`` is called with the sha256 of a picture of several when a visitor looks at it.
    """
    source = st.segmented_control(
        "Image", SOURCES, key="source", bind=keys.URL, default=SOURCES[0], required=True,
        help="An example that ships, files of your own, or the camera.",
    )  # fmt: skip
    if source == "Upload":
        return _uploaded(card, limits, looked)
    if source == "Camera":
        taken = st.camera_input("Camera", key="camera", help="Needs https, or a server on this machine.")
        return None if taken is None else _single("camera picture", taken.getvalue(), card)
    example = _example(settings, card)
    return None if example is None else _single(*example, card)


def show(selected: Selected, card: DatasetCard, settings: Settings) -> None:
    """The upload with its window, the exact tensor, and noisy copies under the noise of every network."""
    chosen, picture = selected.at, selected.picture
    framing = chosen.subject.framing
    left, right = st.columns(2)
    left.image(pictures.framed(picture, framing, card.shape), caption=_size(picture), alt="The image")
    shape = " x ".join(str(side) for side in card.shape)
    right.image(pictures.large(chosen.tensor), caption=f"exact tensor, {shape}", alt="What the networks see")
    others = {"selection network": settings.select_run}
    if settings.choice.then is not None:
        others["second stage"] = settings.choice.then.run
    sigma, smoothing = settings.certify_run.noise, settings.smoothing
    differ = {name: run.noise for name, run in others.items() if run is not None and run.noise != sigma}
    _copies(
        chosen, sigma, smoothing, f"what the {'certification network is' if differ else 'networks are'} evaluated on"
    )
    for name, noise in differ.items():
        _copies(chosen, noise, smoothing, f"what the {name} is evaluated on")


def _copies(chosen: Chosen, sigma: float, smoothing: Smoothing, what: str) -> None:
    st.image(
        pictures.noisy_copies(chosen.tensor, sigma, COPIES, smoothing),
        caption=f"{what}: copies under {smoothing.label} of σ {sigma:g}",
        alt=f"{COPIES} noisy copies",
    )


def _single(name: str, file: bytes, card: DatasetCard) -> Selected:
    """One picture, what its reading changed, and its crop."""
    picture = read_picture(file)
    for note in picture.notes:
        st.caption(f":material/info: {markdown(note)}")
    chosen = choose(name, picture, _framing(picture.sha256), card.shape)
    return Selected((chosen,), chosen, picture)


def _uploaded(card: DatasetCard, limits: Limits, looked: Callable[[str], None]) -> Selected | None:
    files = st.file_uploader(
        "Image files", key="upload", accept_multiple_files=True, max_upload_size=limits.upload_mb,
        help=f"Up to {PICTURES}. They stay in this server's memory, and go when you leave.",
    )  # fmt: skip
    if len(files) == 1:
        return _single(files[0].name, files[0].getvalue(), card)
    return _several(files, card, looked) if files else None


def _several(files: Sequence[UploadedFile], card: DatasetCard, looked: Callable[[str], None]) -> Selected | None:
    """Those of the files that can be certified, what is said of the others, and the crop of the one looked at."""
    _keep_crops()
    taken = [_as_cropped(file, card) for file in files[:PICTURES]]
    batch = sort_out(taken)
    _say(batch, too_many([file.name for file in files]))
    if not batch.chosen:
        return None
    at = batch.chosen[0] if len(batch.chosen) == 1 else _looked_at(batch.chosen, looked)
    _framing(at.subject.file_sha256, [one.subject.file_sha256 for one in batch.chosen if one is not at])
    return Selected(batch.chosen, at, read_picture(files[taken.index(at)].getvalue()))


def _as_cropped(file: UploadedFile, card: DatasetCard) -> Chosen | Refused:
    """A file by the crop that its sliders say, also while another picture's are shown."""
    found = _taken(file.file_id, file.name, CENTRED, card.shape, file)
    if isinstance(found, Refused):
        return found
    known = {part: st.session_state.get(key) for part, key in _crop_keys(found.subject.file_sha256).items()}
    framing = replace(CENTRED, **{part: value for part, value in known.items() if value is not None})
    return found if framing == CENTRED else _taken(file.file_id, file.name, framing, card.shape, file)


@st.cache_resource(scope="session", max_entries=3 * PICTURES, show_spinner=False)
def _taken(
    file_id: str, name: str, framing: Framing, shape: tuple[int, int, int], _file: UploadedFile
) -> Chosen | Refused:
    """A file is decoded once, and not at every run of the page: of 20 photographs that would take seconds."""
    return take(name, _file.getvalue(), shape, framing)


def _say(batch: Batch, beyond: str) -> None:
    """What is not certified and why, and what the reading of the others changed."""
    for sentence in [*([beyond] if beyond else []), *(one.sentence for one in batch.refused)]:
        st.error(markdown(sentence), icon=":material/error:")
    said = [one.sentence for one in batch.twins]
    said += [f"{readable(one.name)}: {note}" for one in batch.chosen for note in one.notes]
    for sentence in said:
        st.caption(f":material/info: {markdown(sentence)}")


def _looked_at(chosen: Sequence[Chosen], looked: Callable[[str], None]) -> Chosen:
    """All pictures, small, of which one is shown large below."""
    known = {one.subject.file_sha256: one for one in chosen}
    if st.session_state.get(AT) not in known:
        st.session_state[AT] = next(iter(known))
    st.pills(
        "Pictures",
        list(known),
        format_func=lambda sha256: (
            f"![]({pictures.data_url(to_png(known[sha256].tensor))}) {markdown(readable(known[sha256].name))}"
        ),
        key=AT,
        required=True,
        on_change=lambda: looked(st.session_state[AT]),
        help="All of them are certified. A click shows one below: its crop, its exact tensor, and its result.",
    )
    return known[st.session_state[AT]]


def _example(settings: Settings, card: DatasetCard) -> tuple[str, bytes] | None:
    """One of the demo's images, the first of each class, or a photograph."""
    images = _examples(settings, card)
    name = st.pills(
        "Example",
        list(images),
        format_func=lambda name: f"![{markdown(name)}]({pictures.thumbnail(images[name])})",
        key="example",
        default=next(iter(images)),
        required=True,
        label_visibility="collapsed",
        help="One image of each class, and photographs.",
    )
    return (name, images[name]) if name in images else None


def _examples(settings: Settings, card: DatasetCard) -> dict[str, bytes]:
    """Image files by name: what cannot be had is left out."""
    found: dict[str, bytes] = {}
    with suppress(AcesError):
        shipped, runs = run_pictures.pictures(settings.certify_run).images, data.composition(settings)
        for index, label in zip(runs.index.tolist(), runs.label.tolist(), strict=True):
            if index in shipped and card.classes[label] not in found:
                found[card.classes[label]] = to_png(shipped[index])
    return found | {name: path.read_bytes() for name, path in PHOTOGRAPHS.items()}


def _crop_keys(file_sha256: str) -> dict[str, str]:
    """The keys of a picture's sliders, by what they set of its ``Framing``."""
    name = hashlib.sha256(file_sha256.encode()).hexdigest()[:8]
    return {part: f"{part}-{name}" for part in CROP}


def _keep_crops() -> None:
    """Streamlit forgets what a control says that is not drawn: of several pictures those of one are."""
    for key in list(st.session_state):
        if str(key).startswith(tuple(f"{part}-" for part in CROP)):
            st.session_state[key] = st.session_state[key]


def _framing(file_sha256: str, others: Sequence[str] = ()) -> Framing:
    """Sliders that move the window. Each image has its own: they begin anew with another one."""
    key = _crop_keys(file_sha256)
    with st.expander("Crop", expanded=False):
        zoom = st.slider(
            "Window, share of the largest",
            0.1,
            1.0,
            CENTRED.zoom,
            0.01,
            key=key["zoom"],
            help="The size of the square that is kept.",
        )
        x = st.slider(
            "Left to right", 0.0, 1.0, CENTRED.x, 0.01, key=key["x"],
            help="Where the window lies: 0 is at the left edge.",
        )  # fmt: skip
        y = st.slider(
            "Top to bottom", 0.0, 1.0, CENTRED.y, 0.01, key=key["y"],
            help="Where the window lies: 0 is at the top edge.",
        )  # fmt: skip
        invert = st.toggle("Invert", key=key["invert"], help="For networks trained on light shapes on black.")
        framing = Framing(x, y, zoom, invert)
        if others:
            st.button(
                "Use for all pictures", key="crop_all", on_click=_crop_alike, args=(framing, others),
                help="Gives every other picture this crop and this invert.",
            )  # fmt: skip
    return framing


def _crop_alike(framing: Framing, others: Sequence[str]) -> None:
    for other in others:
        for part, key in _crop_keys(other).items():
            st.session_state[key] = getattr(framing, part)


def _size(picture: Picture) -> str:
    return f"{picture.size[0]} x {picture.size[1]} pixels"
