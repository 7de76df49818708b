"""Files that appear whole or not at all, their digests, and JSON; versions that decide a result."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any, TypeAlias

from landcover.errors import LandcoverError, MissingProduct
from landcover.stopwatch import spent

#: An object of JSON by its fields, as it is read: their types depend on the file. What is only
#: written is a `Mapping[str, object]`.
Fields: TypeAlias = dict[str, Any]

#: Folder in a run folder in which products wait until all of them are whole.
STAGING = ".staging"

_PACKAGES = (
    "landcover",
    "numpy",
    "rasterio",
    "scikit-learn",
    "lightgbm",
    "keras",
    "tensorflow-cpu",
    "tensorflow",
    "jax",
    "torch",
    "openvino",
    "scikit-learn-intelex",
)


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


def short_file_digest(path: Path) -> str:
    """The first 16 digits of `digest`."""
    return digest(path)[:16]


@functools.lru_cache(maxsize=64)
def _digest(path: Path, _size: int, _modified_ns: int) -> str:
    with spent("reading"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def short_digest(content: bytes) -> str:
    """The first 16 digits of the SHA-256 of bytes: enough to tell contents apart."""
    return hashlib.sha256(content).hexdigest()[:16]


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
    except LandcoverError:
        raise  # some are an OSError too, and say already what is wrong
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


def copy_file(source: Path, target: Path) -> Path:
    """A file in its new place, whole or not at all; its path there, which may be where it is."""
    if target.resolve() != source.resolve():
        with replace_when_whole(target) as part:
            shutil.copyfile(source, part)
    return target


@contextmanager
def folder_when_whole(path: Path) -> Iterator[Path]:
    """Give an empty temporary folder beside `path` and rename it on success; errors remove it."""
    part = path.with_name(f".{path.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        os.replace(part, path)
    except LandcoverError:
        raise
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def staging_folder(folder: Path) -> Iterator[Path]:
    """Give a path in a folder for what moves into it when whole.

    Nothing lies at the path at first; what is left there in the end is removed.
    """
    stage = folder / STAGING
    try:
        shutil.rmtree(stage, ignore_errors=True)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _unwritable(path: Path, error: OSError) -> LandcoverError:
    return LandcoverError(
        f"cannot write {path}: {error.strerror or error}; "
        "check free disk space and the folder's permissions"
    )


def write_bytes(path: Path, content: bytes) -> Path:
    """Write bytes, whole or not at all."""
    with replace_when_whole(path) as part:
        part.write_bytes(content)
    return path


def copied(source: Path, target: Path) -> Path:
    """A copy of a file, whole or not at all."""
    with replace_when_whole(target) as part:
        shutil.copyfile(source, part)
    return target


def write_text(path: Path, content: str) -> Path:
    """Write text, whole or not at all."""
    return write_bytes(path, content.encode("utf-8"))


def write_json(path: str | Path, content: object) -> None:
    """Write JSON, whole or not at all."""
    write_text(Path(path), json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_together(
    contents: Mapping[Path, str | bytes], json_path: Path, json_content: object
) -> None:
    """Write texts and pictures and the JSON that belongs to them.

    None gets its name before all are whole, so they always belong together.
    """
    with ExitStack() as whole:
        for path, content in contents.items():
            part = whole.enter_context(replace_when_whole(path))
            part.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        write_json(json_path, json_content)


def read_json(path: str | Path) -> Fields:
    """Read JSON that landcover wrote: always an object, its fields by name.

    Raises
    ------
    MissingProduct
        If the file is missing.
    LandcoverError
        If it is not such JSON.
    """
    try:
        content = json.loads(Path(path).read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no fields")
        return content
    except FileNotFoundError:
        raise MissingProduct(f"{path} does not exist; run the stage that makes it") from None
    except (OSError, ValueError) as error:
        raise LandcoverError(
            f"{path} is not readable JSON ({error}); remove it and run its stage again"
        ) from None
