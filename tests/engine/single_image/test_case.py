"""What is fixed before the first draw: image, plan, seed or challenge."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import AcesError
from engine.single_image.case import MAX_CHALLENGE, Case, check_challenge, frame
from engine.single_image.picture import Framing, read_picture, tensor_sha256, to_png, to_tensor
from engine.single_image.plan import Plan

PICTURE = read_picture(to_png(np.random.default_rng(0).integers(0, 256, (1, 20, 30), dtype=np.uint8)))
PLAN = Plan(0.25, 0.3)


def test_a_frame_is_the_exact_tensor_and_its_names():
    framing = Framing(x=0.1, zoom=0.5)
    tensor, subject = frame(PICTURE, framing, (1, 8, 8))
    np.testing.assert_array_equal(tensor, to_tensor(PICTURE, framing, (1, 8, 8)))
    assert (subject.file_sha256, subject.tensor_sha256) == (PICTURE.sha256, tensor_sha256(tensor))
    assert (subject.shape, subject.framing) == ((1, 8, 8), framing)


def test_a_seed_is_fresh_unless_it_is_given_and_none_stands_beside_a_challenge():
    image = frame(PICTURE, Framing(), (1, 8, 8))
    assert Case.fixed(*image, PLAN).seed != Case.fixed(*image, PLAN).seed
    assert Case.fixed(*image, PLAN, 7).seed == 7
    beside = Case.fixed(*image, PLAN, None, "a beacon")
    assert (beside.seed, beside.challenge) == (0, "a beacon")
    with pytest.raises(AcesError, match="could be tried until the noise pleases"):
        Case.fixed(*image, PLAN, 7, "a beacon")


@pytest.mark.parametrize("text", ["", "two\nlines", "\x1b[2J", (MAX_CHALLENGE + 1) * "x"])
def test_a_challenge_that_cannot_be_read_back_names_no_noise(text):
    with pytest.raises(AcesError, match="printable letters"):
        check_challenge(text, None)


def test_a_challenge_as_long_as_may_be_names_the_noise():
    check_challenge(MAX_CHALLENGE * "x", None)
