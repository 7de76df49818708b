"""
Three ways to a map
===================

A random forest, an MLP with segment types and a patch CNN learn the same coarse labels. The truth,
which none of them has seen, stands beside their maps.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import landcover as lc
from landcover.reports.figures import class_key, class_picture, true_colour

# %%
# Land of 3.6 x 4.8 km and labels that are generalised as CORINE's are: regions below 25 ha are
# merged into their neighbours.
folder = Path(tempfile.mkdtemp())
land = lc.make_scene(360, 480, seed=7)
lc.write(folder / "scene.tif", land.image, land.grid, land.bands)
lc.write(folder / "corine.tif", land.corine, land.corine_grid, ["CLC grid code"], nodata=0)
lc.write(folder / "truth.tif", land.truth, land.grid, ["class"], nodata=0)

# %%
# The whole job: a run folder, samples in blocks, three models, their maps and scores.
run = lc.prepare(
    folder / "run",
    bands=lc.open_bands([folder / "scene.tif"], quantification=1),
    labels=folder / "corine.tif",
    reference=folder / "truth.tif",
)
lc.segment(run)
lc.sample(run, samples=6_000)
models = [
    lc.train(run, "random-forest", random_split=False),
    lc.train(run, "mlp", epochs=25, random_split=False),
    lc.train(run, "cnn", patch_size=7, epochs=25, random_split=False),
]
maps = [lc.map_scene(run, model) for model in models]
comparison = lc.compare(run)

# %%
# Accuracy is that of the test blocks against the truth. It is lower than the eye expects: most
# errors lie along borders.
corine = lc.Legend.corine()
legend = corine.subset(np.unique(land.truth))
accuracy = {
    row["name"]: row["scores"]["reference"]["overall_accuracy"] for row in comparison["models"]
}
pictures = {
    "The scene": true_colour(land.image, land.bands),
    "What the models learn from": class_picture(lc.read(run.labels)[0], corine),
    "The truth": class_picture(land.truth, corine),
}
for model, path in zip(models, maps, strict=True):
    title = f"{model.title}: {100 * accuracy[model.name]:.1f} % right"
    pictures[title] = class_picture(lc.read(path)[0], corine)

figure, panels = plt.subplots(2, 3, figsize=(11, 6.4), layout="constrained")
for panel, (title, picture) in zip(panels.flat, pictures.items(), strict=True):
    panel.imshow(picture, interpolation="nearest")
    panel.set_title(title, fontsize=9, loc="left")
    panel.set_axis_off()
class_key(figure, legend)
plt.show()
