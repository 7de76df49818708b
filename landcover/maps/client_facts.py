"""What workers of a cluster must have in common with the client: files, libraries, backend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from landcover.errors import LandcoverError
from landcover.files.atomic import digest, versions


@dataclass(frozen=True)
class ClientFacts:
    """What the client computes with; picklable, for its workers.

    Attributes
    ----------
    digests : dict
        SHA-256 by absolute path of the files that all of them read.
    versions : dict
        Of the packages that decide a result.
    backend : str, optional
        Keras' backend, from `networks.backend_name`, where a model is a network.
    """

    digests: Mapping[str, str]
    versions: Mapping[str, str]
    backend: str | None

    @classmethod
    def of(cls, files: Iterable[Path], backend: str | None) -> ClientFacts:
        """Those of this process; paths become absolute, since workers start elsewhere."""
        return cls({str(path.absolute()): digest(path) for path in files}, versions(), backend)

    def require(self) -> None:
        """Check the worker that this runs on.

        Raises
        ------
        LandcoverError
            If it cannot read the files, has other ones, other versions or another backend.
        """
        import distributed

        worker = distributed.get_worker().address
        self._require_same_files(worker)
        self._require_same_libraries(worker)

    def _require_same_files(self, worker: str) -> None:
        """Raise LandcoverError unless the worker reads the client's files."""
        for path, expected in self.digests.items():
            try:
                found = digest(Path(path))
            except OSError as error:
                raise LandcoverError(cannot_read(worker, path, error)) from None
            if found != expected:
                raise LandcoverError(
                    f"worker {worker} has another file {path} than this machine; "
                    "workers need the same files at the same paths"
                )

    def _require_same_libraries(self, worker: str) -> None:
        """Raise LandcoverError unless the worker computes with the client's libraries."""
        here = versions()
        other = {k: v for k, v in self.versions.items() if here.get(k) != v and k != "python"}
        if other:
            package, version = next(iter(other.items()))
            there = f"{package} {here[package]}" if package in here else f"no {package}"
            raise LandcoverError(
                f"worker {worker} has {there} and this machine {version}; "
                "install the same versions, or the map's bytes may differ"
            )
        if self.backend is None:
            return
        from landcover.classifiers.networks import backend_name

        if backend_name() != self.backend:
            raise LandcoverError(
                f"worker {worker} has Keras on {backend_name()} and this machine on "
                f"{self.backend}; start all of them with the same KERAS_BACKEND and device"
            )


def cannot_read(worker: str, path: str | Path, error: OSError) -> str:
    """What to tell of a worker that lacks a file of the client."""
    return (
        f"worker {worker} cannot read {path} ({error.strerror}); workers need the "
        "same files at the same paths: share the folder"
    )
