"""
Segments
========

A graph joins each pixel to its eight neighbours; edges join pixels to segments, the weakest first.
A larger scale makes larger segments.
"""

import matplotlib.pyplot as plt
import numpy as np
from skimage.segmentation import mark_boundaries

import landcover as lc
from landcover.reports.figures import true_colour

# %%
# Scale is meant for images that span 0 to 1, so each band is stretched to it first. Segments follow
# fields and woods, and cover the land without gaps.
land = lc.make_scene(300, 300, seed=4)
part = slice(60, 220), slice(60, 220)
brightest = np.percentile(land.image, 98, axis=(1, 2))[:, np.newaxis, np.newaxis]
stretched = np.clip(land.image / brightest, 0, 1)
seen = true_colour(land.image, land.bands)[part]
figure, panels = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
for panel, (scale, min_size) in zip(panels, ((100, 60), (300, 100), (1200, 500)), strict=True):
    segments = lc.felzenszwalb(stretched, scale=scale, min_size=min_size)
    panel.imshow(mark_boundaries(seen, segments[part], color=(1, 0.85, 0), mode="outer"))
    panel.set_title(
        f"scale {scale}, at least {min_size} px: {segments.max():,} segments",
        fontsize=9,
        loc="left",
    )
    panel.set_axis_off()
plt.show()

# %%
# Scale and least size are chosen by eye: a segment should not hold two kinds of land.
