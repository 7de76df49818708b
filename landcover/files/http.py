"""HTTP for what is fetched: retries, timeouts, renewed signatures, and errors in one line.

Addresses come from catalogues, which anybody may run. So only ``http`` and ``https`` are asked,
also after a redirect, and messages show addresses without the part that holds a signature.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from landcover.errors import InputError, LandcoverError, MissingDependency

if TYPE_CHECKING:
    import requests

#: Seconds to wait for a connection, and for the next bytes of an answer.
CONNECT_S, ANSWER_S = 20.0, 60.0
#: How often a request is made before a server's errors count.
TRIES = 5
#: Seconds before the second request; each further pause is twice as long, up to `LONGEST_WAIT_S`.
WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
#: Answers that another request may mend: too many requests, and faults of a server.
PASSING = {408, 429, 500, 502, 503, 504}
#: Answers that mean that a signature is missing or has expired.
UNSIGNED = {401, 403}

#: An address, and whether the signature that it had was refused, to the address to ask.
Sign = Callable[[str, bool], str]


class WebError(LandcoverError):
    """A server that does not give what was asked for.

    Attributes
    ----------
    status : int or None
        Of HTTP; None where no whole answer came.
    """

    def __init__(self, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


def shown(url: str) -> str:
    """An address for messages: without its query, which may hold a signature.

    >>> shown("https://example.com/B04.tif?sig=secret")
    'https://example.com/B04.tif'
    """
    return url.partition("?")[0]


def require_web(url: str, named_by: str) -> str:
    """The address, if it is one of HTTP; files of this machine are none of a catalogue's.

    >>> require_web("file:///etc/passwd", "item A")
    Traceback (most recent call last):
        ...
    landcover.errors.InputError: item A names file:///etc/passwd; only http and https are fetched
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise InputError(f"{named_by} names {shown(url)[:200]}; only http and https are fetched")
    return url


def pause(number: int, asked_s: float = 0.0) -> None:
    """Wait before request `number`, from 1; a server may ask for longer."""
    time.sleep(min(max(WAIT_S * 2 ** (number - 1), asked_s), LONGEST_WAIT_S))


class Web:
    """A session: connections that are kept, and what is asked again.

    Examples
    --------
    >>> web = Web()
    >>> record = web.json("https://zenodo.org/api/records/7711810")  # doctest: +SKIP
    """

    def __init__(self) -> None:
        try:
            import requests
        except ImportError as error:
            raise MissingDependency(
                "fetching needs requests and pystac-client, which are not installed; install them: "
                "pip install 'landcover[fetch]'"
            ) from error
        from landcover import __version__

        self._session = requests.Session()
        self._session.headers.update(
            {"User-Agent": f"landcover/{__version__}", "Accept-Encoding": "identity"}
        )

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_error: object) -> None:
        self._session.close()

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, sign: Sign | None = None
    ) -> requests.Response:
        """The answer to a request, its content not read yet; to be closed by the caller.

        Parameters
        ----------
        url : str
            Of HTTP.
        headers : dict, optional
            Of the request.
        sign : function, optional
            Signs the address; asked again when a server refuses the signature.

        Raises
        ------
        WebError
            With the status, where the server refuses, or fails again and again.
        InputError
            If a redirect leads elsewhere than to HTTP.
        """
        renew = renewed = False
        for number in range(1, TRIES + 1):
            asked = sign(url, renew) if sign else url
            answer, why, wait_s = self._once(asked, dict(headers or {}))
            if answer is not None:
                return answer
            status = why if isinstance(why, int) else None
            if status in UNSIGNED and sign and not renewed:
                renew = renewed = True  # at once: the signature has expired
                continue
            renew = False
            if status is not None and status not in PASSING:
                break
            if number < TRIES:
                pause(number, wait_s)
        raise WebError(f"{shown(url)}: {_in_words(why)}", status)

    def json(self, url: str, sign: Sign | None = None, most_bytes: int = 1 << 24) -> object:
        """What a server says as JSON.

        Raises
        ------
        WebError
            As `get`, and if the answer is no JSON, or larger than `most_bytes`.
        """
        import json

        import requests

        for number in range(1, TRIES + 1):
            text = b""
            try:
                with self.get(url, sign=sign) as answer:
                    for part in answer.iter_content(1 << 16):
                        text += part
                        if len(text) > most_bytes:
                            raise WebError(
                                f"{shown(url)}: the answer is larger than {most_bytes:,} bytes"
                            )
                return json.loads(text)
            except requests.RequestException as error:  # cut off
                why = error
            except ValueError as error:
                raise WebError(f"{shown(url)}: the answer is no JSON ({error})") from None
            if number < TRIES:
                pause(number)
        raise WebError(f"{shown(url)}: {_in_words(why)}")

    def _once(
        self, url: str, headers: dict[str, str]
    ) -> tuple[requests.Response | None, int | Exception, float]:
        """An answer, or the status or error instead, and for how long the server asks to wait."""
        import requests

        try:
            answer = self._session.get(
                url, headers=headers, stream=True, timeout=(CONNECT_S, ANSWER_S)
            )
        except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL) as error:
            raise InputError(
                f"{shown(url)} leads to an address that is none of http and https "
                f"({_first_line(error)}); only these are fetched"
            ) from None
        except requests.RequestException as error:
            return None, error, 0.0
        if answer.status_code < 400 or answer.status_code == 416:
            return answer, answer.status_code, 0.0
        answer.close()
        return None, answer.status_code, _seconds(answer.headers.get("Retry-After"))


def _seconds(text: str | None) -> float:
    """The seconds of a Retry-After; 0 for none, and for a date."""
    return float(text) if text and text.isdecimal() else 0.0


def _in_words(why: int | Exception) -> str:
    """What went wrong, and what to do."""
    import requests

    if isinstance(why, int):
        remedies = {
            401: "the server wants a signature or an account",
            403: "the server refuses it, as it does without a valid signature",
            404: "it is not there",
            410: "it is not there any more",
        }
        said = remedies.get(why, "the server fails" if why >= 500 else "the server refuses it")
        return f"HTTP status {why}: {said}; try again later, or check the address"
    if isinstance(why, requests.Timeout):
        return "the server does not answer in time; run the same command again later"
    return f"no whole answer ({_first_line(why)}); check the network, and run the same command"


def _first_line(error: Exception) -> str:
    """A short text of an error of the library, without the addresses that it repeats."""
    cause: BaseException = error
    while cause.args and isinstance(cause.args[0], BaseException):
        cause = cause.args[0]
    reason = getattr(cause, "reason", None)
    cause = reason if isinstance(reason, BaseException) else cause
    return shown(" ".join(str(cause).split()))[:160] or type(cause).__name__
