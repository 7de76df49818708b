"""
Where a map is guessing
=======================

A model maps a scene that it was not trained for. The area of applicability says which pixels are
like those that it has learnt from.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import landcover as lc
from landcover.reports.figures import class_key, class_picture, true_colour

# %%
# A forest learns clear land. The second scene is other land, under haze.
folder = Path(tempfile.mkdtemp())
runs = []
for name, land in {
    "clear": lc.make_scene(300, 400, seed=7),
    "hazy": lc.make_scene(300, 400, seed=9, haze=0.12),
}.items():
    lc.write(folder / f"{name}.tif", land.image, land.grid, land.bands)
    lc.write(folder / f"{name}_labels.tif", land.truth, land.grid, ["class"], nodata=0)
    runs.append(
        lc.prepare(
            folder / name,
            bands=lc.open_bands([folder / f"{name}.tif"], quantification=1),
            labels=folder / f"{name}_labels.tif",
        )
    )
lc.sample(runs[0], samples=6_000)
model = lc.train(runs[0], "random-forest", denoise="none", random_split=False)

# %%
# Both maps, and what lies outside of what the model knows.
legend = lc.Legend.corine()
figure, panels = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
for row, run in zip(panels, runs, strict=True):
    path = lc.map_scene(run, model, applicability=True)
    codes, outside = lc.read(path)[0], lc.read(run.applicability(path.stem))[0]
    truth = lc.read(run.labels)[0]
    wrong = np.mean(codes[truth > 0] != truth[truth > 0])
    image = true_colour(lc.read(run.scene), ("B02", "B03", "B04", "B08"))
    row[0].imshow(image)
    row[0].set_title(f"the {run.path.name} scene", fontsize=9, loc="left")
    row[1].imshow(class_picture(codes, legend), interpolation="nearest")
    row[1].set_title(f"its map: {100 * wrong:.0f} % wrong", fontsize=9, loc="left")
    shown = row[2].imshow(outside, cmap="magma", vmin=0, vmax=200, interpolation="nearest")
    row[2].set_title("how far from what was learnt; above 100: outside", fontsize=9, loc="left")
    figure.colorbar(shown, ax=row[2], shrink=0.8)
    for panel in row:
        panel.set_axis_off()
class_key(figure, legend.subset(np.unique([lc.read(run.labels) for run in runs])))
plt.show()
