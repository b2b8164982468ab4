"""The left half of the Certify page: where the image comes from, and the exact tensor that the networks see."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app import data, keys
from app.escape import markdown
from app.services import pictures
from app.services.limits import Limits
from app.settings import Settings
from engine.datasets import DatasetCard
from engine.errors import AcesError
from engine.single_image.case import frame
from engine.single_image.picture import Framing, Picture, Pixels, read_picture, to_png
from engine.single_image.subject import Subject
from engine.smoothing import Smoothing

PHOTOGRAPHS = {path.stem: path for path in sorted((Path(__file__).parents[1] / "photographs").glob("*.jpg"))}
SOURCES = ("Example", "Upload", "Camera")
COPIES = 5


@dataclass(frozen=True, eq=False)
class Chosen:
    """An image as it will be certified: its exact tensor uint8 [C, H, W] and what names it.

    ``name``: what the visitor calls it; anybody can have chosen it.
    """

    picture: Picture
    tensor: Pixels
    subject: Subject
    name: str


def choose(settings: Settings, card: DatasetCard, limits: Limits) -> Chosen | None:
    """Widgets for the image; None while there is none. Raises ``AcesError`` for one that cannot be used."""
    named = _file(settings, card, limits)
    if named is None:
        return None
    name, file = named
    picture = read_picture(file)
    for note in picture.notes:
        st.caption(f":material/info: {markdown(note)}")
    framing = _framing(picture, card)
    tensor, subject = frame(picture, framing, card.shape)
    return Chosen(picture, tensor, subject, name)


def show(chosen: Chosen, card: DatasetCard, settings: Settings) -> None:
    """The upload with its window, the exact tensor, and noisy copies under the noise of every network."""
    framing = chosen.subject.framing
    left, right = st.columns(2)
    left.image(pictures.framed(chosen.picture, framing, card.shape), caption=_size(chosen.picture), alt="The image")
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


def _file(settings: Settings, card: DatasetCard, limits: Limits) -> tuple[str, bytes] | None:
    """The picture's name and its file."""
    source = st.segmented_control(
        "Image", SOURCES, key="source", bind=keys.URL, default=SOURCES[0], required=True,
        help="An example that ships, a file of your own, or the camera.",
    )  # fmt: skip
    if source == "Upload":
        sent = st.file_uploader(
            "Image file", key="upload", max_upload_size=limits.upload_mb,
            help="It stays in this server's memory, and goes when you leave.",
        )  # fmt: skip
        return (sent.name, sent.getvalue()) if sent is not None else None
    if source == "Camera":
        taken = st.camera_input("Camera", key="camera", help="Needs https, or a server on this machine.")
        return ("camera picture", taken.getvalue()) if taken is not None else None
    return _example(settings, card)


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
        shipped, runs = data.pictures(settings.certify_run).images, data.composition(settings)
        for index, label in zip(runs.index.tolist(), runs.label.tolist(), strict=True):
            if index in shipped:
                found.setdefault(card.classes[label], to_png(shipped[index]))
    return found | {name: path.read_bytes() for name, path in PHOTOGRAPHS.items()}


def _framing(picture: Picture, card: DatasetCard) -> Framing:
    """Sliders that move the window. Each image has its own: they begin anew with another one."""
    name = hashlib.sha256(picture.sha256.encode()).hexdigest()[:8]
    with st.expander("Crop", expanded=False):
        zoom = st.slider(
            "Window, share of the largest",
            0.1,
            1.0,
            1.0,
            0.01,
            key=f"zoom-{name}",
            help="The size of the square that is kept.",
        )
        x = st.slider(
            "Left to right", 0.0, 1.0, 0.5, 0.01, key=f"x-{name}", help="Where the window lies: 0 is at the left edge."
        )
        y = st.slider(
            "Top to bottom", 0.0, 1.0, 0.5, 0.01, key=f"y-{name}", help="Where the window lies: 0 is at the top edge."
        )
        invert = st.toggle("Invert", key=f"invert-{name}", help="For networks trained on light shapes on black.")
    return Framing(x, y, zoom, invert)


def _size(picture: Picture) -> str:
    return f"{picture.size[0]} x {picture.size[1]} pixels"
