"""
Features of a pixel
===================

Models of single pixels see the bands and what is made of them: spectral indices, texture in a
window, relief. Texture tells woods from crops that have the same colour.
"""

import matplotlib.pyplot as plt
import numpy as np

import landcover as lc
from landcover.reports.figures import true_colour

# %%
# Texture looks at pixels around each pixel, so the image is given a margin, without data.
land = lc.make_scene(300, 300, seed=4)
names = ["ndvi", "ndwi", "bi2", "glcm:B08:entropy", "glcm:B08:contrast"]
margin = 10
padded = np.pad(land.image, ((0, 0), (margin, margin), (margin, margin)), constant_values=np.nan)
layers = lc.compute_features(padded, land.bands, names)
left = (layers.shape[1] - land.image.shape[1]) // 2  # of the margin, windows took the rest
layers = layers[:, left : left + 300, left : left + 300]

# %%
# Light is high. The two below are textures of the near infrared in windows of the default size.
figure, panels = plt.subplots(2, 3, figsize=(11, 7), layout="constrained")
panels = list(panels.flat)
panels[0].imshow(true_colour(land.image, land.bands))
panels[0].set_title("the scene", fontsize=9, loc="left")
for panel, name, layer in zip(panels[1:], names, layers, strict=False):
    low, high = np.nanpercentile(layer, (2, 98))
    panel.imshow(layer, cmap="viridis", vmin=low, vmax=high)
    panel.set_title(name, fontsize=9, loc="left")
for panel in panels:
    panel.set_axis_off()
plt.show()
