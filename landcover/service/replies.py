"""Schemas of the answers, for OpenAPI."""

from __future__ import annotations

from pydantic import BaseModel, Field

from landcover.files.atomic import Fields


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str = Field(description="One line: the value, the rule it breaks, the remedy")


class Health(BaseModel):
    """What the service holds."""

    status: str
    version: str
    run: str
    classifier: str | None = Field(description="Model behind /classify")
    bands: list[str] = Field(description="That it needs; pictures have B04, B03 and B02")
    models: list[str] = Field(description="Models behind /predict; the first is the default")


class Classification(BaseModel):
    """The class of an image."""

    type: str = Field(alias="Type", description="The most probable class")
    probabilities: dict[str, float] = Field(description="Of every class; they sum to 1")
    model: str
    notes: list[str] = Field(description="What of the image was left out or looks wrong")


class LegendEntry(BaseModel):
    """A class of a layer."""

    code: int
    name: str
    colour: str = Field(description="#rrggbb")


class LayerFacts(BaseModel):
    """A layer of the map."""

    name: str = Field(description="As in /tiles/{layer}/{z}/{x}/{y}.png")
    title: str
    bounds: tuple[float, float, float, float] = Field(description="West, south, east, north")
    min_zoom: int
    max_zoom: int = Field(description="Deeper tiles show the same pixels, larger")
    legend: list[LegendEntry] | None = Field(description="null for the scene and its dates")
    outside_share: float | None = Field(
        description="Share of a map outside its model's area of applicability, 0 to 1; null where "
        "that was not mapped"
    )
    days: list[str] = Field(
        description="That it shows, where the run has several: one of a date, several of the map "
        "of a sequence"
    )


class Layers(BaseModel):
    """The layers of the run."""

    run: str
    layers: list[LayerFacts]


class ClassAt(BaseModel):
    """A class at a place."""

    code: int
    name: str
    confidence: int | None = Field(description="Percent; null where the layer has none")
    dissimilarity: int | None = Field(
        description="Percent of the threshold up to which the place lies inside the model's area "
        "of applicability; null where that was not mapped"
    )


class Point(BaseModel):
    """What the class layers hold at a place."""

    lon: float
    lat: float
    classes: dict[str, ClassAt | None] = Field(description="By layer; null where there is none")


_REASONS = {
    400: "The body is no form, or the host is not served",
    404: "There is no such thing",
    408: "The upload took too long",
    413: "The upload is too large",
    422: "The content cannot be used",
    429: "Too many requests at once; Retry-After says when to come again",
    503: "The work took too long; Retry-After says when to come again",
}


def problems(*codes: int) -> dict[int | str, Fields]:
    """Refusals of an endpoint for OpenAPI."""
    return {code: {"model": Problem, "description": _REASONS[code]} for code in codes}
