"""Classes of square cells of a scene, by a classifier of whole images."""

from __future__ import annotations

from landcover.grid import Grid


def cells_of(grid: Grid, stride_px: int) -> Grid:
    """The grid of cells that covers a grid, from its upper left corner."""
    from affine import Affine

    a, _, west, _, e, north = grid.transform[:6]
    return Grid(
        grid.crs,
        Affine(a * stride_px, 0, west, 0, e * stride_px, north),
        -(-grid.rows // stride_px),
        -(-grid.cols // stride_px),
    )
