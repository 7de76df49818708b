"""A run folder beside the real one: what a new scene brings appears together or not at all."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from landcover.errors import LandcoverError
from landcover.files.atomic import STAGING, read_json, staging_folder, write_json
from landcover.files.class_rasters import same_classes
from landcover.files.raster_writer import remove_beside
from landcover.run import Run

#: What `landcover prep` makes again, with all products.
SCENE_STAGES = ("prep", "segment", "sample")

#: Of an earlier scene, and made again when it is asked for: nobody is asked before it goes.
_MADE_AGAIN = ("vectors.gpkg",)
#: Products of later stages, which a new scene makes meaningless.
_LATER = (
    "models",
    "maps",
    "reports",
    "comparison.json",
    "comparison.md",
    "comparison.html",
    "refined_labels.tif",
    "label_confidence.tif",
    "label_noise.parquet",
    "label_noise.json",
    "label_noise.md",
    "years",
)


@contextmanager
def staged(
    run: Run, overwrite: bool | None = False, stages: Sequence[str] = SCENE_STAGES
) -> Iterator[Run]:
    """A run folder beside the real one, whose products move over only when all went well.

    Parameters
    ----------
    run : Run
        The real run folder.
    overwrite : bool, optional
        Remove maps, models and reports that a changed scene makes meaningless. None: the caller
        cannot be asked for it, so that the message does not name it.
    stages : sequence of str
        Which of `SCENE_STAGES` are made again. The products of the others stay where scene, labels
        and reference turn out to be the same.

    Raises
    ------
    LandcoverError
        If such products exist and `overwrite` is not true.
    """
    stage = Run(run.path / STAGING)
    existed = run.path.exists()
    try:
        with staging_folder(run.path) as folder:
            folder.mkdir(parents=True)
            yield stage
            same = _same(run, stage, "sample" in stages)
            if not same:
                _remove_later(run, overwrite)
            _publish(stage, run, stages if same else SCENE_STAGES)
    except LandcoverError as error:
        # nobody finds the staged files any more: speak of where they would have been
        raise type(error)(str(error).replace(str(stage.path), str(run.path))) from error
    except OSError as error:
        raise LandcoverError(
            f"cannot write into {run.path}: {error.strerror or error}; "
            "check free disk space and the folder's permissions"
        ) from error
    finally:
        if not existed and run.path.is_dir() and not any(run.path.iterdir()):
            run.path.rmdir()


def _remove_later(run: Run, overwrite: bool | None) -> None:
    """Later products belong to one scene and split; refuse to mix them with another."""
    held = [name for name in _LATER if (run.path / name).exists()]
    if held and not overwrite:
        raise LandcoverError(
            f"{run.path} holds {', '.join(held)} of another scene or split; "
            "choose another run folder, or "
            + ("remove them" if overwrite is None else "pass overwrite=True to remove them")
        )
    for name in (*held, *_MADE_AGAIN):
        path = run.path / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            _remove(path)


def _remove(path: Path) -> None:
    """Remove a product; of a raster also what lies beside it."""
    path.unlink(missing_ok=True)
    if path.suffix in {".tif", ".vrt"}:
        remove_beside(path)


def _same(run: Run, stage: Run, with_split: bool) -> bool:
    """Whether scene, dates, labels, reference, legend and perhaps split are the run's."""
    legends = run.legend, stage.legend
    # runs of earlier days have no legend
    if all(path.exists() for path in legends) and not filecmp.cmp(*legends, shallow=False):
        return False
    names = ("scene", "labels", "reference", "sequence", *(["splits"] if with_split else []))
    pairs = [(getattr(run, name), getattr(stage, name)) for name in names]
    return all(_alike(old, new) for old, new in pairs + _dates(run, stage))


def _alike(old: Path, new: Path) -> bool:
    """Whether two products are the same, or neither is there; of classes the codes decide."""
    if not (old.exists() and new.exists()):
        return old.exists() == new.exists()
    if filecmp.cmp(old, new, shallow=False):
        return True
    return old.name.startswith(("labels", "reference")) and same_classes(old, new)


def _dates(run: Run, stage: Run) -> list[tuple[Path, Path]]:
    """The rasters of dates, and of labels of their years, of either run in both."""
    names = {path.name for one in (run, stage) for path in one.dates.glob("*.tif")}
    return [(run.dates / name, stage.dates / name) for name in sorted(names)]


def _publish(stage: Run, run: Run, stages: Sequence[str]) -> None:
    """Move every staged file to its place; what the stages made before and now do not, goes."""
    if run.manifest.exists():
        manifest = run.read_manifest()
        for name in stages:
            earlier = manifest["stages"].pop(name, {"products": []})
            for product in map(Path, earlier["products"]):
                if ".." not in product.parts and not (stage.path / product).exists():
                    _remove(run.path / product)
        if run.dates.is_dir() and not any(run.dates.iterdir()):
            run.dates.rmdir()
        kept = set(stages) < set(SCENE_STAGES)
        if kept or any((run.path / name).exists() for name in _LATER):
            manifest["stages"] |= read_json(stage.manifest)["stages"]
            write_json(stage.manifest, manifest)
    for path in sorted(stage.path.rglob("*")):
        if path.is_file():
            target = run.path / path.relative_to(stage.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
