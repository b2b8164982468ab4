"""Pictures that visitors send, one or several at once: what is certified of them, and what is said of the others.

No Streamlit in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.services.limits import PICTURES
from app.services.question import readable
from engine.errors import AcesError
from engine.single_image.case import frame
from engine.single_image.picture import CENTRED, Framing, Picture, Pixels, Readable, read_picture
from engine.single_image.subject import Subject

NAMED = 20  # files of those that are too many that a sentence names


@dataclass(frozen=True, eq=False)
class Chosen:
    """An image as it will be certified: its exact ``tensor`` uint8 [C, H, W] and what names it.

    ``name``: what the visitor calls it; anybody can have chosen it. ``notes``: what reading it had to leave out.
    """

    tensor: Pixels
    subject: Subject
    name: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A file that is not certified, and why."""

    name: str
    reason: str

    @property
    def sentence(self) -> str:
        return f"{readable(self.name)}: {self.reason}"


@dataclass(frozen=True, eq=False)
class Batch:
    """What is certified, in the order of the files; what cannot be; and what is certified once only."""

    chosen: tuple[Chosen, ...]
    refused: tuple[Refused, ...]
    twins: tuple[Refused, ...]


def choose(name: str, picture: Picture, framing: Framing, shape: tuple[int, int, int]) -> Chosen:
    """A picture as networks of ``shape`` [C, H, W] see it."""
    return Chosen(*frame(picture, framing, shape), name, picture.notes)


def take(name: str, file: Readable, shape: tuple[int, int, int], framing: Framing = CENTRED) -> Chosen | Refused:
    """One file of several, which must not keep the others from being certified."""
    try:
        return choose(name, read_picture(file), framing, shape)
    except AcesError as error:
        return Refused(name, str(error))


def sort_out(taken: Sequence[Chosen | Refused]) -> Batch:
    """Files that were taken, without those that show the networks what an earlier one does.

    Twice certified, one tensor would have two certificates, of which the better one could be kept: a choice after
    looking.
    """
    first: dict[str, Chosen] = {}
    twins = []
    for found in taken:
        if isinstance(found, Refused):
            continue
        earlier = first.setdefault(found.subject.tensor_sha256, found)
        if earlier is not found:
            same = earlier.subject.file_sha256 == found.subject.file_sha256
            what = "the same file as" if same else "to the networks the same picture as"
            twins.append(Refused(found.name, f"{what} {readable(earlier.name)}, so it is certified once."))
    return Batch(tuple(first.values()), tuple(one for one in taken if isinstance(one, Refused)), tuple(twins))


def too_many(names: Sequence[str]) -> str:
    """The sentence that refuses the files beyond ``PICTURES``; empty where there are none."""
    beyond = [readable(name) for name in names[PICTURES:]]
    if not beyond:
        return ""
    more = f" and {len(beyond) - NAMED:,} more" if len(beyond) > NAMED else ""
    return (
        f"{len(names):,} files: at most {PICTURES} are taken at once. Not taken: {', '.join(beyond[:NAMED])}{more}. "
        f"Certify these first, then remove them and send the others."
    )
