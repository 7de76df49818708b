"""The scenes that one model is to learn from, checked to be of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from landcover.classifiers.pixel_sizes import alike, in_words
from landcover.errors import InputError, typed
from landcover.files import rasters, tables
from landcover.files.atomic import Fields
from landcover.labels.joint_legend import joint_nomenclature
from landcover.legend import Nomenclature
from landcover.reports.words import percent
from landcover.run import Run
from landcover.samples.blocks import Blocks
from landcover.samples.rows import read_samples
from landcover.scene.ground import shared_ground
from landcover.stages.inputs import read_blocks
from landcover.stages.run_legend import read_nomenclature
from landcover.stages.scenes import LEAST_SHARED, scene_facts


@dataclass(frozen=True)
class Joint:
    """Several scenes of one model.

    Attributes
    ----------
    runs : tuple of Run
        Sampled, in the order given.
    bands : tuple of str
        Those that all scenes have.
    nomenclature : Nomenclature
        Classes that any of them has.
    blocks : tuple of Blocks
        How each was split.
    facts : tuple of dict
        What the card says of each.
    digests : tuple of str
        Short names of what was drawn from each.
    notes : tuple of str
        Sentences on what is left out, and on ground that scenes share.
    """

    runs: tuple[Run, ...]
    bands: tuple[str, ...]
    nomenclature: Nomenclature
    blocks: tuple[Blocks, ...]
    facts: tuple[Fields, ...]
    digests: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def typed(self) -> str:
        """The runs, as a command has them."""
        return " ".join(typed(run.path) for run in self.runs)

    def of(self, numbers: Sequence[int]) -> Joint:
        """Some of the scenes."""
        return Joint(
            tuple(self.runs[n] for n in numbers),
            self.bands,
            self.nomenclature,
            tuple(self.blocks[n] for n in numbers),
            tuple(self.facts[n] for n in numbers),
            tuple(self.digests[n] for n in numbers),
        )


def read_joint(runs: Sequence[Run]) -> Joint:
    """The scenes of several runs.

    Raises
    ------
    InputError, MissingProduct
        If they are fewer than two, a run has no samples, one scene is there twice, or they differ
        in bands, classes or the size of pixels.
    """
    if len(runs) < 2:
        raise InputError(
            f"a model of several scenes needs two runs or more, and {len(runs)} was given; give "
            "further runs, or train without out=: a model of one scene is kept in its run"
        )
    for run in runs:
        run.require("scene")
        run.require("samples")
        run.require("splits")
    blocks = tuple(read_blocks(run) for run in runs)
    facts = tuple(
        scene_facts(run, split) | {"run": str(run.path.resolve())}
        for run, split in zip(runs, blocks, strict=True)
    )
    _require_different(runs, facts)
    _require_same_pixels(runs, facts)
    bands, left_out = _common_bands(runs)
    return Joint(
        tuple(runs),
        bands,
        joint_nomenclature({str(run.path): read_nomenclature(run) for run in runs}),
        blocks,
        facts,
        tuple(_drawn(run) for run in runs),
        (*left_out, *_shared(runs)),
    )


def _drawn(run: Run) -> str:
    """A short name of what was drawn from a run; segmenting it again does not change it."""
    samples = read_samples(run.samples)
    kept = [name for name in ("row", "col", "label", "reference", "split") if name in samples]
    return tables.digest_of(samples[kept])


def _require_different(runs: Sequence[Run], facts: Sequence[Fields]) -> None:
    for (one, ours), (other, theirs) in combinations(zip(runs, facts, strict=True), 2):
        if ours["scene"] == theirs["scene"]:
            raise InputError(
                f"{one.path} and {other.path} hold the same scene, which would count twice; give "
                "each scene once"
            )


def _require_same_pixels(runs: Sequence[Run], facts: Sequence[Fields]) -> None:
    first, sides = runs[0], facts[0]["pixel_size_m"]
    for run, held in zip(runs, facts, strict=True):
        if not alike(held["pixel_size_m"], sides):
            raise InputError(
                f"{first.path} has pixels of {in_words(sides)} on the ground and {run.path} of "
                f"{in_words(held['pixel_size_m'])}, which are no pixels of one model; warp the "
                "bands of one to the pixels of the other before landcover prep"
            )


def _common_bands(runs: Sequence[Run]) -> tuple[tuple[str, ...], list[str]]:
    """Bands that all scenes have, in the order of the first, and what is said of others.

    Some scenes may have more than all have; but one must have just these.
    """
    held = [rasters.band_names(run.scene) for run in runs]
    common = tuple(band for band in held[0] if all(band in bands for bands in held))
    extra = {
        str(run.path): [band for band in bands if band not in common]
        for run, bands in zip(runs, held, strict=True)
    }
    if all(extra.values()):
        listed = "; ".join(f"{path} has {' '.join(bands)}" for path, bands in extra.items())
        raise InputError(
            f"scenes of one model need the same bands: beside {' '.join(common) or 'none'} in "
            f"all, {listed}; prepare them again with the same bands (landcover prep --bands "
            "B02.tif B03.tif B04.tif B08.tif)"
        )
    return common, [
        f"{path} has more bands than all have, and {' '.join(bands)} "
        f"{'is' if len(bands) == 1 else 'are'} left out"
        for path, bands in extra.items()
        if bands
    ]


def _shared(runs: Sequence[Run]) -> list[str]:
    """Sentences on scenes that cover the same ground."""
    grids = [rasters.grid_of(run.scene) for run in runs]
    found = []
    for one, other in combinations(range(len(runs)), 2):
        share = shared_ground(grids[one], grids[other])
        if share > LEAST_SHARED:
            found.append(
                f"{percent(share)} of the ground of {runs[one].path} is in {runs[other].path} too: "
                "what one trains on may lie in test blocks of the other, and scores say too much "
                "there"
            )
    return found
