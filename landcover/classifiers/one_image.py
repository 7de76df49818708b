"""What classifiers of one image share."""

from __future__ import annotations

import numpy as np

from landcover.files.rasters import valid_pixels


class OfOneImage:
    """A classifier of one image: a pixel is valid where every band has a value."""

    cell_px = 1

    @property
    def radius(self) -> int:
        """Pixels around a pixel that its prediction depends on."""
        return 0

    def valid(self, image: np.ndarray) -> np.ndarray:
        """Which pixels (rows, cols) have a value in every band, without the padding."""
        return valid_pixels(image, self.radius)
