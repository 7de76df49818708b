"""What a long job has done so far, on disk: whole or absent, checked on reading.

A job is a hidden folder of numbered parts beside the product, with ``job.json``, which
holds everything that the parts depend on. A process that is killed at any moment leaves
whole parts; the next one continues from them if it depends on the same, and starts again
otherwise. The operating system's file lock, which dies with its process, keeps a second
process out.
"""

from __future__ import annotations

import io
import json
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from landcover.errors import LandcoverError
from landcover.files.atomic import Fields, read_json, replace_when_whole, write_json
from landcover.progress import say
from landcover.stopwatch import spent

_SECONDS = "seconds"
_CHECKSUM_BYTES = 4


class Job:
    """The parts of a job; made by `opened`.

    Attributes
    ----------
    folder : Path
        Where they are.
    facts : dict
        What they depend on.
    notes : dict
        What was decided once for all parts; see `note`.
    """

    def __init__(self, folder: Path, facts: Fields, notes: Fields) -> None:
        self.folder = folder
        self.facts = facts
        self.notes = notes
        self._found: dict[int, float] = {}
        self._own: set[int] = set()

    @property
    def seconds_found(self) -> float:
        """What other processes spent on the parts that were found done."""
        return sum(self._found.values())

    def note(self, **notes: object) -> None:
        """Keep decisions, JSON-able, so that a process that continues takes the same."""
        self.notes = json.loads(json.dumps(self.notes | notes))
        write_json(self.folder / "job.json", {"facts": self.facts, "notes": self.notes})

    def write(self, number: int, arrays: Mapping[str, np.ndarray], seconds: float = 0.0) -> None:
        """Store a part, whole or not at all."""
        content = io.BytesIO()
        # Not compressed: parts live for minutes
        np.savez(content, **{_SECONDS: np.float64(seconds)}, **arrays)  # type: ignore[arg-type]
        with (
            spent("writing"),
            replace_when_whole(self._part(number)) as path,
            path.open("wb") as file,
        ):
            file.write(_checksum(content.getbuffer()))
            file.write(content.getbuffer())
        self._own.add(number)

    def read(self, number: int) -> dict[str, np.ndarray] | None:
        """The arrays of a part; None where it is missing or damaged."""
        try:
            with spent("reading"):
                content = memoryview(self._part(number).read_bytes())
        except OSError:
            return None
        if content[:_CHECKSUM_BYTES] != _checksum(content[_CHECKSUM_BYTES:]):
            return None
        with np.load(io.BytesIO(content[_CHECKSUM_BYTES:]), allow_pickle=False) as part:
            arrays = {name: part[name] for name in part.files}
        seconds = float(arrays.pop(_SECONDS))
        if number not in self._own:
            self._found[number] = seconds
        return arrays

    def _part(self, number: int) -> Path:
        return self.folder / f"{number:06}.part"


@contextmanager
def opened(folder: Path, facts: Mapping[str, object]) -> Iterator[Job]:
    """A job, begun or taken up again; its folder goes when all went well.

    Parameters
    ----------
    folder : Path
        Its own folder; hidden, beside the product.
    facts : mapping
        Everything that the parts depend on, JSON-able. A folder of other facts is emptied,
        and so is one whose job.json is damaged; one line says so.

    Raises
    ------
    LandcoverError
        If another process has the job open.
    """
    facts = dict(json.loads(json.dumps(facts)))
    with alone(folder.with_suffix(".lock"), f"{folder.parent}: {folder.stem.lstrip('.')}"):
        earlier = _earlier(folder)
        if earlier and earlier["facts"] != facts:
            differ = ", ".join(_different(earlier["facts"], facts))
            say(f"what was begun in {folder} is of other {differ}; it is thrown away")
            earlier = None
        elif not earlier and any(folder.glob("*.part")):
            say(f"{folder / 'job.json'} cannot be read; what was begun there is thrown away")
        if not earlier:
            shutil.rmtree(folder, ignore_errors=True)
        job = Job(folder, facts, earlier["notes"] if earlier else {})
        job.note()
        try:
            yield job
        except BaseException:
            if not any(folder.glob("*.part")):
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def alone(lock: Path, what: str, patience_s: float = 0.5) -> Iterator[None]:
    """Keep other processes out of what a lock file stands for.

    Parameters
    ----------
    lock : Path
        Removed on leaving; one left by a killed process blocks no other.
    what : str
        What is being worked on, for the message.
    patience_s : float
        How long to wait for another process to leave.

    Raises
    ------
    LandcoverError
        If another process is inside.
    """
    import filelock

    lock.parent.mkdir(parents=True, exist_ok=True)
    held = filelock.FileLock(lock, timeout=patience_s)
    try:
        held.acquire()
    except filelock.Timeout:
        raise LandcoverError(
            f"{what} is being worked on by another process; wait until it is done, or stop it"
        ) from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        held.release()


def _checksum(content: memoryview) -> bytes:
    """CRC-32 of a whole part; those inside an npz leave its table of contents out."""
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big")


def _different(a: Mapping[str, object], b: Mapping[str, object]) -> list[str]:
    """Names of the facts in which two jobs differ."""
    return [name for name in {**a, **b} if a.get(name) != b.get(name)]


def _earlier(folder: Path) -> Fields | None:
    """job.json of an interrupted job; None where there is none that can be read."""
    try:
        content = read_json(folder / "job.json")
        return content if {"facts", "notes"} <= set(content) else None
    except LandcoverError:
        return None
