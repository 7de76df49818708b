"""Texts that people and other programs write: lists, tables of text, XML."""

from __future__ import annotations

import csv
from pathlib import Path
from xml.etree import ElementTree

from landcover.errors import InputError, reading_error


def read_text(path: Path, kind: str, remedy: str) -> str:
    """The text of a file.

    Parameters
    ----------
    path : path
        The file, UTF-8.
    kind, remedy : str
        What it should be and what to do if it is not, for the message.

    Raises
    ------
    InputError, MissingProduct
        If the file is missing or no text.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise reading_error(error)(f"{path} is no {kind} ({error}); {remedy}") from None


def read_csv(path: Path, kind: str, remedy: str) -> list[list[str]]:
    """The rows of a table of text that are not empty; parameters are those of `read_text`."""
    try:
        return [row for row in csv.reader(read_text(path, kind, remedy).splitlines()) if row]
    except csv.Error as error:
        raise InputError(f"{path} is no {kind} ({error}); {remedy}") from None


def parse_xml(content: bytes, called: str, remedy: str) -> ElementTree.Element:
    """The root of an XML document that has been read; `called` names it in errors.

    Raises
    ------
    InputError
        If it is no XML.
    """
    try:
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # unknown encodings too
        raise InputError(f"{called} is not readable XML ({error}); {remedy}") from None
