"""How rasters are opened: by which names, by how many threads, and whose error it is."""

from __future__ import annotations

import os
import zipfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import rasterio.shutil

from landcover.errors import InputError, LandcoverError, MissingProduct
from landcover.files import opening, raster_names, rasters
from landcover.files.atomic import digest
from landcover.grid import Window
from landcover.run import Run
from landcover.sources.band_files import open_bands
from landcover.stages import api_samples
from tests.conftest import utm_grid
from tests.fixtures.damage import JPEG2000, noise, write_noise


@pytest.fixture
def files(tmp_path):
    """Four files of one band, which differ."""
    pixels = noise(120, 4)
    return [
        write_noise(tmp_path / f"B0{number}.tif", band[np.newaxis], compress="lzw", blockysize=8)
        for number, band in enumerate(pixels, start=1)
    ], pixels


def damage(path: Path) -> None:
    """Change bytes in the middle of a file; its length and its tables stay."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(range(250)) * 8
    path.write_bytes(content)


# Errors


@pytest.mark.parametrize("damaged", range(4))
def test_an_error_names_the_file_whose_read_failed(files, damaged):
    paths, _ = files
    damage(paths[damaged])
    with ExitStack() as stack:
        opened = [stack.enter_context(rasters.open_raster(path)) for path in paths]
        for number, dataset in enumerate(opened):
            if number == damaged:
                with pytest.raises(LandcoverError) as caught:
                    rasters.read_window(dataset)
            else:
                rasters.read_window(dataset)
        with pytest.raises(LandcoverError, match=f"^{paths[damaged]} cannot be read"):
            opening.read_at_once([(file, partial(rasters.read_window, file)) for file in opened])
    assert str(caught.value).startswith(f"{paths[damaged]} cannot be read as a raster")
    assert "\n" not in str(caught.value)


def test_every_way_to_read_names_the_file(files):
    path = files[0][0]
    grid = rasters.grid_of(path)
    damage(path)
    reads = [
        lambda: rasters.read(path),
        lambda: rasters.read_small(path, 60),
        lambda: rasters.read_classes(path),
    ]
    for read in reads:
        with pytest.raises(LandcoverError, match=f"^{path} cannot be read as a raster"):
            read()
    with (
        rasters.open_on_grid(path, grid) as warped,
        pytest.raises(LandcoverError, match=f"^{path} cannot be read as a raster"),
    ):
        rasters.read_window(warped)


def test_an_error_of_the_caller_stays_what_it_is(files):
    with pytest.raises(KeyError), rasters.open_raster(files[0][0]):
        raise KeyError("no matter of the file")


@pytest.mark.parametrize("error", [ValueError("one\ntwo"), MemoryError(), OSError(5, "disk")])
def test_whatever_a_library_raises_is_one_line(error):
    with pytest.raises(LandcoverError) as caught, opening.reading("a.tif"):
        raise error
    assert str(caught.value).startswith("a.tif cannot be read as a raster (")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


# Several files at once


def test_windows_of_several_files(files):
    paths, pixels = files
    window = Window(-3, 100, 30, 40)
    with ExitStack() as stack:
        opened = [stack.enter_context(rasters.open_raster(path)) for path in paths]
        warped = stack.enter_context(rasters.open_on_grid(paths[1], rasters.grid_of(paths[1])))
        requests = [(opened[0], None, [1]), (opened[3], window, None), (warped, None, None)]
        requests += [(opened[0], window, [1]), (opened[2], None, None), (opened[3], None, [1])]
        read = opening.read_at_once(
            [(request[0], partial(rasters.read_window, *request)) for request in requests]
        )
        for image, request in zip(read, requests, strict=True):
            np.testing.assert_array_equal(image, rasters.read_window(*request))
        assert opening.read_at_once([]) == []
    np.testing.assert_array_equal(read[4][0], pixels[2])


@pytest.mark.parametrize("threads", ["1", "3", "ALL_CPUS", "all_cpus"])
def test_threads_are_those_of_the_user(monkeypatch, threads):
    monkeypatch.setattr(opening, "THREADS", threads)
    assert opening.threads() == (int(threads) if threads.isdecimal() else os.cpu_count())


# Names


@pytest.fixture
def containers(tmp_path):
    """Files that hold several rasters: their paths, and the name of the second raster of each."""
    pixels = noise(60, 2, "int16")
    write_noise(tmp_path / "a.tif", pixels)
    rasterio.shutil.copy(tmp_path / "a.tif", tmp_path / "a.nc", driver="netCDF")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["B02"], file["B03"] = pixels
    for number, band in enumerate(pixels.clip(0, 255).astype(np.uint8), start=2):
        write_noise(
            tmp_path / "a.gpkg", band[np.newaxis], driver="GPKG", RASTER_TABLE=f"B0{number}",
            APPEND_SUBDATASET="YES" if number > 2 else "NO",
        )  # fmt: skip
    return {
        tmp_path / "a.nc": f"netcdf:{tmp_path}/a.nc:Band2",
        tmp_path / "a.h5": f"HDF5:{tmp_path}/a.h5://B03",
        tmp_path / "a.gpkg": f"GPKG:{tmp_path}/a.gpkg:B03",
    }


def test_a_container_lists_its_rasters_and_takes_their_names(containers):
    for path, name in containers.items():
        for read in (rasters.grid_of, rasters.read, rasters.read_small, rasters.band_names):
            with pytest.raises(LandcoverError, match="holds 2 rasters and no bands") as caught:
                read(path)
        assert f"{name}; give the wanted ones by these names" in str(caught.value)
        assert rasters.read(name, Window(0, 0, 9, 9), [1]).shape == (1, 9, 9)
        assert raster_names.raster_name(name) == name
        assert raster_names.file_of(name) == path


def test_only_the_first_rasters_are_listed(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(12):
            file[f"B{number:02}"] = noise(30)[0]
    with pytest.raises(LandcoverError, match=r"holds 12 rasters .*//B07 and 4 more; give"):
        rasters.read(tmp_path / "a.h5")


def test_quoted_names_and_archives(tmp_path, containers):
    path = tmp_path / "a.h5"
    assert rasters.read(f'HDF5:"{path}"://B03').shape == (1, 60, 60)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.tif", "10m/a.tif")
    name = f"/vsizip/{tmp_path}/a.zip/10m/a.tif"
    assert "//" in name
    assert rasters.read(raster_names.raster_name(name)).shape == (2, 60, 60)
    assert raster_names.archive_member(name) == (tmp_path / "a.zip", "10m/a.tif")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("gone.tif", "gone.tif"),
        ("netcdf:data/gone.nc:B02", "data/gone.nc"),
        ('NETCDF:"data/gone.nc":B02', "data/gone.nc"),
        ("GTIFF_DIR:2:data/gone.tif", "data/gone.tif"),
        ("/vsizip/data/gone.zip/a/B02.tif", "data/gone.zip"),
        ("netcdf:/vsizip/data/gone.zip/a.nc:B02", "data/gone.zip"),
    ],
)
def test_a_file_that_is_not_there_is_named(name, file):
    assert raster_names.file_of(raster_names.raster_name(name)) == Path(file)
    with pytest.raises(MissingProduct, match="does not exist; check the path") as caught:
        rasters.read(name)
    assert str(caught.value).startswith(file)


@pytest.mark.parametrize(
    "name", ["https://host/a.tif", "/vsicurl/https://host/a.tif", "/vsis3/bucket/a.tif"]
)
def test_an_address_is_not_fetched(name):
    with pytest.raises(InputError, match="is no file on this machine, and nothing is fetched"):
        rasters.read(name)


def test_what_holds_no_raster_at_all(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["title"] = "nothing"
    with pytest.raises(LandcoverError, match=r"a\.h5"):
        rasters.read(tmp_path / "a.h5")


def test_a_colon_in_a_path_is_a_part_of_it(tmp_path):
    path = tmp_path / "a:b"
    path.mkdir()
    pixels = noise(40)
    name = write_noise(path / "netcdf:c.jp2", pixels, **JPEG2000)
    np.testing.assert_array_equal(rasters.read(name), pixels)
    np.testing.assert_array_equal(rasters.read(str(name)), pixels)


def test_scenes_and_labels_are_rasters_of_containers(tmp_path):
    """As bands and as labels; the manifest knows the file that holds them."""
    grid = utm_grid(60, 80)
    labels = np.where(np.arange(80) < 40, 12, 23) * np.ones((60, 1), np.uint8)
    write_noise(tmp_path / "bands.tif", noise(80, 4)[:, :60])
    write_noise(tmp_path / "labels.tif", labels[np.newaxis].astype(np.uint8))
    for name in ("bands", "labels"):
        rasterio.shutil.copy(tmp_path / f"{name}.tif", tmp_path / f"{name}.nc", driver="netCDF")
    with zipfile.ZipFile(tmp_path / "labels.zip", "w") as archive:
        archive.write(tmp_path / "labels.tif", "a/labels.tif")
    zipped = f"/vsizip/{tmp_path}/labels.zip/a/labels.tif"
    bands = [f"netcdf:{tmp_path}/bands.nc:Band{number}" for number in (1, 2, 3, 4)]
    run = tmp_path / "run"
    tiles = open_bands(bands, offset=-1000, band_names=["B02", "B03", "B04", "B08"])
    api_samples.prepare(run, tiles, labels=zipped, scheme="corine-grid")
    assert rasters.grid_of(run / "scene.tif").shape == grid.shape
    assert set(np.unique(rasters.read_classes(run / "labels.tif"))) == {211, 311}
    inputs = Run(run).read_manifest()["stages"]["prep"]["inputs"]
    files = {entry["path"]: entry["sha256"] for entry in inputs}
    assert set(files) == {*bands, zipped}
    assert files[zipped] == digest(tmp_path / "labels.zip")
