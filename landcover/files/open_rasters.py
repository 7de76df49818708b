"""Many rasters that are read in turn, of which only so many are open at once."""

from __future__ import annotations

from collections import OrderedDict
from types import TracebackType

from rasterio.io import DatasetReader

from landcover.files.opening import open_dataset
from landcover.files.raster_names import RasterName

#: Datasets that are open at once, at least and at most.
_LEAST_OPEN, _MOST_OPEN = 64, 400


def most_open() -> int:
    """Datasets that a process may hold open: half of the files that the system lets it open.

    GDAL opens more than one file for some, and other libraries need some too. Linux mostly allows
    1024 files, macOS 256, and Windows does not say.
    """
    try:
        import resource
    except ImportError:  # Windows
        return _LEAST_OPEN
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(max(_LEAST_OPEN, allowed // 2), _MOST_OPEN) if allowed > 0 else _MOST_OPEN


class OpenRasters:
    """Open datasets by their names; those read longest ago are closed where there are too many.

    A dataset is open at least until `most` others have been asked for.

    Parameters
    ----------
    most : int, optional
        Datasets that are open at once; by default `most_open`.

    Examples
    --------
    >>> with OpenRasters() as rasters:
    ...     rasters["B02.tif"] is rasters["B02.tif"]
    True
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = most or most_open()
        self._opened: OrderedDict[RasterName, DatasetReader] = OrderedDict()

    def __enter__(self) -> OpenRasters:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._opened:
            self._opened.popitem()[1].close()

    def __getitem__(self, name: RasterName) -> DatasetReader:
        """The open dataset of a name."""
        if name not in self._opened:
            while len(self._opened) >= self.most:
                self._opened.popitem(last=False)[1].close()
            self._opened[name] = open_dataset(name)
        self._opened.move_to_end(name)
        return self._opened[name]

    def __len__(self) -> int:
        """How many are open."""
        return len(self._opened)
