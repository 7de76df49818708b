"""Tables of text as people write them: comma, semicolon or tab, and whatever case of heading."""

from __future__ import annotations

import csv
from pathlib import Path

from landcover.errors import InputError, reading_error


def read_csv(path: str | Path) -> list[tuple[int, dict[str, str]]]:
    """Line number and fields of each row of a table, by its headings in lower case.

    Parameters
    ----------
    path : path
        UTF-8 text whose first line holds the headings. The delimiter is the comma, semicolon
        or tab that the headings hold most of. Empty lines are left out, and a ``#`` is no
        comment: colours begin with it.

    Raises
    ------
    InputError, MissingProduct
        If the file is missing, is no text, has no headings or one of them twice, or has a row
        of another number of fields.
    """
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise reading_error(error)(
            f"{path} cannot be read as a table ({cause}); give a CSV"
        ) from None
    lines = text.splitlines()
    first = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=max(",;\t", key=first.count))
    headings = [heading.strip().lower() for heading in next(reader, [])]
    if not any(headings):
        raise InputError(f"{path} is empty; give a CSV whose first line names the columns")
    twice = next((name for name in headings if headings.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path} has the column {twice!r} twice; name each column once")
    found = []
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                if len(fields) != len(headings):
                    raise InputError(
                        f"{path}, line {reader.line_num}, has {len(fields)} fields under "
                        f"{len(headings)} headings; put text that holds the delimiter in quotes"
                    )
                row = dict(zip(headings, (field.strip() for field in fields), strict=True))
                found.append((reader.line_num, row))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; give a CSV") from None
    return found
