"""GeoPackages out and in: layers in one file, each with the style that QGIS opens it with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from landcover.errors import InputError
from landcover.files.atomic import replace_when_whole

if TYPE_CHECKING:
    import geopandas

#: Of the standard. GDAL 3.12 writes 1.4 by itself, of which GDAL 3.6 warns.
VERSION = "1.3"

#: The table in which QGIS keeps the styles of a GeoPackage, as QGIS itself makes it.
_STYLES = """
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256),
    f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256),
    styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT,
    owner TEXT(30), ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
)
"""


class GeoPackage:
    """A GeoPackage that is being written.

    Parameters
    ----------
    path : path
        File that does not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._layers: set[str] = set()

    def write(self, layer: str, frame: geopandas.GeoDataFrame) -> None:
        """Add features to a layer; the first make it, with their fields and geometry type."""
        import pyogrio

        try:
            pyogrio.write_dataframe(
                frame, self.path, layer=layer, driver="GPKG", append=layer in self._layers,
                dataset_options={} if self._layers else {"VERSION": VERSION},
            )  # fmt: skip
        except RuntimeError as error:  # every error of pyogrio is one
            raise OSError(" ".join(str(error).split())[:160]) from error
        self._layers.add(layer)

    def style(self, layer: str, qml: str) -> None:
        """Keep the style with which QGIS opens a layer.

        Parameters
        ----------
        layer : str
            A layer that was written.
        qml : str
            QGIS layer-style XML.
        """
        try:
            with closing(sqlite3.connect(self.path)) as base, base:
                held = base.execute("SELECT 1 FROM sqlite_master WHERE name = 'layer_styles'")
                if held.fetchone() is None:
                    base.execute(_STYLES)
                    base.execute(
                        "INSERT INTO gpkg_contents (table_name, data_type, identifier) "
                        "VALUES ('layer_styles', 'attributes', 'layer_styles')"
                    )
                (column,) = base.execute(
                    "SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?", (layer,)
                ).fetchone()
                base.execute(
                    "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, "
                    "f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, "
                    "owner) VALUES ('', '', ?, ?, ?, ?, '', 1, '', '')",
                    (layer, column, layer[:30], qml),
                )
        except sqlite3.Error as error:
            raise OSError(str(error)) from error


@contextmanager
def geopackage_when_whole(path: Path) -> Iterator[GeoPackage]:
    """Give a GeoPackage to write, which gets its name when it is whole; errors remove it."""
    with replace_when_whole(path) as part:
        part.unlink(missing_ok=True)
        yield GeoPackage(part)


@dataclass(frozen=True)
class StyledLayer:
    """A layer of a GeoPackage.

    Attributes
    ----------
    name : str
        Its name.
    geometry : str
        Type of its geometries, in capitals, such as MULTIPOLYGON.
    crs : str or None
        Its CRS, by name or as WKT.
    qml : str or None
        The style with which QGIS opens it.
    """

    name: str
    geometry: str
    crs: str | None
    qml: str | None


def layers_of(path: Path) -> list[StyledLayer]:
    """The layers of a GeoPackage that have geometries, with their styles.

    Raises
    ------
    InputError
        If it is no GeoPackage.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as base:
            layers = base.execute(
                "SELECT table_name, geometry_type_name FROM gpkg_geometry_columns"
            ).fetchall()
            held = base.execute("SELECT 1 FROM sqlite_master WHERE name = 'layer_styles'")
            styled = held.fetchone() is not None
            styles = dict(
                base.execute(
                    "SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault = 1"
                ).fetchall()
                if styled
                else ()
            )
    except sqlite3.Error as error:
        raise InputError(f"{path} is no GeoPackage ({error}); remove it or make it again") from None
    import pyogrio

    return [
        StyledLayer(name, kind, pyogrio.read_info(path, layer=name)["crs"], styles.get(name))
        for name, kind in layers
    ]
