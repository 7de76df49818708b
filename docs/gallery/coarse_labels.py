"""
Coarse labels, refined
======================

CORINE draws areas of 25 ha and more. Its labels are generalised here in the same way, and are then
refined by what the image shows. The truth says what was gained and what is still wrong.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import landcover as lc
from landcover.reports.figures import class_key, class_picture, true_colour

# %%
# A run of coarse labels alone. The truth is not given to it.
folder = Path(tempfile.mkdtemp())
land = lc.make_scene(360, 480, seed=7)
lc.write(folder / "scene.tif", land.image, land.grid, land.bands)
lc.write(folder / "corine.tif", land.corine, land.corine_grid, ["CLC grid code"], nodata=0)
tiles = lc.open_bands([folder / "scene.tif"], quantification=1)
run = lc.prepare(folder / "run", bands=tiles, labels=folder / "corine.tif")
lc.segment(run)
lc.sample(run, samples=6_000)
found = lc.denoise(run)

# %%
# Where labels are dark in the last picture, they are doubted.
corine = lc.Legend.corine()
legend = corine.subset(np.unique(land.truth))
labels, refined = (lc.read(path)[0] for path in (run.labels, run.refined_labels))
confidence = lc.read(run.label_confidence)[0]


def right(codes: np.ndarray) -> str:
    """The share of pixels whose class is the true one."""
    return f"{100 * np.mean(codes == land.truth):.1f} % right"


figure, panels = plt.subplots(2, 3, figsize=(11, 6.4), layout="constrained")
pictures = {
    "The scene": true_colour(land.image, land.bands),
    f"Coarse labels: {right(labels)}": class_picture(labels, corine),
    f"Refined labels: {right(refined)}": class_picture(refined, corine),
    "The truth": class_picture(land.truth, corine),
}
panels = list(panels.flat)
for panel, (title, picture) in zip(panels, pictures.items(), strict=False):
    panel.imshow(picture, interpolation="nearest")
    panel.set_title(title, fontsize=9, loc="left")
shown = panels[4].imshow(confidence, cmap="cividis", vmin=0, vmax=100)
panels[4].set_title("How probable the coarse label is, %", fontsize=9, loc="left")
figure.colorbar(shown, cax=panels[5].inset_axes((0.05, 0, 0.05, 0.9)))
class_key(figure, legend)
for panel in panels:
    panel.set_axis_off()
plt.show()
