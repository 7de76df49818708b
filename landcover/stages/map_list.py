"""What a list of products stands for: paths, text files of paths, and tables with labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from landcover.errors import InputError, MissingProduct
from landcover.files.class_tables import read_csv
from landcover.files.texts import read_text
from landcover.run import Run
from landcover.sources.safe_layout import holds_metadata

#: Columns of a table: the product, and what its map is scored by.
COLUMNS = ("product", "labels", "reference", "scheme")
_TAKEN = "give products (X.SAFE or X.zip), run folders, or text files with one such path a line"


@dataclass(frozen=True)
class Listed:
    """One line of a list.

    Attributes
    ----------
    product : Path
        A SAFE product, zipped or not, or a run folder with a scene.
    labels, reference : Path, optional
        Class rasters that the map is scored by.
    scheme : str, optional
        What their values mean, where they do not say it.
    """

    product: Path
    labels: Path | None = None
    reference: Path | None = None
    scheme: str | None = None

    @property
    def truths(self) -> list[Path]:
        """The class rasters."""
        return [path for path in (self.labels, self.reference) if path is not None]


@dataclass(frozen=True)
class Item:
    """One product of the list.

    Attributes
    ----------
    listed : Listed
        As given.
    run : Run
        Where it is mapped.
    """

    listed: Listed
    run: Run

    @property
    def source(self) -> Path:
        """The product as given."""
        return self.listed.product

    @property
    def prepared(self) -> bool:
        """Whether it was given as a run folder."""
        return self.source == self.run.path


def items_of(paths: Iterable[Path], folder: Path) -> list[Item]:
    """What a list of paths stands for, in order, each once.

    Raises
    ------
    InputError, MissingProduct
        If a path is none of the things that can be mapped, two products have one name, or a table
        has other columns or names what is not there.
    """
    items: dict[Path, Item] = {}
    for listed in _listed(paths):
        item = _item(listed, folder)
        other = items.setdefault(item.run.path.resolve(), item)
        if other.source.resolve() != item.source.resolve():
            raise InputError(
                f"{other.source} and {item.source} would both be mapped into {item.run.path}; "
                "map them with different out="
            )
    if not items:
        raise InputError("the list of products is empty; give at least one product")
    return list(items.values())


def _item(listed: Listed, folder: Path) -> Item:
    path = listed.product
    if (path / "scene.tif").is_file():
        if listed.truths:
            raise InputError(
                f"{path} is a run folder, which has labels of its own or none, and the table gives "
                f"{listed.truths[0]}; prepare it again with landcover prep --labels, or leave the "
                "cell empty"
            )
        return Item(listed, Run(path))
    if path.is_file() or holds_metadata(path):
        for raster in listed.truths:
            if not raster.is_file():
                raise MissingProduct(
                    f"{raster} does not exist, which the map of {path} is to be scored by; check "
                    "the path in the table"
                )
        return Item(listed, Run(folder / path.resolve().stem))
    raise InputError(
        f"{path} is neither a product (X.SAFE with its MTD_MSIL*.xml, or X.zip) nor a run "
        "folder with a scene.tif; give such paths, or a text file with one a line"
    )


def _listed(paths: Iterable[Path]) -> Iterator[Listed]:
    """Lines of a list; those of a file in the place of the file."""
    for path in paths:
        if not path.is_file() or path.suffix.lower() == ".zip":
            yield Listed(path)
        elif path.suffix.lower() == ".csv":
            yield from _of_table(path)
        else:
            lines = read_text(path, "text file", _TAKEN).splitlines()
            for line in map(str.strip, lines):
                if line and not line.startswith("#"):
                    yield Listed(Path(line))


def _of_table(path: Path) -> Iterator[Listed]:
    """The rows of a CSV with headings."""
    taken = f"give a CSV with the columns {', '.join(COLUMNS)}, of which product is needed"
    for line, row in read_csv(path):
        unknown = [name for name in row if name not in COLUMNS]
        if unknown or "product" not in row:
            wrong = f"has the column {unknown[0]!r}" if unknown else "has no column product"
            raise InputError(f"{path} {wrong}; {taken}")
        if not row["product"]:
            raise InputError(f"{path}, line {line}, names no product; {taken}")
        held = {name: Path(row[name]) for name in COLUMNS[:3] if row.get(name)}
        yield Listed(
            held["product"], held.get("labels"), held.get("reference"), row.get("scheme") or None
        )
