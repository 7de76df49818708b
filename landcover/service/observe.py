"""Security headers of every response, and its line in the log."""

from __future__ import annotations

import logging
import time

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from landcover.progress import say

#: Longest address in the log, characters.
_LOGGED = 200

#: A page may load from here alone. Pictures may also come from the page itself: a dropped image is
#: shown from memory (blob:), and style sheets carry icons (data:).
HEADERS = {
    b"content-security-policy": (
        b"default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
        b"form-action 'self'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}


class Observe:
    """ASGI middleware that adds `HEADERS` to every response and logs it in one line."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its response back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, sent = time.perf_counter(), 0, 0

        async def noted(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *HEADERS.items()]}
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception:  # a fault of the service: details go to the log, not to the client
            logging.getLogger(__name__).exception("%s failed", _address(scope))
            if not status:
                failed = JSONResponse({"detail": "the service failed; its log says why"}, 500)
                await failed(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - started
            at = time.strftime("%Y-%m-%d %H:%M:%S")
            said = f"{status} {sent} B {1000 * seconds:.0f} ms"
            say(f"{at} {scope['method']} {_address(scope)} {said}")


def _address(scope: Scope) -> str:
    """Path and query as received, percent-encoded, so that they cannot forge a line of the log."""
    query = scope["query_string"]
    raw = (scope.get("raw_path") or scope["path"].encode()) + (b"?" + query if query else b"")
    text = raw.decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else "." for c in text)[:_LOGGED]
