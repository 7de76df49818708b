# SPDX-License-Identifier: GPL-2.0-or-later
#
# This program is free software; you can redistribute it and/or modify it under the terms of the
# GNU General Public License as published by the Free Software Foundation; either version 2 of the
# License, or (at your option) any later version. See the file LICENSE beside this one.
"""All algorithms, a row each: the commands that they call and what these take.

Nothing here needs QGIS.
"""

from __future__ import annotations

from landcover_qgis.command import Parameter, Row

#: What `landcover train` calls the kinds of models. `estimator`, which is any class of
#: scikit-learn by its import path, is for people who write code.
MODEL_KINDS = (
    "random-forest", "knn", "extra-trees", "hist-gradient-boosting", "lightgbm", "svm",
    "logistic-regression", "nearest-centroid", "mlp", "cnn", "sequence-forest", "ltae",
    "ltae-segments", "tempcnn", "unet", "unet-convlstm",
)  # fmt: skip
#: Kinds that are not mapped after training.
NOT_MAPPED = ("cnn",)
#: Kinds that take a number of epochs, and a patch size.
WITHOUT_EPOCHS = tuple(
    kind for kind in MODEL_KINDS
    if kind not in ("mlp", "cnn", "ltae", "ltae-segments", "tempcnn", "unet", "unet-convlstm")
)  # fmt: skip
WITHOUT_PATCH = tuple(kind for kind in MODEL_KINDS if kind != "cnn")
DENOISE = ("none", "erode", "confident", "prior", "transition", "average", "refine")
METHODS = ("uniform", "stratified")
PRECISIONS = ("auto", "float32")

_RUN = Parameter(
    "RUN", "run", "Run folder", help="The folder that prep wrote.", optional=False
)  # fmt: skip
_SEED = Parameter(
    "SEED", "whole", "Seed", "--seed", "Of every random draw.", default=0, basic=False
)  # fmt: skip
_SCALE = Parameter(
    "SCALE", "number", "Scale of segments", "--scale", "Larger makes larger segments.",
    default=1200.0, basic=False,
)  # fmt: skip
_SEGMENTATION = (
    _SCALE,
    Parameter(
        "SIGMA", "number", "Smoothing before segmenting (pixels)", "--sigma",
        "Whatever the size of pixels.", default=0.5, basic=False,
    ),
    Parameter(
        "MIN_SIZE", "whole", "Smallest segment (pixels)", "--min-size",
        "500 pixels are 5 ha where they are 10 m wide.", default=500, least=1, basic=False,
    ),
)  # fmt: skip
_SAMPLING = (
    Parameter(
        "SAMPLES", "whole", "Number of samples", "--samples", "How many labelled pixels to draw.",
        default=40000, least=1,
    ),
    Parameter(
        "METHOD", "choice", "How samples are drawn", "--method",
        "Stratified draws equally from every class for training; testing is always uniform.",
        default="uniform", choices=METHODS, basic=False,
    ),
    Parameter(
        "MIN_COUNT", "whole", "Fewest labelled pixels of a class", "--min-count",
        "Classes with fewer are left out.", default=50, basic=False,
    ),
    Parameter(
        "MAX_PATCH", "whole", "Largest patch that will be trained (pixels)", "--max-patch",
        "Sets how far test pixels are kept from training pixels.", least=1, basic=False,
    ),
)  # fmt: skip
_POLYGONS = (
    Parameter(
        "POLYGONS", "vector", "Training polygons", "--polygons",
        "Samples are drawn inside them only.",
    ),
    Parameter(
        "CLASS_FIELD", "field", "Field with classes", "--class-field",
        "Codes or names of classes. They lead over the labels where polygons lie.", of="POLYGONS",
    ),
)  # fmt: skip

PREP = Row(
    "prep",
    "1 Prepare a scene",
    "Bring band files or a Sentinel-2 product to a scene, its labels and samples, in a run "
    "folder. Without any source the demo scene is drawn.",
    (
        Parameter(
            "BANDS", "rasters", "Band files", "--bands",
            "B02 B03 B04 B08 in any order, or a stacked file; files say what they are.",
        ),
        Parameter(
            "PRODUCT", "folder", "Or a Sentinel-2 product (folder X.SAFE)", "--product",
            "Of level 1C or 2A.",
        ),
        Parameter(
            "ARCHIVE", "file", "Or a Sentinel-2 product (archive X.zip)", "--product",
            "It is read in place.",
        ),
        Parameter(
            "LABELS", "raster", "Coarse labels", "--labels", "Such as CORINE, on any grid."
        ),
        Parameter(
            "REFERENCE", "raster", "Better labels", "--reference",
            "Reports give the scores against them first.",
        ),
        *_POLYGONS,
        Parameter("AREA", "vector", "Area of interest (polygons)", "--aoi", "What to keep."),
        Parameter("EXTENT", "extent", "Or an extent", "--bbox", "What to keep."),
        Parameter(
            "SEGMENT", "on", "Segment the scene too", "--segment",
            "Models of segment types need it.", default=False,
        ),
        Parameter(
            "OVERWRITE", "on", "Replace a run of another scene", "--overwrite",
            "Removes what was made of it.", default=False,
        ),
        Parameter(
            "SCHEME", "text", "Scheme of the labels", "--scheme",
            "corine, corine-grid, worldcover, ... or a table of your own classes (CSV); by "
            "default the values tell.", basic=False,
        ),
        Parameter(
            "LEVEL", "whole", "Level of the legend", "--level",
            "1 is the coarsest; CORINE has 3.", least=1, basic=False,
        ),
        Parameter(
            "KEEP", "words", "Bands to keep", "--keep", "all, core, 10m, 20m, or names.",
            basic=False,
        ),
        Parameter(
            "QUANTIFICATION", "number", "Quantification", "--quantification",
            "Reflectance = (dn + offset) / quantification; by default files say.", basic=False,
        ),
        Parameter(
            "OFFSET", "number", "Offset", "--offset", "By default files say.", basic=False,
            least=-1e9,
        ),
        *_SEGMENTATION,
        *_SAMPLING,
        _SEED,
        Parameter("RUN", "new_run", "Run folder", "--out", "Gets all products.", optional=False),
    ),
)  # fmt: skip

SEGMENT = Row(
    "segment",
    "2 Segment a scene",
    "Join pixels to segments, and type segments by their mean colour.",
    (_RUN, *_SEGMENTATION),
)

SAMPLE = Row(
    "sample",
    "3 Draw samples",
    "Draw labelled pixels, and deal blocks of the scene to training, validation and test.",
    (
        _RUN,
        *_SAMPLING,
        *_POLYGONS,
        Parameter(
            "FEATURES", "words", "Features", "--features",
            "Columns of the table beside the bands, such as ndvi glcm:B08:entropy, apart by "
            "spaces.", basic=False,
        ),
        Parameter(
            "BUFFER", "whole", "Radius of chips (pixels)", "--buffer",
            "Also write chips of (2 R + 1) x (2 R + 1) pixels.", least=0, basic=False,
        ),
        _SEED,
    ),
)  # fmt: skip

TRAIN = Row(
    "train",
    "4 Train a model",
    "Train a classifier on the samples of a run, score it on test samples, and map the scene "
    "with it. A patch CNN is mapped by the algorithm Map a scene.",
    (
        Parameter(
            "KIND", "choice", "Kind of model",
            help="ltae, tempcnn, unet-convlstm and sequence-forest need a run of several dates.",
            default="random-forest", optional=False, choices=MODEL_KINDS,
        ),
        _RUN,
        Parameter(
            "MAP", "off", "Map the scene after training", "--no-map", "", default=True,
            not_with=(("KIND", NOT_MAPPED),),
        ),
        Parameter(
            "DENOISE", "choice", "What to learn from doubtful labels", "--denoise",
            "none learns labels as they are; refine is the default for coarse labels.",
            choices=DENOISE,
        ),
        Parameter(
            "PATCH_SIZE", "whole", "Side of the patch of a CNN (pixels)", "--patch-size",
            "Odd, 3 to 61. Other kinds do not take it.", least=3,
            not_with=(("KIND", WITHOUT_PATCH),),
        ),
        Parameter(
            "EPOCHS", "whole", "Epochs of a network, at most", "--epochs",
            "Kinds that are no network do not take it.", least=1, basic=False,
            not_with=(("KIND", WITHOUT_EPOCHS),),
        ),
        Parameter(
            "FEATURES", "words", "Layers to see", "--features",
            "bands, and features such as ndvi or glcm:B08:entropy, apart by spaces.", basic=False,
        ),
        Parameter(
            "VARIANT", "text", "A word at the end of the model's name", "--variant",
            "Keeps it beside one of other features or choices.", basic=False,
        ),
        Parameter(
            "RANDOM_SPLIT", "off", "Show the scores of a random split too", "--no-random-split",
            "It trains once more.", default=True, basic=False,
        ),
        _SEED,
    ),
)  # fmt: skip

MAP = Row(
    "map",
    "5 Map a scene",
    "Give every valid pixel of a run's scene a class by a trained model, and score the map.",
    (
        _RUN,
        Parameter(
            "MODEL", "text", "Model", "--model",
            "Its name in the run, such as random-forest, or the folder of another run's model; "
            "the newest patch CNN by default.",
        ),
        Parameter(
            "PROBABILITIES", "on", "Also write the probability of every class",
            "--probabilities", "", default=False,
        ),
        Parameter(
            "ENTROPY", "on", "Also write how undecided the probabilities are", "--entropy", "",
            default=False,
        ),
        Parameter(
            "APPLICABILITY", "on", "Also write where the scene is unlike what the model learnt",
            "--applicability", "", default=False,
        ),
        Parameter(
            "DATES", "words", "Dates", "--dates",
            "Of a model of sequences: days of the run, such as 2022-04-15, apart by spaces.",
            basic=False,
        ),
        Parameter(
            "PRECISION", "choice", "Precision", "--precision",
            "float32 keeps patch networks from computing in reduced precision.", default="auto",
            choices=PRECISIONS, basic=False,
        ),
        Parameter(
            "TILE_PX", "whole", "Side of windows (pixels)", "--tile-px",
            "More takes more memory; the map does not depend on it.", least=1, basic=False,
        ),
    ),
)  # fmt: skip

COMPARE = Row(
    "compare",
    "6 Compare models",
    "Set the scores of all models of a run side by side: comparison.html in the run folder.",
    (_RUN,),
)

CHANGE = Row(
    "change",
    "Find change",
    "Find what changed between two runs of one place, or between two years of one run.",
    (
        Parameter(
            "BEFORE", "run", "Run folder of the earlier date", help="Or of both years.",
            optional=False,
        ),
        Parameter("AFTER", "run", "Run folder of the later date", help="On the same grid."),
        Parameter(
            "MODEL", "text", "Model", "--model",
            "Maps both dates: its name in the earlier run, or its folder; by default the one that "
            "made the maps of both runs.",
        ),
        Parameter(
            "YEARS", "words", "Two years of one run", "--years",
            "Such as 2020 2021, with a model of sequences.",
        ),
        Parameter(
            "MAPS", "text", "Maps to compare", "--maps",
            "Whose maps are compared, where runs hold several models'.", basic=False,
        ),
        Parameter("LEVEL", "whole", "Level of the classes", "--level", least=1, basic=False),
        Parameter(
            "MMU_HA", "number", "Smallest change (hectares)", "--mmu-ha",
            "Connected change of less is not shown.", basic=False,
        ),
        Parameter(
            "PATCH_PX", "whole", "Side of patches that change is summed by (pixels)",
            "--patch-px", least=8, basic=False,
        ),
        Parameter(
            "NORMALISE", "off", "Bring one date to the radiometry of the other",
            "--no-normalise", "Before mapping; maps that the runs hold are taken as they are.",
            default=True, basic=False,
        ),
        Parameter(
            "OUT", "new_run", "Folder of the products", "--out",
            "By default change, in the run folder of the later date.", basic=False,
        ),
    ),
)  # fmt: skip

SAMPLE_POINTS = Row(
    "sample-points",
    "Draw points to check a map",
    "Draw random points of a map, for somebody to say what is there.",
    (
        _RUN,
        Parameter("MODEL", "text", "Model whose map to sample", "--model", optional=False),
        Parameter("N", "whole", "Points in all", "--n", default=400, least=1),
        Parameter(
            "WHERE_IT_HELPS", "on", "More points where errors are likely", "--where-it-helps",
            "Strata and weights in the file keep estimates unbiased.", default=False,
        ),
        _SEED,
        Parameter(
            "OUT", "new_file", "Points", "--out",
            "A GeoPackage; by default RUN/NAME_points.gpkg.",
        ),
    ),
)  # fmt: skip

ASSESS = Row(
    "assess",
    "Assess maps by a reference sample",
    "Estimate accuracy and areas of classes from points or polygons of a probability sample, "
    "with confidence intervals.",
    (
        _RUN,
        Parameter(
            "REFERENCE", "vector", "Reference sample", "--reference",
            "Such as the points that sample-points drew, filled in.", optional=False,
        ),
        Parameter(
            "CLASS_FIELD", "field", "Field with class codes", "--class-field",
            "By default: reference.", of="REFERENCE",
        ),
        Parameter(
            "MODEL", "words", "Models", "--model",
            "Names, apart by spaces; all with a map by default.",
        ),
        Parameter(
            "STRATA", "raster", "Strata", "--strata",
            "Class raster that the sample was drawn from; by default the design that the file "
            "carries.", basic=False,
        ),
    ),
)  # fmt: skip

ROWS = (PREP, SEGMENT, SAMPLE, TRAIN, MAP, COMPARE, CHANGE, SAMPLE_POINTS, ASSESS)
