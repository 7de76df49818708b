"""The run folder: where each product lies, and the manifest that says how it was made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from landcover.errors import LandcoverError, MissingProduct, typed
from landcover.files.atomic import Fields, digest, read_json, versions, write_json
from landcover.files.raster_names import RasterName, file_of, raster_name
from landcover.legend import Legend, Nomenclature

#: The command that makes each product, for people who ask for it too early.
_PREP = "landcover prep --bands B02.tif B03.tif B04.tif B08.tif"
MADE_BY = {
    "scene": f"{_PREP} --out {{run}}",
    "observations": f"{_PREP} --composite median --out {{run}}",
    "sequence": "landcover prep --date 2022-04-15/*.tif --date 2022-07-14/*.tif --out {run}",
    "labels": f"{_PREP} --labels CORINE.tif --out {{run}}",
    "reference": f"{_PREP} --labels CORINE.tif --reference TRUTH.tif --out {{run}}",
    "segments": "landcover segment {run}",
    "segment_types": "landcover segment {run}",
    "samples": "landcover sample {run}",
    "splits": "landcover sample {run}",
    "label_confidence": "landcover denoise {run}",
    "refined_labels": "landcover denoise {run}",
    "label_noise": "landcover denoise {run}",
    "vectors": "landcover export {run} --vectors gpkg",
}

#: The call of the public API that makes what a run lacks; a name stands for the run.
CALLS = {
    "scene": 'run = lc.prepare("{run}", bands=FILES, labels=FILE)',
    "labels": 'run = lc.prepare("{run}", bands=FILES, labels=FILE)',
    "segments": "lc.segment(run)",
    "samples": "lc.sample(run)",
    "refined_labels": "lc.denoise(run)",
    "model": 'model = lc.train(run, "random-forest")',
    "map": "lc.map_scene(run, model)",
    "comparison": "lc.compare(run)",
}

#: How the names of rasters end that lie beside a map and are none themselves.
BESIDE_MAPS = ("_confidence", "_probabilities", "_entropy", "_applicability")


class Run:
    """The paths of one run folder.

    Parameters
    ----------
    path : path
        The folder; it need not exist yet.

    Attributes
    ----------
    path : Path
        The folder.
    scene, labels, reference, segments, segment_types : Path
        Rasters on one grid.
    segment_dates : Path
        Means of segments on every date of a run of several.
    observations : Path
        Raster of how many dates of a composite are valid at each pixel, and which one is shown.
    sequence : Path
        All bands of all dates of a run of several, as one raster: a VRT of those in `dates`.
    polygons : Path
        Raster of the numbers of training polygons, 0 outside them, where labels are of some.
    samples, splits, label_noise, manifest : Path
        Tables and JSON.
    vectors : Path
        Samples, splits and segments once more, as a GeoPackage.
    scenes : Path
        The scenes of a run whose samples are of several runs; no other run has it.
    label_confidence, refined_labels : Path
        Rasters of what `landcover.denoise` finds.

    Examples
    --------
    >>> run = Run("runs/demo")
    >>> run.scene.as_posix(), run.map("cnn-7x7").as_posix()
    ('runs/demo/scene.tif', 'runs/demo/maps/cnn-7x7.tif')
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.scene = self.path / "scene.tif"
        self.observations = self.path / "observations.tif"
        self.sequence = self.path / "dates.vrt"
        self.labels = self.path / "labels.tif"
        self.reference = self.path / "reference.tif"
        self.polygons = self.path / "polygons.tif"
        self.legend = self.path / "legend.json"
        self.segments = self.path / "segments.tif"
        self.segment_dates = self.path / "segment_dates.npz"
        self.segment_types = self.path / "segment_types.tif"
        self.samples = self.path / "samples.parquet"
        self.splits = self.path / "splits.json"
        self.label_confidence = self.path / "label_confidence.tif"
        self.refined_labels = self.path / "refined_labels.tif"
        self.label_noise = self.path / "label_noise.parquet"
        self.vectors = self.path / "vectors.gpkg"
        self.manifest = self.path / "manifest.json"
        self.scenes = self.path / "scenes.json"

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        """What the run holds and what it lacks, for notebooks: pictures, classes, maps."""
        from landcover.files import html

        if not self.path.is_dir():
            return html.card(
                f"Run {self.path}",
                html.text("there is no such folder yet"),
                html.missing([("scene", self._call("scene"))]),
            )
        drawn = {
            "true colour": self.figure("true_colour"),
            "components": self.figure("components"),
        }
        classes = {
            "labels": self.labels,
            "refined labels": self.refined_labels,
            "reference": self.reference,
            **{f"map {name}": self.map(name) for name in self._names("maps/*.tif")},
        }
        classes = {title: path for title, path in classes.items() if path.exists()}
        pictures = {title: path for title, path in drawn.items() if path.exists()} | classes
        legend = self._legend()
        return html.card(
            f"Run {self.path}",
            html.facts(self._held()),
            html.gallery(pictures, legend),
            html.class_table(classes, legend),
            html.missing(self._lacking()),
        )

    def _legend(self) -> Legend | None:
        """The classes of the run; None where it has no legend of its own, or a damaged one."""
        try:
            return Nomenclature.from_dict(read_json(self.legend)).legend
        except (OSError, LandcoverError, KeyError, TypeError, ValueError):
            return None

    def _held(self) -> list[tuple[str, object]]:
        """What the run holds, in words."""
        days = sorted(path.stem for path in self.dates.glob("????-??-??.tif"))
        return [
            ("scene", _described(self.scene)),
            ("dates", f"{len(days)}, {days[0]} to {days[-1]}" if days else None),
            ("scenes", len(read_json(self.scenes)["scenes"]) if self.scenes.exists() else None),
            ("models", ", ".join(self._names("models/*/card.json")) or None),
            *((f"map {name}", self._scored(name)) for name in self._names("maps/*.tif")),
        ]

    def _scored(self, name: str) -> str:
        """How a map does, by its report."""
        path = self.report(name)
        if not path.exists():
            return "not scored: the run has no labels, or no test blocks"
        try:
            found = read_json(path)
        except LandcoverError as error:
            return f"its report cannot be read: {error}"
        if not {"overall_accuracy", "n_test"} <= found.keys():
            return f"{path} is no report of a map"
        return (
            f"{found.get('measure', 'accuracy')}: {100 * found['overall_accuracy']:.1f} % of "
            f"{found['n_test']:,} pixels"
        )

    def _lacking(self) -> list[tuple[str, str]]:
        """What the run does not hold yet, and the call that makes it."""
        if self.scenes.exists():
            return []
        there = {
            "scene": self.scene.exists(),
            "labels": self.labels.exists(),
            "segments": self.segments.exists(),
            "samples": self.samples.exists(),
            "refined_labels": self.refined_labels.exists(),
            "model": bool(self._names("models/*/card.json")),
            "map": bool(self._names("maps/*.tif")),
            "comparison": (self.path / "comparison.json").exists(),
        }
        return [(p.replace("_", " "), self._call(p)) for p, held in there.items() if not held]

    def _names(self, pattern: str) -> list[str]:
        """Names of the models or maps that a pattern finds, without what lies beside a map."""
        found = sorted(self.path.glob(pattern))
        if pattern.startswith("models"):
            return [path.parent.name for path in found]
        return [path.stem for path in found if not path.stem.endswith(BESIDE_MAPS)]

    def _call(self, product: str) -> str:
        return CALLS[product].format(run=self.path.as_posix())

    @property
    def dates(self) -> Path:
        """RUN/dates: a raster a date, where a run has several."""
        return self.path / "dates"

    def date(self, day: str) -> Path:
        """Reflectance of one date.

        Parameters
        ----------
        day : str
            ISO 8601.

        Returns
        -------
        Path
            RUN/dates/DAY.tif: NaN where the date is not valid.
        """
        return self.dates / f"{day}.tif"

    def labels_of_year(self, year: int) -> Path:
        """Labels of one year, which lead over those of all dates for the dates of their year.

        Parameters
        ----------
        year : int
            Such as 2022.

        Returns
        -------
        Path
            RUN/dates/labels_YEAR.tif: class codes, uint16.
        """
        return self.dates / f"labels_{year}.tif"

    def year(self, year: int) -> Path:
        """A run folder of the dates of one year, where labels of that year are refined.

        Parameters
        ----------
        year : int
            Such as 2022.

        Returns
        -------
        Path
            RUN/years/YEAR.
        """
        return self.path / "years" / str(year)

    def model(self, name: str) -> Path:
        """Folder of a model.

        Parameters
        ----------
        name : str
            Name of the model.

        Returns
        -------
        Path
            RUN/models/NAME.
        """
        return self.path / "models" / name

    def map(self, name: str) -> Path:
        """Class map of a model.

        Parameters
        ----------
        name : str
            Name of the model, or of the map where it was made of another map.

        Returns
        -------
        Path
            RUN/maps/NAME.tif: class codes, uint16.
        """
        return self.path / "maps" / f"{name}.tif"

    def confidence(self, name: str) -> Path:
        """Confidence of a model's map.

        Parameters
        ----------
        name : str
            Name of the model, or of the map where it was made of another map.

        Returns
        -------
        Path
            RUN/maps/NAME_confidence.tif: percent, uint8.
        """
        return self.path / "maps" / f"{name}_confidence.tif"

    def probabilities(self, name: str) -> Path:
        """Per-class probabilities of a model's map.

        Parameters
        ----------
        name : str
            Name of the model, or of the map where it was made of another map.

        Returns
        -------
        Path
            RUN/maps/NAME_probabilities.tif: a band a class, 0 to 1, float32.
        """
        return self.path / "maps" / f"{name}_probabilities.tif"

    def entropy(self, name: str) -> Path:
        """Entropy of a model's map.

        Parameters
        ----------
        name : str
            Name of the model, or of the map where it was made of another map.

        Returns
        -------
        Path
            RUN/maps/NAME_entropy.tif: percent of the largest possible, uint8.
        """
        return self.path / "maps" / f"{name}_entropy.tif"

    def applicability(self, name: str) -> Path:
        """Where a model's map lies outside the model's area of applicability.

        Parameters
        ----------
        name : str
            Name of the model, or of the map where it was made of another map.

        Returns
        -------
        Path
            RUN/maps/NAME_applicability.tif: dissimilarity in percent of the threshold, and 1 where
            a pixel lies inside, uint8.
        """
        return self.path / "maps" / f"{name}_applicability.tif"

    def map_layers(self, name: str) -> dict[str, Path]:
        """The rasters of a model's map that exist: the map itself, and what says how sure it is.

        Parameters
        ----------
        name : str
            Name of the model, or of the map where it was made of another map.

        Returns
        -------
        dict of str to Path
            By layer: map, confidence, probabilities, entropy, applicability.
        """
        names = ("map", "confidence", "probabilities", "entropy", "applicability")
        paths = {layer: getattr(self, layer)(name) for layer in names}
        return {layer: path for layer, path in paths.items() if path.exists()}

    def map_job(self, name: str) -> Path:
        """What is done of a map that is being made.

        Parameters
        ----------
        name : str
            Name of the model, or of the map where it was made of another map.

        Returns
        -------
        Path
            A hidden folder in RUN/maps, which goes when the map is whole.
        """
        return self.path / "maps" / f".{name}.job"

    def item(self, name: str) -> Path:
        """STAC item of a model's map.

        Parameters
        ----------
        name : str
            Name of the model, or of the map where it was made of another map.

        Returns
        -------
        Path
            RUN/maps/stac/NAME.json. Beside the map, QGIS would list it as a layer of its own: the
            outline, which covers the map.
        """
        return self.path / "maps" / "stac" / f"{name}.json"

    def earlier_item(self, name: str) -> Path:
        """Where earlier versions wrote the STAC item of a model's map.

        Parameters
        ----------
        name : str
            Name of the map.

        Returns
        -------
        Path
            RUN/maps/NAME.json.
        """
        return self.map(name).with_suffix(".json")

    def report(self, name: str) -> Path:
        """Scores of a model.

        Parameters
        ----------
        name : str
            Name of the model, or of the map where it was made of another map.

        Returns
        -------
        Path
            RUN/reports/NAME.json.
        """
        return self.path / "reports" / f"{name}.json"

    def by_scene(self, name: str) -> Path:
        """Scores of models that each left one scene out.

        Parameters
        ----------
        name : str
            Name of the model that learnt from all scenes.

        Returns
        -------
        Path
            RUN/reports/NAME_by_scene.json; the same in words lies beside it.
        """
        return self.path / "reports" / f"{name}_by_scene.json"

    def figure(self, name: str) -> Path:
        """A picture.

        Parameters
        ----------
        name : str
            Name of the picture.

        Returns
        -------
        Path
            RUN/figures/NAME.png.
        """
        return self.path / "figures" / f"{name}.png"

    def require(self, product: str) -> Path:
        """The path of a product that must exist.

        Parameters
        ----------
        product : str
            Name of an attribute, such as "scene" or "labels".

        Returns
        -------
        Path
            Path of the product.

        Raises
        ------
        MissingProduct
            If it does not, naming the command that makes it.
        """
        path: Path = getattr(self, product)
        if not path.exists():
            self.require_folder()
            self.require_one_scene()
            raise MissingProduct(f"{path} does not exist; make it with: {self.made_by(product)}")
        return path

    def require_one_scene(self) -> None:
        """Raise MissingProduct if this is a run of several scenes, which has none of its own.

        Raises
        ------
        MissingProduct
            Naming what can be done with one of its scenes.
        """
        if not self.scenes.exists():
            return
        first = typed(read_json(self.scenes)["scenes"][0]["run"])
        models = sorted(path.parent for path in self.path.glob("models/*/card.json"))
        model = typed(models[-1] if models else self.model("NAME"))
        raise MissingProduct(
            f"{self.path} holds models of several scenes, and no scene of its own; map and compare "
            f"one of its scenes: landcover map {first} --model {model} && landcover compare {first}"
        )

    def require_folder(self) -> None:
        """Raise MissingProduct if there is no such folder: then it is the path that is wrong.

        Raises
        ------
        MissingProduct
            If the folder does not exist, or is a file.
        """
        if self.path.is_file():
            raise MissingProduct(f"{self.path} is a file, and a run is a folder; give its folder")
        if not self.path.is_dir():
            raise MissingProduct(
                f"run folder {self.path} does not exist; check the path, or make a run with: "
                + self.made_by("scene")
            )

    def made_by(self, product: str) -> str:
        """The command that makes a product.

        Parameters
        ----------
        product : str
            Name of the product, such as "scene".

        Returns
        -------
        str
            With the path of this run. The demo's scene comes with labels and reference, so its
            command names no files.
        """
        made_by = MADE_BY[product]
        if self.path.as_posix() == "runs/demo" and made_by.startswith(_PREP):
            made_by = "landcover prep --out {run}"
        return made_by.format(run=typed(self.path))

    def record(
        self,
        stage: str,
        settings: Mapping[str, object],
        inputs: Iterable[str | Path] = (),
        products: Iterable[Path] = (),
        found: Mapping[str, object] | None = None,
    ) -> None:
        """Write into the manifest how a stage was run, replacing its earlier entry.

        What it found out about its inputs is kept beside its settings.

        Parameters
        ----------
        stage : str
            Name of the stage.
        settings : mapping
            What it was asked for; JSON takes the values.
        inputs : iterable of path
            Files that it read; they are kept by hash.
        products : iterable of path
            Files that it wrote.
        found : mapping, optional
            What it found out about its inputs.
        """
        manifest = self.read_manifest()
        manifest["stages"][stage] = dict(found or {}) | {
            "settings": settings,
            "inputs": self.fingerprints(inputs),
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
        """Keep in the manifest what a command took: time, shares of it, and memory at most.

        Parameters
        ----------
        command : str
            Name of the command.
        settings : dict of str to str
            What it was asked for, as text.
        seconds : float
            Wall time.
        shares : dict of str to float
            Parts of the time, 0 to 1: reading, computing, writing.
        peak_memory_mib : int
            Peak resident memory, MiB.
        """
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

    def fingerprints(self, paths: Iterable[str | Path]) -> list[dict[str, str | int]]:
        """What the manifest keeps of files that a stage reads.

        Parameters
        ----------
        paths : iterable of path
            Inputs or products of the run.

        Returns
        -------
        list of dict
            Path, size and SHA-256 of each.
        """
        return [self._fingerprint(path) for path in paths]

    def _fingerprint(self, given: RasterName) -> dict[str, str | int]:
        """Path, size and SHA-256 of an input; a folder, such as a product, has its path only.

        The run's own products go by their place in it: a run can be moved. Of a raster inside
        another file, the size and SHA-256 are those of the file.
        """
        given = raster_name(given)
        path = file_of(given)
        own = path.is_relative_to(self.path)
        name: dict[str, str | int] = {"path": str(path.relative_to(self.path) if own else given)}
        if not path.is_file():
            return name
        return name | {"bytes": path.stat().st_size, "sha256": digest(path)}

    def read_manifest(self) -> Fields:
        """How the run was made: ``stages`` by name, and ``commands``; empty for a new run.

        Returns
        -------
        dict
            Of what JSON holds.
        """
        empty: Fields = {"stages": {}, "commands": []}
        return empty | (read_json(self.manifest) if self.manifest.exists() else {})


def _described(scene: Path) -> str | None:
    """Size, pixels, reference system and bands of a scene; None where there is none."""
    from landcover.files.rasters import band_names, grid_of

    if not scene.exists():
        return None
    try:
        grid, bands = grid_of(scene), band_names(scene)
    except LandcoverError as error:
        return f"cannot be read: {error}"
    return (
        f"{grid.rows:,} x {grid.cols:,} pixels of {grid.resolution[0]:g} x "
        f"{grid.resolution[1]:g}, {grid.crs.to_string()}; bands {' '.join(bands)}"
    )
