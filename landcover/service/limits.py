"""Limits of one request, and of all requests together."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds of the service.

    Attributes
    ----------
    upload_bytes : int
        Largest body of a request.
    pixels : int
        Largest image, rows x cols, however small its file.
    timeout_s : float
        Longest time to receive a body, and again to work on it.
    workers : int
        Images worked on at once; each takes a thread.
    waiting : int
        Uploads that may wait beside them; further ones are refused.
    tiles_waiting : int
        The same for tiles and points of the map, which are small and many.
    connections : int
        Open connections.
    idle_s : float
        A connection on which no request begins or runs for this long is closed.
    """

    upload_bytes: int = 32 * MIB
    pixels: int = 4_000_000
    timeout_s: float = 30.0
    workers: int = 2
    waiting: int = 64
    tiles_waiting: int = 256
    connections: int = 512
    idle_s: float = 30.0
