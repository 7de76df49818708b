"""Reflectance of surfaces in B02, B03, B04 and B08, each with its source.

Two kinds of source:

*Measured.* `ESRI`: "typical spectral profiles" of Sentinel-2 surface reflectance, sampled by
Esri for its Sentinel-2 Explorer (github.com/Esri/imagery-explorer-apps,
src/sentinel-2-explorer/components/SpectralProfileTool/config.ts, Apache-2.0).
`USGS`: USGS Spectral Library version 7, Kokaly et al. 2017, doi:10.3133/ds1035, read from a
public 20 nm extract (360 to 820 nm), not the library itself, averaged over nominal band widths.

*Modelled.* `PROSAIL`: PROSPECT-D leaves (Féret et al. 2017, doi:10.1016/j.rse.2017.03.004) under
4SAIL (Verhoef 1984, doi:10.1016/0034-4257(84)90057-9; Jacquemoud et al. 2009,
doi:10.1016/j.rse.2008.01.026), run with prosail 2.0.5 at 1 nm and averaged over each band's
nominal width (490/65, 560/35, 665/30, 842/115 nm): sun zenith 35 degrees, view nadir, hot spot
0.1, soil brightness 0.7, half dry; the parameters of leaves stand beside each row.

Rows marked *scaled* are a measured row times a factor that we chose, because no measurement was
found. Within a class, pixels vary by leaf area, shade, moisture and mixture; we chose the amounts.
"""

from __future__ import annotations

import numpy as np

from landcover.sensors import CORE_BANDS

BANDS = CORE_BANDS


def _row(*values: float) -> np.ndarray:
    """Reflectance of one surface in the four bands."""
    return np.array(values, np.float32)


# --- measured ---------------------------------------------------------------------------
SOIL = _row(0.0955, 0.13096, 0.18147, 0.26663)  # ESRI "Bare Soil"
DRY_PLANTS = _row(0.06093, 0.08916, 0.10076, 0.28261)  # ESRI "Dry Vegetation"
TREES = _row(0.01668, 0.03298, 0.02081, 0.21482)  # ESRI "Trees": dark, taken here as conifers
LUSH = _row(0.02915, 0.05346, 0.02994, 0.43847)  # ESRI "Healthy Vegetation"
PAVED = _row(0.17267, 0.20002, 0.21904, 0.22776)  # ESRI "Paved Surface"
SAND = _row(0.24277, 0.30992, 0.36519, 0.41087)  # ESRI "Sand"
CLEAR_WATER = _row(0.02118, 0.02177, 0.00924, 0.00281)  # ESRI "Clear Water"
TURBID_WATER = _row(0.09002, 0.12151, 0.14041, 0.09596)  # ESRI "Turbid Water"
BRICK = _row(0.0814, 0.1202, 0.2393, 0.2438)  # USGS Brick_GDS353_Building_MedRed (B08 to 820 nm)
CONCRETE = _row(0.2460, 0.2916, 0.3152, 0.3169)  # USGS Concrete_GDS375_Lt_Gry_Road (B08 to 820 nm)

# --- scaled from a measured row ---------------------------------------------------------
WHITE_ROOF = CONCRETE * np.float32(1.75)  # painted sheet and light membranes
DARK_ROOF = PAVED * np.float32(0.38)  # bitumen, slate, aged asphalt

# --- modelled ---------------------------------------------------------------------------
#: Leaf area index of the rows of the two canopy tables.
LEAF_AREA = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 4.5, 6.0], np.float32)

#: PROSAIL, green crop: N 1.5, chlorophyll 45, carotenoids 10, water 0.015, dry matter 0.006,
#: mean leaf angle 57 degrees.
GREEN_CANOPY = np.array(
    [
        [0.0896, 0.1022, 0.1245, 0.1654],
        [0.0600, 0.0820, 0.0780, 0.2110],
        [0.0426, 0.0695, 0.0508, 0.2553],
        [0.0267, 0.0578, 0.0260, 0.3352],
        [0.0217, 0.0543, 0.0179, 0.3995],
        [0.0201, 0.0540, 0.0150, 0.4669],
        [0.0203, 0.0552, 0.0148, 0.5077],
    ],
    np.float32,
)

#: PROSAIL, ripening crop: as above with chlorophyll 8, carotenoids 6, brown pigment 0.6,
#: water 0.004.
RIPE_CANOPY = np.array(
    [
        [0.0897, 0.1023, 0.1246, 0.1654],
        [0.0636, 0.0952, 0.0951, 0.2023],
        [0.0481, 0.0909, 0.0767, 0.2371],
        [0.0338, 0.0876, 0.0591, 0.2969],
        [0.0293, 0.0876, 0.0534, 0.3415],
        [0.0282, 0.0894, 0.0521, 0.3837],
        [0.0286, 0.0916, 0.0530, 0.4063],
    ],
    np.float32,
)

#: PROSAIL, broad-leaved crown in the sun: N 1.8, chlorophyll 50, carotenoids 11, water 0.012,
#: dry matter 0.008, mean leaf angle 45 degrees, leaf area index 5.
BROAD_LEAVED = _row(0.0253, 0.0684, 0.0183, 0.5259)
#: PROSAIL, reed: N 1.7, chlorophyll 30, carotenoids 8, brown pigment 0.4, water 0.01, dry matter
#: 0.01, mean leaf angle 70 degrees, leaf area index 2, wet soil.
REED = _row(0.0143, 0.0348, 0.0143, 0.1692)
#: PROSAIL, heather: N 1.6, chlorophyll 30, carotenoids 9, brown pigment 0.5, water 0.008, dry
#: matter 0.012, mean leaf angle 55 degrees, leaf area index 1.5.
HEATHER = _row(0.0327, 0.0636, 0.0370, 0.2631)
#: The wet soil of PROSAIL's soil table.
WET_SOIL = _row(0.0252, 0.0286, 0.0384, 0.0684)

#: Path reflectance of a thick haze: light scattered in the air, bluer than white. Chosen by us.
HAZE = _row(0.30, 0.26, 0.23, 0.18)


def canopy(table: np.ndarray, leaf_area: np.ndarray | np.floating) -> np.ndarray:
    """Reflectance (4, ...) of a canopy table at leaf area indices, linear between its rows."""
    return np.stack([np.interp(leaf_area, LEAF_AREA, band) for band in table.T]).astype(np.float32)
