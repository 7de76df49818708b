"""
A year of dates
===============

Crops and pastures are alike in one month and unlike in another. A run keeps all dates, each with
its own clouds, and a forest reads them together.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import landcover as lc
from landcover.reports.figures import class_key, class_picture, true_colour

# %%
# Six dates with clouds. Pixels that the mask of a date hides have no data at that date.
folder = Path(tempfile.mkdtemp())
made = lc.make_sequence(seed=3, shape=(220, 220), dates=6, years=(2022,), cloud=0.25)
files = []
for day, image in zip(made.days, made.images, strict=True):
    folder.joinpath(day).mkdir()
    files.append(lc.write(folder / day / "scene.tif", image, made.grid, made.bands, np.nan))
lc.write(folder / "labels.tif", made.reference[0], made.grid, ["class"], nodata=0)
dates = [lc.open_bands([path], quantification=1) for path in files]
run = lc.prepare(folder / "run", dates=dates, labels=folder / "labels.tif")
lc.sample(run, samples=4_000)
model = lc.train(run, "sequence-forest", denoise="none", random_split=False)
mapped = lc.map_scene(run, model)

# %%
# The dates, and the map of all of them.
figure, panels = plt.subplots(2, 4, figsize=(12, 6.8), layout="constrained")
panels = list(panels.flat)
for panel, day, image in zip(panels, made.days, made.images, strict=False):
    panel.imshow(true_colour(image, made.bands))
    panel.set_title(day, fontsize=9, loc="left")
legend = lc.Legend.corine()
for panel, title, codes in (
    (panels[6], "the map of all dates", lc.read(mapped)[0]),
    (panels[7], "the truth", made.reference[0]),
):
    panel.imshow(class_picture(codes, legend), interpolation="nearest")
    panel.set_title(title, fontsize=9, loc="left")
for panel in panels:
    panel.set_axis_off()
class_key(figure, legend.subset(np.unique(made.reference[0])))
plt.show()
