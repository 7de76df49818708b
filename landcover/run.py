"""The run folder: where each product lies, and the manifest that says how it was made."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from landcover.errors import LandcoverError
from landcover.stopwatch import spent

#: The command that makes each product, for people who ask for it too early.
MADE_BY = {
    "scene": "python scene_prep.py --out {run}",
    "labels": "python scene_prep.py --labels CORINE.tif --out {run}",
    "reference": "python scene_prep.py --reference TRUTH.tif --out {run}",
    "segments": "python segment.py {run}",
    "segment_types": "python segment.py {run}",
    "samples": "python sample_raster.py {run}",
    "splits": "python sample_raster.py {run}",
    "label_confidence": "landcover denoise {run}",
    "refined_labels": "landcover denoise {run}",
    "label_noise": "landcover denoise {run}",
}

_PACKAGES = (
    "landcover",
    "numpy",
    "rasterio",
    "scikit-learn",
    "keras",
    "tensorflow-cpu",
    "tensorflow",
    "jax",
    "torch",
    "openvino",
    "scikit-learn-intelex",
)


class Run:
    """Paths of one run folder.

    Examples
    --------
    >>> run = Run("runs/demo")
    >>> run.scene.as_posix(), run.map("cnn-7x7").as_posix()
    ('runs/demo/scene.tif', 'runs/demo/maps/cnn-7x7.tif')
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.scene = self.path / "scene.tif"
        self.labels = self.path / "labels.tif"
        self.reference = self.path / "reference.tif"
        self.segments = self.path / "segments.tif"
        self.segment_types = self.path / "segment_types.tif"
        self.samples = self.path / "samples.parquet"
        self.splits = self.path / "splits.json"
        self.label_confidence = self.path / "label_confidence.tif"
        self.refined_labels = self.path / "refined_labels.tif"
        self.label_noise = self.path / "label_noise.parquet"
        self.manifest = self.path / "manifest.json"

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def model(self, name: str) -> Path:
        """Folder of a model."""
        return self.path / "models" / name

    def map(self, name: str) -> Path:
        """Class map of a model."""
        return self.path / "maps" / f"{name}.tif"

    def confidence(self, name: str) -> Path:
        """Confidence of a model's map."""
        return self.path / "maps" / f"{name}_confidence.tif"

    def probabilities(self, name: str) -> Path:
        """Per-class probabilities of a model's map."""
        return self.path / "maps" / f"{name}_probabilities.tif"

    def entropy(self, name: str) -> Path:
        """Entropy of a model's map."""
        return self.path / "maps" / f"{name}_entropy.tif"

    def map_job(self, name: str) -> Path:
        """What is done of a map that is being made."""
        return self.path / "maps" / f".{name}.job"

    def item(self, name: str) -> Path:
        """STAC item of a model's map."""
        return self.path / "maps" / f"{name}.json"

    def report(self, name: str) -> Path:
        """Scores of a model."""
        return self.path / "reports" / f"{name}.json"

    def figure(self, name: str) -> Path:
        """A picture."""
        return self.path / "figures" / f"{name}.png"

    def require(self, product: str) -> Path:
        """The path of a product that must exist.

        Raises
        ------
        LandcoverError
            Naming the command that makes it.
        """
        path: Path = getattr(self, product)
        if not path.exists():
            command = MADE_BY[product].format(run=self.path)
            raise LandcoverError(f"{path} does not exist; make it with: {command}")
        return path

    def record(
        self,
        stage: str,
        settings: dict[str, Any],
        inputs: Iterable[str | Path] = (),
        products: Iterable[Path] = (),
    ) -> None:
        """Write into the manifest how a stage was run, replacing its earlier entry."""
        manifest = self.read_manifest()
        manifest["stages"][stage] = {
            "settings": settings,
            "inputs": [self._fingerprint(Path(path)) for path in inputs],
            "products": [os.path.relpath(path, self.path) for path in products],
            "versions": versions(),
        }
        write_json(self.manifest, manifest)

    def log(
        self,
        command: str,
        settings: dict[str, str],
        seconds: float,
        shares: dict[str, float],
        peak_memory_mib: int,
    ) -> None:
        """Keep in the manifest what a command took: time, shares of it, and memory at most."""
        manifest = self.read_manifest()
        key = {"command": command, "settings": settings}
        others = [entry for entry in manifest["commands"] if not key.items() <= entry.items()]
        took = {
            "seconds": round(seconds, 1),
            "shares": {activity: round(share, 3) for activity, share in shares.items()},
            "peak_memory_mib": peak_memory_mib,
        }
        manifest["commands"] = [*others, key | took]
        write_json(self.manifest, manifest)

    def _fingerprint(self, path: Path) -> dict[str, Any]:
        """Path, size and SHA-256 of an input; a folder, such as a product, has its path only.

        The run's own products go by their place in it: a run can be moved.
        """
        own = path.is_relative_to(self.path)
        name = {"path": str(path.relative_to(self.path) if own else path)}
        if not path.is_file():
            return name
        return name | {"bytes": path.stat().st_size, "sha256": digest(path)}

    def read_manifest(self) -> dict[str, Any]:
        """How the run was made: ``stages`` by name, and ``commands``; empty for a new run."""
        empty: dict[str, Any] = {"stages": {}, "commands": []}
        return empty | (read_json(self.manifest) if self.manifest.exists() else {})


def peak_memory_mib() -> int:
    """Peak resident size of this process, MiB, as the operating system counts it."""
    try:
        # getrusage would also count the process that forked this one
        status = Path("/proc/self/status").read_text("ascii")
        return int(status.split("VmHWM:")[1].split()[0]) // 1024
    except (OSError, IndexError):
        import resource
        import sys

        unit = 1024**2 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit


def digest(path: Path) -> str:
    """SHA-256 of a file; read once a process as long as its size and time stay."""
    state = path.stat()
    return _digest(path.absolute(), state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _digest(path: Path, size: int, modified_ns: int) -> str:
    with spent("reading"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """Installed versions of the packages that decide a result."""
    import platform

    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@contextmanager
def replace_when_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it on success.

    On any error the temporary file is removed and `path` stays as it was. A
    killed process leaves only the temporary name, which the next run overwrites.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise LandcoverError(
            f"cannot write {path}: {error.strerror or error}; "
            "check free disk space and the folder's permissions"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def write_json(path: str | Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    with replace_when_whole(path) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read_json(path: str | Path) -> dict[str, Any]:
    """Read JSON that landcover wrote: always an object, its fields by name.

    Raises
    ------
    LandcoverError
        If the file is missing or is not such JSON.
    """
    try:
        content = json.loads(Path(path).read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no fields")
        return content
    except FileNotFoundError:
        raise LandcoverError(f"{path} does not exist; run the stage that makes it") from None
    except (OSError, ValueError) as error:
        raise LandcoverError(
            f"{path} is not readable JSON ({error}); remove it and run its stage again"
        ) from None
