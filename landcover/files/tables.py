"""Tables in and out: Parquet, with points where a table has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from landcover.errors import LandcoverError
from landcover.files.atomic import replace_when_whole, short_digest

if TYPE_CHECKING:
    import geopandas
    import pandas as pd
    import pyarrow

#: Columns that hold the place of each row, which only geographic tables have.
_PLACES = ("geometry", "bbox")


@overload
def read(
    path: Path, remedy: str, columns: Sequence[str] | None = ..., geometry: Literal[False] = ...
) -> pd.DataFrame: ...
@overload
def read(
    path: Path, remedy: str, columns: Sequence[str] | None = ..., geometry: bool = ...
) -> geopandas.GeoDataFrame: ...
def read(
    path: Path, remedy: str, columns: Sequence[str] | None = None, geometry: bool = False
) -> pd.DataFrame | geopandas.GeoDataFrame:
    """Read a Parquet table.

    Parameters
    ----------
    path : path
        Parquet file.
    remedy : str
        What to do when it cannot be read, for the message.
    columns : sequence of str, optional
        Those wanted; all by default.
    geometry : bool
        Whether the points of a GeoParquet file are wanted, too.

    Returns
    -------
    DataFrame, or GeoDataFrame with `geometry`

    Raises
    ------
    LandcoverError
        If the file is missing, damaged, or lacks a column.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        if geometry:
            import geopandas

            return geopandas.read_parquet(path, columns=columns)
        file = parquet.ParquetFile(path)
        held = file.schema_arrow.names
        wanted = [name for name in held if name not in _PLACES] if columns is None else columns
        missing = [name for name in wanted if name not in held]
        if missing:
            raise ValueError(f"it has no column {missing[0]}")
        return file.read(list(wanted)).to_pandas()
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise LandcoverError(
            f"{path} is not readable ({str(error).splitlines()[0]}); {remedy}"
        ) from error


def read_columns(path: Path, remedy: str) -> dict[str, list[Any]]:
    """Columns of a Parquet table as lists by name, with lists in cells where the table has them.

    What a cell is depends on the table.

    Raises
    ------
    LandcoverError
        If the file is missing or damaged; `remedy` says what to do.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        columns: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
        return columns
    except (OSError, pyarrow.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise LandcoverError(f"{path} is no readable table ({reason}); {remedy}") from None


def write_columns(path: Path, columns: pyarrow.Table) -> None:
    """Write a table of pyarrow, whose types are kept."""
    from pyarrow import parquet

    parquet.write_table(columns, path)


def write(path: Path, table: pd.DataFrame | Mapping[str, object]) -> Path:
    """Write a DataFrame, a GeoDataFrame or columns by name as Parquet, whole or not at all."""
    import pandas as pd

    table = table if isinstance(table, pd.DataFrame) else pd.DataFrame(table)
    with replace_when_whole(path) as part:
        table.to_parquet(part, index=False)
    return path


def plain_text(table: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """A table with text as plain Arrow strings: GDAL before 3.8 cannot read large ones."""
    import pandas as pd
    import pyarrow

    text = [
        name
        for name in table.columns
        if name != "geometry" and pd.api.types.is_string_dtype(table[name])
    ]
    return table.astype(dict.fromkeys(text, pd.ArrowDtype(pyarrow.string())))


def digest_of(table: pd.DataFrame) -> str:
    """A short name of what a table holds, whatever the index of its rows.

    >>> import pandas as pd
    >>> digest_of(pd.DataFrame({"row": [1]})) == digest_of(pd.DataFrame({"row": [1]}, index=[7]))
    True
    """
    import pandas as pd

    return short_digest(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
