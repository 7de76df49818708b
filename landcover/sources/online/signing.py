"""Signatures of addresses: tokens that a service gives for a collection, and that expire."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

from landcover.errors import InputError
from landcover.files.http import Web, shown

#: A token is not used in its last seconds.
_MARGIN_S = 60.0
#: How long a token is used that does not say when it ends.
_UNSAID_S = 600.0


class Tokens:
    """Signs addresses of one collection with a token, which is asked for again when it ends.

    A service gives a token as JSON, ``token`` and ``msft:expiry``, as Microsoft's Planetary
    Computer does (https://planetarycomputer.microsoft.com/docs/concepts/sas).

    Parameters
    ----------
    web : Web
        The session.
    url : str
        Where the token of the collection is given.
    hosts : str
        What the names of hosts end in that a token is sent to; all for "".
    """

    def __init__(self, web: Web, url: str, hosts: str = "") -> None:
        self._web, self._url, self._hosts = web, url, hosts
        self._token, self._until = "", 0.0
        self._lock = threading.Lock()

    def sign(self, url: str, renew: bool) -> str:
        """An address with a token; a new one where it was refused.

        Addresses of other hosts, and those that have a query of their own, stay as they are.
        """
        parts = urlsplit(url)
        if parts.query or not (parts.hostname or "").endswith(self._hosts):
            return url
        with self._lock:
            if renew or time.time() > self._until:
                self._ask()
            return f"{url}?{self._token}"

    def _ask(self) -> None:
        answer = self._web.json(self._url)
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not token:
            raise InputError(f"{shown(self._url)} gave no token; choose another catalogue")
        self._token = token.lstrip("?")
        self._until = time.time() + _UNSAID_S
        ends = answer.get("msft:expiry") if isinstance(answer, dict) else None
        try:
            moment = datetime.fromisoformat(str(ends))
        except ValueError:
            return
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        self._until = moment.timestamp() - _MARGIN_S
