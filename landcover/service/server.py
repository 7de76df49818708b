"""The service on a port: uvicorn, which closes idle connections."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from landcover.errors import LandcoverError
from landcover.progress import say
from landcover.service.app import create_app
from landcover.service.limits import Limits
from landcover.service.state import State

_LOCAL = ("localhost", "127.0.0.1", "::1")


def serve(state: State, host: str, port: int) -> None:
    """Answer requests until the process is told to stop.

    Parameters
    ----------
    state : State
        What to serve.
    host : str
        Name or address of this machine to listen on.
    port : int
        0 takes a free one.

    Raises
    ------
    LandcoverError
        If the port cannot be opened.
    """
    listener = listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    say(f"http://{shown}:{listener.getsockname()[1]}/ (Ctrl-C ends it)")
    if not _loopback(host):
        say("warning: anyone who can reach this machine can use the service; see docs/service.md")
    server_of(state, host).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets at once (TCP_NODELAY) only where the protocol is named
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
        return listener
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise LandcoverError(
            f"cannot listen on {host} port {port} ({reason}); choose another host= or port="
        ) from None


def server_of(state: State, host: str) -> uvicorn.Server:
    """The server; it takes its sockets when it is run."""
    limits = state.limits
    hosts = {*_LOCAL, host.lower()} if _names_one(host) else None
    config = uvicorn.Config(
        create_app(state, hosts),
        http=_protocol(limits),
        ws="none",
        log_level="warning",
        access_log=False,  # the application says its own line
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def _protocol(limits: Limits) -> type[asyncio.Protocol]:
    """uvicorn's protocol of a connection, with a limit on the wait for a request."""

    class Watched(H11Protocol):
        """A connection that is closed when no request begins or runs for a while."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(cast("asyncio.Transport", transport))
            self._watch(None)

        def _watch(self, seen: RequestResponseCycle | None) -> None:
            self._watching = self.loop.call_later(limits.idle_s, self._close_if_idle, seen)

        def _close_if_idle(self, seen: RequestResponseCycle | None) -> None:
            idle = self.cycle is None or self.cycle.response_complete
            if idle and self.cycle is seen:
                self.transport.close()
            else:
                self._watch(self.cycle)

        def connection_lost(self, exc: Exception | None) -> None:
            self._watching.cancel()
            super().connection_lost(exc)

    return Watched


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names_one(host: str) -> bool:
    """Whether a host is a name or address, and not every address of the machine."""
    return host not in ("", "0.0.0.0", "::")
