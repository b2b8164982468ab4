"""Every kind of work has a limit: per session, in all, and of estimates an hour."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest

from app.services import work
from app.services.limits import PUBLIC, Limits
from app.services.work import HOUR, Kind, Places, Room, rooms
from engine.errors import AcesError

LIMITS = Limits()


def test_every_kind_of_work_has_room_for_one_and_an_end():
    for limits in (LIMITS, PUBLIC, replace(LIMITS, jobs=1)):
        table = rooms(limits)
        assert set(table) == set(Kind)
        assert all(1 <= room.session <= room.everyone for room in table.values())
        assert table[Kind.CERTIFY].everyone == limits.jobs
        assert table[Kind.UPLOAD].session == 20 * limits.upload_mb


def test_what_is_full_is_said_first_of_ones_own():
    room = Room(2, 3, "yours", "all")
    room.refuse(1, 2)
    for mine, everyone, said in [(2, 2, "yours"), (2, 3, "yours"), (1, 3, "all"), (0, 9, "all")]:
        with pytest.raises(AcesError, match=said):
            room.refuse(mine, everyone)


def test_one_estimate_is_made_at_a_time_and_its_place_comes_back_also_after_a_failure():
    places = Places()
    with places.held(Kind.ESTIMATE, "a", LIMITS):
        with pytest.raises(AcesError, match="one estimate at a time"), places.held(Kind.ESTIMATE, "a", LIMITS):
            pass
        with pytest.raises(AcesError, match="for somebody else"), places.held(Kind.ESTIMATE, "b", LIMITS):
            pass
        with places.held(Kind.PICTURES, "b", LIMITS):  # other work has room of its own
            pass
    with pytest.raises(ZeroDivisionError), places.held(Kind.ESTIMATE, "b", LIMITS):
        raise ZeroDivisionError
    with places.held(Kind.ESTIMATE, "b", LIMITS):
        pass


def test_estimates_are_not_made_without_end(monkeypatch):
    now = 0.0
    monkeypatch.setattr(work.time, "monotonic", lambda: now)
    places, room = Places(), rooms(LIMITS)[Kind.ESTIMATE]
    for k in range(room.hour):
        with places.held(Kind.ESTIMATE, f"session {k}", LIMITS):
            pass
    with pytest.raises(AcesError, match="120 estimates were made within an hour"), ExitStack() as stack:
        stack.enter_context(places.held(Kind.ESTIMATE, "another", LIMITS))
    now = HOUR + 1
    with places.held(Kind.ESTIMATE, "another", LIMITS):
        pass
