"""Arrays put by in a file, and what a full disk makes of it."""

from __future__ import annotations

import errno
import resource
import signal

import numpy as np
import pytest

from landcover.files.spool import Spool


def test_arrays_come_back_in_order_with_shape_and_type(tmp_path, rng):
    spool = Spool(tmp_path / "folder" / "answers")
    given = [
        rng.random((3, 4, 2)).astype(np.float16),
        np.moveaxis(rng.random((2, 5, 7)), 0, -1),  # neither in C's order nor in Fortran's
        np.zeros((0, 3), np.uint8),
    ]
    for array in given:
        spool.put(array)
    for _ in range(2):  # they can be taken up again
        for found, array in zip(spool.arrays(), given, strict=True):
            np.testing.assert_array_equal(found, array)
            assert found.dtype == array.dtype and found.shape == array.shape
    spool.close()
    assert list((tmp_path / "folder").iterdir()) == []
    spool.close()


def test_what_an_earlier_one_left_is_gone(tmp_path):
    Spool(tmp_path / "answers").put(np.zeros(5))
    assert list(Spool(tmp_path / "answers").arrays()) == []


@pytest.mark.parametrize("missing", [1, 100_000])  # the last byte may stay in a buffer
def test_a_full_disk_is_an_error_that_says_so(tmp_path, missing):
    spool, array = Spool(tmp_path / "answers"), np.zeros(50_000)
    spool.put(array)
    room = 2 * (tmp_path / "answers").stat().st_size - missing
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    earlier = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            spool.put(array)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, earlier)
    assert caught.value.errno == errno.EFBIG  # as ENOSPC, by which the command names the remedy
