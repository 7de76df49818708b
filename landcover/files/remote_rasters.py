"""Rasters on servers, of which only windows are read.

GDAL reads the parts of a GeoTIFF that a window needs (/vsicurl/). What it cannot say, such as why a
server refuses, is found out by a request of our own, and then it is tried again. A file that no
window can be read of, such as JPEG 2000 or one on a server without ranges, is fetched whole.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterioWindow

from landcover.errors import InputError
from landcover.files import whole_jpeg2000, whole_tiff
from landcover.files.atomic import short_digest
from landcover.files.download import Wanted, download
from landcover.files.http import (
    ANSWER_S,
    CONNECT_S,
    TRIES,
    Web,
    WebError,
    pause,
    require_web,
    shown,
)
from landcover.files.opening import open_dataset, root_cause
from landcover.grid import Grid, Window
from landcover.stopwatch import spent

#: A larger file is not fetched whole for the sake of a window.
MOST_WHOLE = 4_000_000_000
#: Pixels of a block: GDAL holds a whole one in memory for any window of it.
MOST_OF_A_BLOCK = 1 << 28
#: GDAL keeps nothing of an address that failed, and looks for no files beside the one named.
_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/",
    "GDAL_HTTP_MAX_RETRY": 2,
    "GDAL_HTTP_RETRY_DELAY": 0.5,
    "GDAL_HTTP_NETRC": "NO",
    "GDAL_NUM_THREADS": 1,
}

Found = TypeVar("Found")


class RemoteRaster:
    """A raster on a server, to be read by windows by one thread.

    Parameters
    ----------
    web : Web
        The session.
    wanted : Wanted
        The file.
    folder : path
        Where a file is put that has to be fetched whole.
    keep : bool
        Whether such a file stays, for somebody who opens it again; it is removed on leaving.

    Attributes
    ----------
    grid : Grid
        Of the raster.
    dtype : numpy dtype
        Of its pixels; band 1 alone is read.
    nodata : float or None
        As the file declares it.

    Raises
    ------
    WebError
        If the server refuses, or fails again and again.
    InputError
        If the file is no GeoTIFF or JPEG 2000, or of another size than said.
    """

    def __init__(self, web: Web, wanted: Wanted, folder: Path, keep: bool = False) -> None:
        self._web, self._wanted, self._keep = web, wanted, keep
        self._name = require_web(wanted.url, "the catalogue")
        self._local: Path | None = None
        self._open: DatasetReader | None = None
        self._look(folder)
        self._require_small_blocks()
        self.grid, self.dtype, self.nodata = self._tried(
            lambda dataset: (Grid.of(dataset), np.dtype(dataset.dtypes[0]), dataset.nodata)
        )

    def __enter__(self) -> RemoteRaster:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._close()
        if self._local and not self._keep:
            self._local.unlink(missing_ok=True)

    def read(self, window: Window) -> np.ndarray:
        """Pixels (rows, cols) of a window that lies inside the raster, in its own type."""
        place = RasterioWindow(window.col, window.row, window.cols, window.rows)
        return self._tried(lambda dataset: dataset.read(1, window=place))

    def _require_small_blocks(self) -> None:
        """Refuse a file whose windows would take more memory than was asked for."""
        rows, cols = self._tried(lambda dataset: dataset.block_shapes[0])
        if rows * cols > MOST_OF_A_BLOCK:
            raise InputError(
                f"{shown(self._name)} is stored in blocks of {rows:,} x {cols:,} pixels, too large "
                "to read windows of; choose another catalogue"
            )

    def _look(self, folder: Path) -> None:
        """Ask for the first bytes; fetch the file whole where windows of it cannot be read."""
        with self._web.get(self._name, {"Range": "bytes=0-15"}, self._wanted.sign) as answer:
            first = next(answer.iter_content(16), b"")
            length = answer.headers.get("Content-Range", "").rpartition("/")[2]
            ranges = answer.status_code == 206
            if not ranges:
                packed = "Content-Encoding" in answer.headers
                length = "" if packed else answer.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else None
        said = self._wanted.size
        if said is not None and size is not None and said != size:
            raise InputError(
                f"{shown(self._name)} is of {size:,} bytes, and the catalogue says {said:,}; it is "
                "another file or was cut: it is left out"
            )
        self._require_known(first)
        if ranges and first.startswith(whole_tiff.SIGNATURES):
            return
        if (size or 0) > MOST_WHOLE:
            raise InputError(
                f"{shown(self._name)} is of {size or 0:,} bytes, and the server gives no parts of "
                "it; choose another catalogue"
            )
        ending = PurePosixPath(urlsplit(self._name).path).suffix[:5]
        name = f"whole-{short_digest(shown(self._name).encode())}{ending}"
        self._local = download(self._web, self._wanted, folder / name)
        with self._local.open("rb") as file:
            came = file.read(16)
        try:
            self._require_known(came)  # this answer may be of another file than the first
        except InputError:
            self._local.unlink()
            raise

    def _require_known(self, first: bytes) -> None:
        """Refuse by its first bytes a file that could lead GDAL to files of this machine."""
        if not first.startswith(whole_tiff.SIGNATURES + whole_jpeg2000.SIGNATURES):
            raise InputError(
                f"{shown(self._name)} is neither GeoTIFF nor JPEG 2000 (it begins with "
                f"{first!r}); it is left out"
            )

    def _tried(self, read: Callable[[DatasetReader], Found]) -> Found:
        """What a read gives; it is tried again, with a new signature where that has expired."""
        for number in range(1, TRIES + 1):
            try:
                with spent("reading"), rasterio.Env(**_options()):
                    return read(self._dataset())
            except RasterioError as error:
                self._close()
                if self._local or number == TRIES:
                    raise WebError(
                        f"{shown(self._name)} cannot be read ({root_cause(error)}); run the same "
                        "command again, or choose another catalogue"
                    ) from error
            if number > 1:
                pause(number - 1)
            with self._web.get(self._name, {"Range": "bytes=0-15"}, self._wanted.sign):
                pass  # a refusal is told in words; an expired signature is renewed
        raise AssertionError("unreachable")

    def _dataset(self) -> DatasetReader:
        if self._open is None:
            if self._local:
                self._open = open_dataset(self._local)
            else:
                url = self._name
                if self._wanted.sign:
                    url = require_web(self._wanted.sign(url, False), "the signature")
                # of other drivers, some would follow what the file says to files of this machine
                self._open = rasterio.open(f"/vsicurl/{url}", driver="GTiff")
        return self._open

    def _close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _options() -> dict[str, object]:
    return _OPTIONS | {
        "GDAL_HTTP_CONNECTTIMEOUT": max(1, round(CONNECT_S)),
        "GDAL_HTTP_LOW_SPEED_TIME": max(1, round(ANSWER_S)),
        "GDAL_HTTP_LOW_SPEED_LIMIT": 100,
    }
