"""Arrays put by in a file for the time of a command, and taken up again in their order."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from landcover.stopwatch import spent


class Spool:
    """Arrays in a file, in the order in which they were put there.

    Parameters
    ----------
    path : path
        The file.

    Examples
    --------
    >>> spool = Spool("answers")
    >>> spool.put(np.zeros((2, 3)))
    >>> spool.put(np.array([7]))
    >>> [array.shape for array in spool.arrays()]
    [(2, 3), (1,)]
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(b"")

    def put(self, array: np.ndarray) -> None:
        """Add an array.

        Raises
        ------
        OSError
            If the disk is full.
        """
        # NumPy writing into a file itself says of a full disk neither that, nor always anything
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        with spent("writing"), self._path.open("ab") as file:
            file.write(content.getbuffer())

    def arrays(self) -> Iterator[np.ndarray]:
        """Every array that was put there."""
        end = self._path.stat().st_size
        with self._path.open("rb") as file:
            while file.tell() < end:
                with spent("reading"):
                    found = np.load(file, allow_pickle=False)
                yield found

    def close(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)
