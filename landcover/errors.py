"""The exceptions that users meet, which one an unreadable file takes, and checks of arguments.

The command line catches `LandcoverError` and so all of them. Each of the others is also the
built-in exception that a Python program would expect in its place.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from numbers import Integral


class LandcoverError(Exception):
    """Input or settings that landcover cannot use.

    The message is one line that names the value received, the rule that it
    breaks and the remedy. Commands print it and exit with code 2.

    Examples
    --------
    >>> raise LandcoverError("patch size 4 is even; choose an odd one, such as 5")
    Traceback (most recent call last):
    ...
    landcover.errors.LandcoverError: patch size 4 is even; choose an odd one, such as 5
    """


class InputError(LandcoverError, ValueError):
    """A value or a file that breaks a rule.

    Examples
    --------
    >>> try:
    ...     raise InputError("level 4 does not exist; CORINE has levels 1, 2 and 3")
    ... except ValueError as error:
    ...     print(error)
    level 4 does not exist; CORINE has levels 1, 2 and 3
    """


class MissingProduct(LandcoverError, FileNotFoundError):
    """A file that is not there: one that was given, or one of a run that has not been made yet.

    The message names the command that makes a file of a run.

    Examples
    --------
    >>> from landcover.run import Run
    >>> try:
    ...     Run("runs/new").require("scene")
    ... except FileNotFoundError as error:
    ...     print(str(error).partition(";")[0])
    run folder runs/new does not exist
    """


class MissingDependency(LandcoverError, ImportError):
    """A library of an optional feature that is not installed.

    Examples
    --------
    >>> try:
    ...     raise MissingDependency("ONNX needs onnxruntime; install it: pip install onnxruntime")
    ... except ImportError as error:
    ...     print(error)
    ONNX needs onnxruntime; install it: pip install onnxruntime
    """


def reading_error(error: BaseException) -> type[LandcoverError]:
    """What to raise for a file that could not be read: MissingProduct where it is not there.

    >>> reading_error(FileNotFoundError()).__name__, reading_error(PermissionError()).__name__
    ('MissingProduct', 'InputError')
    """
    return MissingProduct if isinstance(error, FileNotFoundError) else InputError


#: The largest seed that NumPy's generators are given here.
_MOST = 2**63 - 1


def typed(path: str | os.PathLike[str]) -> str:
    """A path as a command in a message has it: in quotes where a shell needs them.

    >>> typed("runs/demo"), typed("my runs/demo")
    ('runs/demo', "'my runs/demo'")
    """
    return shlex.quote(os.fspath(path))


def require_seed(seed: int, most: int = _MOST) -> None:
    """Raise InputError unless a seed is a whole number from 0 to `most`.

    >>> require_seed(-1)
    Traceback (most recent call last):
        ...
    landcover.errors.InputError: seed -1 is out of range; choose a whole number from 0 on
    """
    whole = isinstance(seed, Integral)
    if not whole or not 0 <= seed <= most:
        bounded = most < _MOST or (whole and seed > most)
        allowed = f"0 to {most}" if bounded else "a whole number from 0 on"
        raise InputError(f"seed {seed} is out of range; choose {allowed}")


def require_whole(name: str, value: object, least: int | None = 1) -> None:
    """Raise InputError unless an argument is a whole number, and at least `least`.

    >>> require_whole("epochs", 0)
    Traceback (most recent call last):
        ...
    landcover.errors.InputError: epochs 0 is out of range; give a whole number from 1 on
    """
    if not isinstance(value, Integral) or (least is not None and value < least):
        bound = "" if least is None else f" from {least} on"
        raise InputError(f"{name} {value!r} is out of range; give a whole number{bound}")


def require_among(name: str, value: object, choices: Sequence[str]) -> None:
    """Raise InputError unless an argument is one of several words.

    >>> require_among("precision", "float16", ("auto", "float32"))
    Traceback (most recent call last):
        ...
    landcover.errors.InputError: precision 'float16' is unknown; choose among auto, float32
    """
    if value not in choices:
        raise InputError(f"{name} {value!r} is unknown; choose among {', '.join(choices)}")
