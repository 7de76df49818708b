"""The endpoints: each looks up the name in a request, gives the work to a pool, and answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import cleandoc
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, File, HTTPException, Path, Query, Request, Response, UploadFile
from fastapi.routing import APIRoute

from landcover import __version__
from landcover.service.layers import MAX_ZOOM, Layer
from landcover.service.replies import (
    Classification,
    Health,
    LayerFacts,
    Layers,
    LegendEntry,
    Point,
    problems,
)
from landcover.service.state import State


class _Route(APIRoute):
    """A route whose title is the first line of its description, not its function's name."""

    def __init__(self, path: str, endpoint: Callable, **settings: Any) -> None:
        summary, _, rest = (endpoint.__doc__ or "").partition("\n")
        settings |= {"summary": summary, "description": cleandoc(rest)}
        super().__init__(path, endpoint, **settings)


router = APIRouter(route_class=_Route, responses=problems(400))
Found = TypeVar("Found")

_REFUSED_UPLOAD = problems(404, 408, 413, 422, 429, 503)
Upload = Annotated[UploadFile, File(description="The image")]
Place = Annotated[int, Path(ge=0, lt=2**MAX_ZOOM)]


def _state(request: Request) -> State:
    return request.app.state.landcover


def _look_up(table: Mapping[str, Found], name: str, what: str) -> Found:
    """An entry of a table made at the start."""
    if name not in table:
        held = ", ".join(table) or "none at all"
        raise HTTPException(404, f"there is no {what} {name[:80]!r}; there is {held}")
    return table[name]


@router.get("/health")
async def health(request: Request) -> Health:
    """Whether the service is up, and what it holds."""
    state = _state(request)
    classifier = state.classify.classifier if state.classify else None
    return Health(
        status="ok",
        version=__version__,
        run=state.run,
        classifier=classifier.name if classifier else None,
        bands=list(classifier.bands) if classifier else [],
        models=list(state.predict),
    )


@router.post("/classify", responses=_REFUSED_UPLOAD)
async def classify(request: Request, file: Upload) -> Classification:
    """The class of an image, and the probability of every class.

    The image is a JPEG, PNG or GeoTIFF. Pictures, and GeoTIFFs of three 8-bit bands, are taken as
    true colour in which 255 is a reflectance of 0.275; other GeoTIFFs by the names of their bands.
    """
    state = _state(request)
    if state.classify is None:
        raise HTTPException(
            404,
            f"run {state.run} has no model that classifies images; start the service with: "
            "landcover serve RUN --classifier MODEL_FOLDER",
        )
    content = await file.read()
    work = partial(state.classify, content, state.limits.pixels, state.uploads.until())
    found = await state.uploads.run(work)
    return Classification(**found)


@router.post(
    "/predict",
    response_class=Response,
    responses=_REFUSED_UPLOAD
    | {
        200: {
            "description": "Class codes, uint16, on the grid of the image; 0 is nodata. "
            "Colour table inside, class names as tags CLASS_<code> of the band",
            "content": {"image/tiff": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def predict(
    request: Request,
    file: Upload,
    model: Annotated[
        str | None, Query(description="One of `models` in /health; the first by default")
    ] = None,
) -> Response:
    """The class of every pixel of a small georeferenced GeoTIFF with the bands of the model."""
    state = _state(request)
    name = next(iter(state.predict), "") if model is None else model
    labelled = _look_up(state.predict, name, "pixel model")
    content = await file.read()
    work = partial(labelled, content, state.limits.pixels, state.uploads.until())
    raster = await state.uploads.run(work)
    return Response(raster, media_type="image/tiff")


@router.get("/layers")
async def layers(request: Request) -> Layers:
    """The layers of the map, their bounds and legends."""
    state = _state(request)
    facts = [_facts(name, layer) for name, layer in state.layers.items()]
    return Layers(run=state.run, layers=facts)


def _facts(name: str, layer: Layer) -> LayerFacts:
    legend = None
    if layer.legend is not None:
        legend = [
            LegendEntry(code=c.code, name=c.name, colour=c.hex_colour) for c in layer.legend.classes
        ]
    return LayerFacts(
        name=name,
        title=layer.title,
        bounds=layer.bounds,
        min_zoom=layer.zooms[0],
        max_zoom=layer.zooms[1],
        legend=legend,
        outside_share=layer.outside_share,
        days=list(layer.days),
    )


@router.get(
    "/tiles/{layer}/{z}/{x}/{y}.png",
    response_class=Response,
    responses=problems(404, 422, 429, 503)
    | {
        200: {
            "description": "256 x 256 pixels of the web-mercator pyramid; transparent where nodata",
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def tile(
    request: Request,
    layer: Annotated[str, Path(description="Name of a layer, from /layers")],
    z: Annotated[int, Path(ge=0, le=MAX_ZOOM)],
    x: Place,
    y: Place,
) -> Response:
    """A tile of a layer."""
    state = _state(request)
    drawn = _look_up(state.layers, layer, "layer")
    if max(x, y) >= 2**z:
        raise HTTPException(404, f"zoom {z} has no tile {x}/{y}; it has 2^{z} a side")
    with state.views.seat():
        picture = await state.views.run(partial(drawn.tile, z, x, y))
    return Response(picture, media_type="image/png", headers={"Cache-Control": "max-age=60"})


@router.get(
    "/point",
    responses=problems(422, 429, 503),
)
async def point(
    request: Request,
    lon: Annotated[float, Query(ge=-180, le=180, description="Degrees east")],
    lat: Annotated[float, Query(ge=-90, le=90, description="Degrees north")],
) -> Point:
    """The classes at a place."""
    state = _state(request)
    held = {name: layer for name, layer in state.layers.items() if layer.legend is not None}

    def look() -> dict:
        return {name: layer.at(lon, lat) for name, layer in held.items()}

    with state.views.seat():
        return Point(lon=lon, lat=lat, classes=await state.views.run(look))


@router.get("/", include_in_schema=False)
async def page(request: Request) -> Response:
    """The page."""
    return _asset(request, "index.html")


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The OpenAPI, to read and try."""
    return _asset(request, "docs.html")


@router.get("/static/{name:path}", include_in_schema=False)
async def static(request: Request, name: str) -> Response:
    """A file of the page."""
    return _asset(request, name)


def _asset(request: Request, name: str) -> Response:
    asset = _look_up(_state(request).assets, name, "file")
    headers = {"ETag": asset.tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == asset.tag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
