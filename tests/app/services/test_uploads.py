from __future__ import annotations

import io

import numpy as np
from PIL import Image

from app.services.limits import PICTURES
from app.services.uploads import Chosen, Refused, sort_out, take, too_many
from engine.single_image.case import frame
from engine.single_image.picture import CENTRED, Framing, read_picture
from tests.bad_pictures import BAD, GOOD, encoded, photo

SHAPE = (1, 28, 28)


def test_one_file_of_several_is_framed_as_it_would_be_alone():
    file = GOOD["turned.jpg"][0]
    for framing in (CENTRED, Framing(0.0, 1.0, 0.5, invert=True)):
        found = take("turned.jpg", file, SHAPE, framing)
        assert isinstance(found, Chosen)
        tensor, subject = frame(read_picture(file), framing, SHAPE)
        np.testing.assert_array_equal(found.tensor, tensor)
        assert found.subject == subject
        assert "Turned upright" in found.notes[0]


def test_bad_files_are_named_with_their_reason_and_the_good_ones_go_on():
    files = {**{name: data for name, (data, said) in BAD.items() if said}, "plain.png": GOOD["plain.png"][0]}
    found = sort_out([take(name, data, SHAPE) for name, data in files.items()])
    assert [one.name for one in found.chosen] == ["plain.png"]
    assert [one.name for one in found.refused] == [name for name, (_, said) in BAD.items() if said]
    for one in found.refused:
        assert BAD[one.name][1] in one.sentence
        assert one.sentence.startswith(f"{one.name}: ")


def test_the_same_file_under_two_names_is_certified_once_and_said():
    found = sort_out([take(name, GOOD["plain.png"][0], SHAPE) for name in ("a.png", "b.png")])
    assert [one.name for one in found.chosen] == ["a.png"]
    assert [one.sentence for one in found.twins] == ["b.png: the same file as a.png, so it is certified once."]


def test_two_files_that_show_the_networks_the_same_are_certified_once():
    again = io.BytesIO()
    Image.open(io.BytesIO(encoded(photo()))).save(again, "BMP")
    found = sort_out([take("a.png", encoded(photo()), SHAPE), take("a.bmp", again.getvalue(), SHAPE)])
    assert [one.name for one in found.chosen] == ["a.png"]
    assert "to the networks the same picture as a.png" in found.twins[0].sentence


def test_a_name_is_said_in_letters_that_can_be_seen():
    assert Refused("a\u202egnp.exe", "no picture").sentence == "a\N{REPLACEMENT CHARACTER}gnp.exe: no picture"


def test_files_beyond_the_most_are_named_in_one_sentence():
    names = [f"{k}.png" for k in range(PICTURES + 2)]
    assert too_many(names[:PICTURES]) == ""
    said = too_many(names)
    assert said.startswith("22 files: at most 20 are taken at once. Not taken: 20.png, 21.png. ")
    assert "and 480 more" in too_many([f"{k}.png" for k in range(520)])
