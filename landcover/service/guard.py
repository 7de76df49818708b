"""Checks of incoming requests: host, place in the queue, bytes and time of the body."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress

from fastapi import HTTPException
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landcover.service.limits import MIB, Limits
from landcover.service.pool import Pool

#: The rest of a refused body is read and discarded, up to this time and number of bytes.
_READ_ON_S = 2.0
_READ_ON_BYTES = 64 * MIB


class Guard:
    """ASGI middleware that refuses a request before it can cost anything.

    An upload takes its seat before its body is read, so there are never more bodies in memory
    than seats. The length of a body is checked while it is received: the declared length may be
    wrong, and a chunked body declares none.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    limits : Limits
        Bounds.
    uploads : Pool
        Whose seats uploads take.
    hosts : collection of str, optional
        Names that the service answers to; any where None. A page elsewhere whose name was made to
        point here (DNS rebinding) sends its own name and is refused.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, uploads: Pool, hosts: Collection[str] | None = None
    ) -> None:
        self.app = app
        self.limits = limits
        self.uploads = uploads
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if scope["method"] == "POST":
            upload = _Upload(receive, send, self.limits, waits=b"expect" in headers)
            receive, send = upload.receive, upload.send
        try:
            self._check_host(headers)
            if scope["method"] != "POST":
                await self.app(scope, receive, send)
                return
            with self.uploads.seat():
                self._check_length(headers)
                await self.app(scope, receive, send)
        except HTTPException as refusal:
            await answer(refusal)(scope, receive, send)

    def _check_host(self, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.split(":")[0]
        if self.hosts is not None and name not in self.hosts:
            raise HTTPException(
                400, f"host {name[:80]!r} is not served; ask for one of {', '.join(self.hosts)}"
            )

    def _check_length(self, headers: dict[bytes, bytes]) -> None:
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.limits.upload_bytes:
            raise _too_large(self.limits)


class _Upload:
    """A body that ends at so many bytes and seconds, and an answer that waits for its end.

    A client that still sends when the connection closes may lose the answer. So before an answer
    begins, the rest of the body is read and discarded, within bounds.

    Parameters
    ----------
    receive, send : ASGI callables
        Of the request.
    limits : Limits
        Bounds of the body.
    waits : bool
        Whether the client sends nothing before it is asked to (Expect: 100-continue).
    """

    def __init__(self, receive: Receive, send: Send, limits: Limits, waits: bool) -> None:
        self._receive = receive
        self._send = send
        self._limits = limits
        self._until = asyncio.get_running_loop().time() + limits.timeout_s
        self._bytes = 0
        self._begun = not waits
        self._ended = False

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._next()
        except TimeoutError:
            raise HTTPException(
                408,
                f"the upload took more than {self._limits.timeout_s:g} s; send a smaller one",
            ) from None
        if self._bytes > self._limits.upload_bytes:
            raise _too_large(self._limits)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._let_finish()
        await self._send(message)

    async def _next(self) -> Message:
        self._begun = True
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        self._ended = not message.get("more_body")
        return message

    async def _let_finish(self) -> None:
        most = self._bytes + _READ_ON_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(_READ_ON_S):
                while self._begun and not self._ended and self._bytes < most:
                    await self._next()


def _too_large(limits: Limits) -> HTTPException:
    return HTTPException(
        413,
        f"the upload is larger than {limits.upload_bytes / MIB:g} MiB, the most that is taken; "
        "cut it out or compress it first",
    )


def answer(refusal: StarletteHTTPException) -> JSONResponse:
    """A refusal as every client gets it: {"detail": one line}."""
    detail = " ".join(str(refusal.detail).split())
    return JSONResponse({"detail": detail}, refusal.status_code, refusal.headers)
