"""An interactive map for notebooks: layers of a run, or rasters, to be moved and switched.

The map is a page of its own that fetches nothing: pictures lie in it, and so does Leaflet where
`make web` has brought it. Without it, folium names servers that the browser takes Leaflet from.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, cast

from landcover.errors import InputError, MissingDependency
from landcover.files.pictures import data_uri
from landcover.run import Run
from landcover.service import assets

if TYPE_CHECKING:
    import folium
    from branca.element import Figure

    from landcover.legend import Legend
    from landcover.service.layers import Layer

#: Longest side of a layer's picture, pixels.
PICTURE_PX = 1200
_LEGEND = (
    "position:absolute;left:10px;bottom:46px;z-index:1000;background:#fffd;color:#222;padding:6px "
    "9px;border-radius:4px;font:11px/1.4 sans-serif;max-height:60%;max-width:45%;overflow:auto"
)
_CONTROLS = (
    "<style>.leaflet-container .leaflet-control-layers{font:12px sans-serif;max-height:170px;"
    "overflow-y:auto}</style>"
)
_SWATCH = "display:inline-block;width:10px;height:10px;margin-right:6px;border:1px solid #8888"


def interactive_map(
    shown: Run | str | Path | Mapping[str, str | Path], *, height_px: int = 460
) -> folium.Map:
    """A map to move and zoom, with one layer shown at a time and a legend.

    Needs ``pip install 'landcover[notebooks]'``.

    Parameters
    ----------
    shown : Run or path, or mapping of str to path
        A run, of which scene, dates, labels, reference and maps are shown; or rasters by their
        titles: class rasters such as ``{"labels": run.labels}``, scenes, or single bands.
    height_px : int
        Height of the map in the page, pixels.

    Returns
    -------
    folium.Map
        A notebook shows it; ``save("map.html")`` writes it. It holds pictures of at most 1200
        pixels a side, in web mercator, and fetches nothing.

    Raises
    ------
    MissingProduct
        If the run or a raster does not exist, or a run has nothing to show.
    InputError
        If no raster is given, or one without a title.
    MissingDependency
        If folium or rio-tiler is not installed.

    Examples
    --------
    >>> import landcover as lc
    >>> shown = lc.interactive_map("runs/mapped")
    >>> type(shown).__name__, "Random forest on labels as they are" in shown.get_root().render()
    ('Map', True)
    """
    try:
        import folium

        from landcover.service import layers
    except ImportError as error:
        raise MissingDependency(
            f"an interactive map needs {error.name}; install it: pip install 'landcover[notebooks]'"
        ) from None
    if isinstance(shown, Mapping):
        found = {title: layers.layer_of(Path(path), title) for title, path in shown.items()}
        if not found:
            raise InputError("no raster was given; give a run, or rasters by their titles")
    else:
        run = shown if isinstance(shown, Run) else Run(shown)
        if run.path.is_file():
            raise InputError(
                f"{run.path} is a file and no run; give rasters by their titles: "
                f"lc.interactive_map({{{run.path.stem!r}: {str(run.path)!r}}})"
            )
        run.require("scene")
        found = layers.layers_of(run)
    page = folium.Map(tiles=None, control_scale=True, zoom_snap=0.25)
    figure = cast("Figure", page.get_root())
    figure.height = f"{height_px}px"
    _bring_leaflet(page)
    for number, layer in enumerate(found.values()):
        _add(page, layer, first=number == 0)
    west, south, east, north = (
        of(edges) for of, edges in zip((min, min, max, max), _edges(found), strict=True)
    )
    page.fit_bounds([[south, west], [north, east]])
    folium.LayerControl(collapsed=False).add_to(page)
    _add_legend(figure, [layer.legend for layer in found.values() if layer.legend is not None])
    return page


def _edges(found: Mapping[str, Layer]) -> list[tuple[float, ...]]:
    """Wests, souths, easts and norths of layers."""
    return list(zip(*(layer.bounds for layer in found.values()), strict=True))


def _add(page: folium.Map, layer: Layer, first: bool) -> None:
    """Put a picture of a layer on the map, to be chosen instead of the others."""
    import folium

    content, (west, south, east, north) = layer.picture(PICTURE_PX)
    folium.raster_layers.ImageOverlay(
        data_uri(content),
        [[south, west], [north, east]],
        name=layer.title,
        overlay=False,
        show=first,
        pixelated=True,
    ).add_to(page)


def _add_legend(figure: Figure, legends: list[Legend]) -> None:
    """The classes of all layers in a corner; one code may be of several schemes or levels."""
    from branca.element import Element

    classes = {c for legend in legends for c in legend.classes}
    lines = [
        f'<div><span style="{_SWATCH};background:{c.hex_colour}"></span>'
        f"{c.code} {escape(c.name)}</div>"
        for c in sorted(classes, key=lambda c: (c.code, c.name, c.colour))
    ]
    html = f'{_CONTROLS}<div style="{_LEGEND}">{"".join(lines)}</div>' if lines else _CONTROLS
    # branca takes what it is given for a template
    figure.html.add_child(Element(f"{{% raw %}}{html}{{% endraw %}}"))


def _bring_leaflet(page: folium.Map) -> None:
    """Let the page hold Leaflet itself; what else folium would fetch, the map does not use."""
    if assets.missing():
        return
    files = assets.load()
    page.default_js = [("leaflet", _inside(files["vendor/leaflet.js"]))]
    page.default_css = [("leaflet_css", _inside(files["vendor/leaflet.css"]))]


def _inside(file: assets.Asset) -> str:
    """A file as an address that holds it."""
    kind = file.media_type.partition(";")[0]
    return f"data:{kind};base64,{base64.b64encode(file.content).decode('ascii')}"
