"""A run folder beside the real one: what a new scene brings appears together or not at all."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landcover.errors import LandcoverError
from landcover.files.atomic import read_json, write_json
from landcover.run import Run

#: Stages that `staged` makes anew, with all their products.
_SCENE_STAGES = ("prep", "segment", "sample")

#: Products of later stages, which a new scene makes meaningless.
_LATER = ("models", "maps", "reports", "comparison.json", "comparison.md", "comparison.html")


@contextmanager
def staged(run: Run, overwrite: bool = False) -> Iterator[Run]:
    """A run folder beside the real one, whose products move over only when all went well.

    Parameters
    ----------
    run : Run
        The real run folder.
    overwrite : bool
        Remove maps, models and reports that a changed scene makes meaningless.

    Raises
    ------
    LandcoverError
        If such products exist and `overwrite` is false.
    """
    stage = Run(run.path / ".staging")
    existed = run.path.exists()
    try:
        shutil.rmtree(stage.path, ignore_errors=True)
        stage.path.mkdir(parents=True)
        yield stage
        _check_stale(run, stage, overwrite)
        _publish(stage, run)
    except LandcoverError as error:
        # nobody finds the staged files any more: speak of where they would have been
        raise type(error)(str(error).replace(str(stage.path), str(run.path))) from error
    except OSError as error:
        raise LandcoverError(
            f"cannot write into {run.path}: {error.strerror or error}; "
            "check free disk space and the folder's permissions"
        ) from error
    finally:
        shutil.rmtree(stage.path, ignore_errors=True)
        if not existed and run.path.is_dir() and not any(run.path.iterdir()):
            run.path.rmdir()


def _check_stale(run: Run, stage: Run, overwrite: bool) -> None:
    """Later products belong to one scene and split; refuse to mix them with another."""
    held = [name for name in _LATER if (run.path / name).exists()]
    if not held or _same(run, stage):
        return
    if not overwrite:
        raise LandcoverError(
            f"{run.path} holds {', '.join(held)} of another scene or split; "
            "choose another --out, or pass --overwrite to remove them"
        )
    for name in held:
        path = run.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _same(run: Run, stage: Run) -> bool:
    """Whether scene, labels, reference and split are those of the run, to the byte."""
    for name in ("scene", "labels", "reference", "splits"):
        old, new = getattr(run, name), getattr(stage, name)
        if old.exists() != new.exists():
            return False
        if old.exists() and not filecmp.cmp(old, new, shallow=False):
            return False
    return True


def _publish(stage: Run, run: Run) -> None:
    """Move every staged file to its place; what the new scene does not have goes."""
    if run.manifest.exists():
        manifest = run.read_manifest()
        for name in _SCENE_STAGES:
            earlier = manifest["stages"].pop(name, {"products": []})
            for product in map(Path, earlier["products"]):
                if ".." not in product.parts and not (stage.path / product).exists():
                    (run.path / product).unlink(missing_ok=True)
        if any((run.path / name).exists() for name in _LATER):
            manifest["stages"] |= read_json(stage.manifest)["stages"]
            write_json(stage.manifest, manifest)
    for path in sorted(stage.path.rglob("*")):
        if path.is_file():
            target = run.path / path.relative_to(stage.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
