"""What is certified, all of it fixed before the first draw: the exact tensor, the plan, and what names the noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from engine.errors import AcesError
from engine.single_image.picture import Framing, Picture, Pixels, tensor_sha256, to_tensor
from engine.single_image.plan import Plan, fresh_seed
from engine.single_image.subject import Subject

MAX_CHALLENGE = 1_000


@dataclass(frozen=True, eq=False)
class Case:
    """One picture to certify: its exact ``tensor`` uint8 [C, H, W], which a certificate calls ``image``, and the plan.

    ``seed`` and ``challenge`` name the noise; beside a challenge the seed is 0.
    """

    tensor: Pixels
    image: Subject
    plan: Plan
    seed: int
    challenge: str | None = None

    @classmethod
    def fixed(
        cls, tensor: Pixels, image: Subject, plan: Plan, seed: int | None = None, challenge: str | None = None
    ) -> Self:
        """The case of an image and a plan that will not change: only now a seed is drawn, if none is given.

        Beside a challenge there is nothing to be drawn. Raises ``AcesError`` for a seed beside a challenge, and for a
        challenge that could not be read back.
        """
        check_challenge(challenge, seed)
        if seed is None:
            seed = fresh_seed() if challenge is None else 0
        return cls(tensor, image, plan, seed, challenge)


def check_challenge(challenge: str | None, seed: int | None) -> None:
    """Raise ``AcesError`` unless this challenge, if any, may name the noise."""
    if challenge is None:
        return
    if seed is not None:
        raise AcesError("a challenge names the noise: a seed beside it could be tried until the noise pleases")
    if not (0 < len(challenge) <= MAX_CHALLENGE and challenge.isprintable()):
        raise AcesError(f"a challenge: 1 to {MAX_CHALLENGE:,} printable letters, for example a beacon's value in hex")


def frame(picture: Picture, framing: Framing, shape: tuple[int, int, int]) -> tuple[Pixels, Subject]:
    """The exact tensor of ``shape`` [C, H, W] that ``framing`` makes of a picture, and its names in a certificate."""
    tensor = to_tensor(picture, framing, shape)
    return tensor, Subject(picture.sha256, tensor_sha256(tensor), shape, framing)
