"""What is installed here, what it is used for, and what does not work: the facts of ``doctor``.

Versions and bounds are those that the installed package declares. What is said to work was tried:
a raster is written and read, a place is projected, kernels and Keras are loaded.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from landcover import __version__
from landcover.errors import LandcoverError
from landcover.files.machine import Machine, gpus, machine, version_of
from landcover.progress import track

if TYPE_CHECKING:
    from packaging.requirements import Requirement

#: What each extra is for.
EXTRAS = {
    "service": "landcover serve",
    "fetch": "landcover fetch",
    "fast": "faster maps by OpenVINO, faster forests by scikit-learn-intelex",
    "lightgbm": "landcover train lightgbm",
    "noise": "training with --denoise confident",
    "cluster": "landcover map with --scheduler",
    "exchange": "the check of what landcover export writes",
    "tensorboard": "training with --tensorboard",
    "notebooks": "landcover.interactive_map, in notebooks",
    "gpu": "training on a GPU, with KERAS_BACKEND=jax",
}
#: GDAL's drivers, and what is read or written by them.
RASTER_DRIVERS = {
    "GTiff": "band files and label maps (.tif)",
    "COG": "every raster that is written",
    "JP2OpenJPEG": "bands of Sentinel-2 products (.jp2)",
    "VRT": "the dates of a run",
    "PNG": "images (.png)",
    "JPEG": "images (.jpg)",
}
VECTOR_DRIVERS = {
    "GPKG": "polygons and points (.gpkg)",
    "GeoJSON": "areas and polygons (.geojson)",
    "ESRI Shapefile": "areas and polygons (.shp)",
}
#: Variables of the environment that change what landcover, or a library, does.
VARIABLES = (
    "PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH", "KERAS_BACKEND", "OMP_NUM_THREADS",
    "NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT", "CUDA_VISIBLE_DEVICES", "LANDCOVER_DEBUG",
)  # fmt: skip
#: Libraries that stand in for another: builds of one under two names.
_SAME = {"tensorflow-cpu": ("tensorflow",), "tensorflow": ("tensorflow-cpu",)}


@dataclass
class Installation:
    """What was found.

    Attributes
    ----------
    landcover, python : dict
        Version, and where it lies.
    machine : Machine
        Processor, cores and memory.
    gpus : list of str
        Names, as the driver of NVIDIA lists them.
    libraries : dict of str to str
        Versions of the libraries that landcover always needs; "" of one that is missing.
    extras : dict of str to list of str
        By extra, the libraries that are missing.
    gdal : dict
        Versions of GDAL and PROJ, which rasterio, pyogrio and pyproj each bring.
    drivers : dict of str to bool
        Drivers of GDAL, and whether each is there.
    engines : dict of str to str
        What computes, by what it is used for.
    page : bool
        Whether the JavaScript of the page of `landcover serve` is there.
    node : str, optional
        Version of Node.js, which fetches that JavaScript in a checkout of the project.
    environment : dict of str to str
        Variables that are set.
    notes, problems : list of str
        What is good to know, and what does not work.
    """

    landcover: dict[str, str]
    python: dict[str, str]
    machine: Machine
    gpus: list[str]
    libraries: dict[str, str] = field(default_factory=dict)
    extras: dict[str, list[str]] = field(default_factory=dict)
    gdal: dict[str, str] = field(default_factory=dict)
    drivers: dict[str, bool] = field(default_factory=dict)
    engines: dict[str, str] = field(default_factory=dict)
    page: bool = False
    node: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def look() -> Installation:
    """Look at the installation; loading Keras takes some seconds."""
    found = Installation(
        landcover={"version": __version__, "folder": str(Path(__file__).parents[1])},
        python={"version": platform.python_version(), "executable": sys.executable},
        machine=machine(),
        gpus=gpus(),
        node=version_of("node"),
        environment={name: os.environ[name] for name in VARIABLES if name in os.environ},
    )
    # Forests before OpenVINO: in one process scikit-learn-intelex loads only if it comes first
    steps: list[tuple[str, Callable[[Installation], None]]] = [
        ("libraries", _look_at_libraries),
        ("GDAL", _look_at_gdal),
        ("coordinate systems", _project),
        ("writing a raster", _write_raster),
        ("compiled loops", _look_at_kernels),
        ("forests", _look_at_forests),
        ("networks", _look_at_networks),
        ("the page", _look_at_page),
    ]
    for name, step in track(steps, "looking"):
        try:
            step(found)
        except Exception as error:  # libraries raise what they like; that is what is asked
            found.problems.append(f"{name}: {_line(error)}{_blamed(found)}")
    return found


def _look_at_libraries(found: Installation) -> None:
    """Compare versions with the bounds that the installed package declares."""
    from packaging.requirements import Requirement

    try:
        declared = [Requirement(text) for text in metadata.requires("landcover") or ()]
    except metadata.PackageNotFoundError:
        found.problems.append(
            f"landcover runs from {found.landcover['folder']} and is not installed, so what it "
            "needs cannot be compared; install it: pip install landcover"
        )
        return
    if metadata.version("landcover") != __version__:
        found.notes.append(
            f"landcover {metadata.version('landcover')} was installed and its files are of "
            f"{__version__} now; install it again, so that libraries are compared with its bounds"
        )
    found.extras = {name: [] for name in EXTRAS}
    for wanted in declared:
        extra = _extra_of(wanted)
        if extra == "" or extra in EXTRAS:
            _compare(found, wanted, extra)


def _extra_of(wanted: Requirement) -> str | None:
    """The extra that a requirement is of, "" for none; None where it is not for this machine."""
    marker = wanted.marker
    if marker is None or marker.evaluate({"extra": ""}):
        return ""
    return next((name for name in EXTRAS if marker.evaluate({"extra": name})), None)


def _compare(found: Installation, wanted: Requirement, extra: str) -> None:
    """Note the version of a library, or that it is missing."""
    version = _version(wanted.name)
    of = f"landcover[{extra}]" if extra else "landcover"
    if extra and version is None:
        found.extras[extra].append(wanted.name)
    elif version is None:
        found.problems.append(f"{wanted.name} is missing; install it: pip install landcover")
    elif not wanted.specifier.contains(version, prereleases=True):
        found.problems.append(
            f"{wanted.name} {version} is installed and {of} needs {wanted.specifier}; update it: "
            f"pip install --upgrade '{of}'"
        )
    if not extra:
        found.libraries[wanted.name] = version or ""


def _version(library: str) -> str | None:
    """Of a library, or of what stands in for it."""
    for name in (library, *_SAME.get(library, ())):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _look_at_gdal(found: Installation) -> None:
    """Versions, and drivers that are missing."""
    import pyogrio
    import pyproj
    import rasterio

    found.gdal = {
        "GDAL of rasterio": rasterio.__gdal_version__,
        "GDAL of pyogrio": ".".join(map(str, pyogrio.__gdal_version__)),
        "PROJ of pyproj": pyproj.proj_version_str,
    }
    with rasterio.Env() as gdal:
        rasters = set(gdal.drivers())
    vectors = set(pyogrio.list_drivers())
    for drivers, held in ((RASTER_DRIVERS, rasters), (VECTOR_DRIVERS, vectors)):
        for name, purpose in drivers.items():
            found.drivers[name] = name in held
            if name not in held:
                found.problems.append(
                    f"GDAL has no driver {name}, for {purpose}; install rasterio and pyogrio from "
                    "PyPI or conda-forge, whose GDAL has it"
                )


def _project(_found: Installation) -> None:
    """Project the origin of CORINE's reference system, a known answer, by both libraries."""
    import pyproj
    from rasterio.warp import transform

    origin = (4_321_000.0, 3_210_000.0)
    by_pyproj = pyproj.Transformer.from_crs(3035, 4326, always_xy=True).transform(*origin)
    by_gdal = transform("EPSG:3035", "EPSG:4326", [origin[0]], [origin[1]])
    for library, (lon, lat) in (
        ("pyproj", by_pyproj),
        ("rasterio", (by_gdal[0][0], by_gdal[1][0])),
    ):
        if abs(lon - 10) > 1e-6 or abs(lat - 52) > 1e-6:
            raise LandcoverError(f"{library} puts 10 E 52 N at {lon:.6f} {lat:.6f}")


def _write_raster(_found: Installation) -> None:
    """Write a raster as every product is written, and read it."""
    import numpy as np
    from affine import Affine
    from rasterio.crs import CRS

    from landcover.files import raster_writer, rasters
    from landcover.grid import Grid

    pixels = np.arange(64, dtype=np.uint16).reshape(1, 8, 8)
    grid = Grid(CRS.from_epsg(32633), Affine(10, 0, 300_000, 0, -10, 5_800_000), 8, 8)
    with tempfile.TemporaryDirectory() as folder:
        path = raster_writer.write(Path(folder) / "tried.tif", pixels, grid, ["tried"])
        if not np.array_equal(rasters.read(path), pixels):
            raise LandcoverError("a raster that was written is read with other values")


def _look_at_kernels(found: Installation) -> None:
    """Load loops that numba compiles; they are refused where their cache has no place."""
    import numba

    from landcover.files.opening import threads
    from landcover.maps import smoothing  # noqa: F401

    found.engines["loops over pixels"] = f"numba {numba.__version__}, on {threads()} threads"


def _look_at_forests(found: Installation) -> None:
    """Which library grows forests."""
    import sklearn

    from landcover.classifiers.forests import fast_forest

    grower, fast = f"scikit-learn {sklearn.__version__}", _version("scikit-learn-intelex")
    if fast is not None and fast_forest() is None:
        found.notes.append(
            f"scikit-learn-intelex {fast} is installed and does not load; forests grow without it"
        )
    elif fast is not None:
        grower = f"scikit-learn-intelex {fast} where that is faster, or {grower}"
    found.engines["growing forests"] = grower


def _look_at_networks(found: Installation) -> None:
    """Which libraries train networks and map with them, and where they compute."""
    from landcover.classifiers.networks import backend_name
    from landcover.classifiers.networks.engines import available_precisions

    precisions = available_precisions()
    where = backend_name()
    keras = f"Keras {_version('keras')} with {where}"
    found.engines["training networks"] = keras
    found.engines["mapping by networks"] = (
        f"OpenVINO {_version('openvino')} ({', '.join(precisions)}) where that is measured to be "
        "faster, or Keras"
        if precisions
        else keras
    )
    if found.gpus and where.endswith("cpu"):
        found.notes.append(
            f"a GPU is there ({found.gpus[0]}), and Keras computes on the processor; to train on "
            "the GPU: pip install 'landcover[gpu]', and set KERAS_BACKEND=jax"
        )


def _look_at_page(found: Installation) -> None:
    """Whether the page can be shown, where the libraries of the service are there."""
    from landcover.service import assets

    found.page = not assets.missing()
    if not found.page:
        found.notes.append(
            "the JavaScript of the page of landcover serve is not there; fetch it once, in a "
            "checkout of the project, with: make web"
        )


def _blamed(found: Installation) -> str:
    """Variables that send libraries to the files of another installation, if there are any."""
    named = [name for name in found.environment if name.startswith(("PROJ_", "GDAL_"))]
    if not named:
        return ""
    return f"; try without {' and '.join(named)} in the environment: unset {' '.join(named)}"


def _line(error: BaseException) -> str:
    """An error of a library in one line, with its kind where that is not landcover's own."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    return text if isinstance(error, LandcoverError) else f"{type(error).__name__}: {text}"
