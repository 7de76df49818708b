"""Parts in turn, with those to come worked on at once: order, errors, and how far ahead."""

from __future__ import annotations

import threading

import pytest

from landcover.files import ahead as room
from landcover.files.ahead import ahead, read_ahead

PATIENCE_S = 30


@pytest.fixture(params=[1, 2, 4])
def threads(request, monkeypatch):
    monkeypatch.setattr(room, "_cores", lambda: request.param)
    return request.param


def test_parts_come_in_order_whichever_is_ready_first(monkeypatch):
    monkeypatch.setattr(room, "_cores", lambda: 2)
    second_is_done = threading.Event()

    def work(number):
        if number == 0:
            assert second_is_done.wait(PATIENCE_S)  # so both are at work at once
        if number == 1:
            second_is_done.set()
        return 10 * number

    assert list(ahead(work, range(6))) == [0, 10, 20, 30, 40, 50]


def test_no_more_is_begun_than_threads_and_one(threads):
    begun = []
    parts = ahead(begun.append, range(50))
    for given in range(1, 10):
        next(parts)
        assert len(begun) <= given + threads
    parts.close()
    assert len(begun) <= 9 + threads


def test_no_more_threads_than_asked_for(monkeypatch):
    monkeypatch.setattr(room, "_cores", lambda: 4)
    inside = threading.Lock()

    def work(number):
        assert inside.acquire(blocking=False)
        inside.release()
        return number

    assert list(ahead(work, range(200), item_bytes=2**30)) == list(range(200))


def test_an_error_comes_in_its_place_and_ends_the_work(threads):
    ended = []

    def work(number):
        if number == 3:
            raise ValueError("part 3")
        ended.append(number)
        return number

    parts, found = ahead(work, range(100)), []
    with pytest.raises(ValueError, match="part 3"):
        for part in parts:
            found.append(part)
    assert found == [0, 1, 2]
    assert max(ended) <= 3 + threads


def test_who_stops_asking_waits_for_what_is_at_work():
    let_go, ended = threading.Event(), []

    def read(number):
        if number == 1:
            assert let_go.wait(PATIENCE_S)
            ended.append(number)
        return number

    parts = read_ahead(range(9), read)
    assert next(parts) == (0, 0)
    threading.Timer(0.05, let_go.set).start()
    parts.close()  # so a file may be closed now
    assert ended == [1]


def test_reading_is_one_ahead_and_never_twice_at_once():
    inside, begun = threading.Lock(), []

    def read(number):
        assert inside.acquire(blocking=False)
        begun.append(number)
        inside.release()
        return -number

    for place, (number, found) in enumerate(read_ahead(range(20), read)):
        assert (number, found) == (place, -place)
        assert begun == sorted(begun) and len(begun) <= place + 2


@pytest.mark.parametrize("of", [lambda f: ahead(f, []), lambda f: read_ahead([], f)])
def test_nothing_to_do(of):
    assert list(of(abs)) == []
