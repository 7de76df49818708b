"""The application: endpoints, errors as one line of JSON, and the middleware of all requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import cast

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from landcover import __version__
from landcover.errors import LandcoverError
from landcover.service.guard import Guard, answer
from landcover.service.observe import Observe
from landcover.service.routes import router
from landcover.service.state import State


def create_app(state: State, hosts: Collection[str] | None = None) -> FastAPI:
    """The service as an ASGI application.

    Parameters
    ----------
    state : State
        From `landcover.service.state.load`; closed when the application ends.
    hosts : collection of str, optional
        Names that it answers to; any where None.
    """
    app = FastAPI(
        title="landcover",
        version=__version__,
        description="Classify an image, label a small raster, look at maps side by side.",
        docs_url=None,  # our own page, whose JavaScript is served from here
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.landcover = state
    app.include_router(router)
    app.add_exception_handler(StarletteHTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(LandcoverError, _unusable)
    app.add_middleware(Guard, limits=state.limits, uploads=state.uploads, hosts=hosts)
    app.add_middleware(Observe)  # the last one added comes first
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.landcover.close()


async def _refused(_: Request, error: Exception) -> JSONResponse:
    return answer(cast("StarletteHTTPException", error))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """What was wrong with a request's parts, in one line instead of pydantic's list."""
    wrong = "; ".join(
        f"{'.'.join(map(str, part['loc']))}: {part['msg']}"
        for part in cast("RequestValidationError", error).errors()[:3]
    )
    return answer(HTTPException(422, f"{wrong}; see /docs"))


async def _unusable(_: Request, error: Exception) -> JSONResponse:
    return answer(HTTPException(422, str(error)))
