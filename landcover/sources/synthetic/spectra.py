"""Reflectance of surfaces in the bands of Sentinel-2 that see the ground, each with its source.

Two kinds of source:

*Measured.* `ESRI`: "typical spectral profiles" of Sentinel-2 surface reflectance in its twelve
bands, sampled by Esri for its Sentinel-2 Explorer (github.com/Esri/imagery-explorer-apps,
src/sentinel-2-explorer/components/SpectralProfileTool/config.ts, Apache-2.0).
`USGS`: USGS Spectral Library version 7, Kokaly et al. 2017, doi:10.3133/ds1035. B02, B03, B04 and
B08 are read from a public 20 nm extract (360 to 820 nm), averaged over nominal band widths; the
other bands from the library's own convolution to Sentinel-2 (splib07b, files S07SNTL2_*), which
differs from the extract by at most 0.006 where both have a band.

*Modelled.* `PROSAIL`: PROSPECT-D leaves (Féret et al. 2017, doi:10.1016/j.rse.2017.03.004) under
4SAIL (Verhoef 1984, doi:10.1016/0034-4257(84)90057-9; Jacquemoud et al. 2009,
doi:10.1016/j.rse.2008.01.026), run with prosail 2.0.5 at 1 nm and averaged over each band's
nominal width (443/21, 490/65, 560/35, 665/30, 705/15, 740/15, 783/20, 842/115, 865/20, 945/20,
1610/90, 2190/180 nm): sun zenith 35 degrees, view nadir, hot spot 0.1, soil brightness 0.7, half
dry; the parameters of leaves stand beside each row. Air is not in the model: B09 shows what is
left after its water vapour is corrected for.

Rows marked *scaled* are a measured row times a factor that we chose, because no measurement was
found. Within a class, pixels vary by leaf area, shade, moisture and mixture; we chose the amounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from landcover.sensors import CORE_BANDS, SENTINEL2

#: Bands of a scene by default; and all that a scene may have: B10 sees no ground.
BANDS = CORE_BANDS
ALL_BANDS = SENTINEL2.surface_names

#: Leaf area index of the rows of the two canopy tables.
LEAF_AREA = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 4.5, 6.0], np.float32)


class Spectra(NamedTuple):
    """Reflectance of every surface in some bands: arrays (bands,), of canopies (7, bands).

    The rows of canopies are those of `LEAF_AREA`.
    """

    soil: np.ndarray
    dry_plants: np.ndarray
    trees: np.ndarray
    lush: np.ndarray
    paved: np.ndarray
    sand: np.ndarray
    clear_water: np.ndarray
    turbid_water: np.ndarray
    brick: np.ndarray
    concrete: np.ndarray
    green_canopy: np.ndarray
    ripe_canopy: np.ndarray
    broad_leaved: np.ndarray
    reed: np.ndarray
    heather: np.ndarray
    wet_soil: np.ndarray
    haze: np.ndarray
    petals: np.ndarray
    snow: np.ndarray
    cloud: np.ndarray

    @classmethod
    def of(cls, bands: Sequence[str]) -> Spectra:
        """The surfaces in some of `ALL_BANDS`, in the order given.

        >>> Spectra.of(["B04", "B08"]).broad_leaved.astype(float).round(4).tolist()
        [0.0183, 0.5259]
        """
        at = [ALL_BANDS.index(name) for name in bands]
        return cls(*(surface[..., at] for surface in _TABLE))

    # --- scaled from a measured row -----------------------------------------------------
    @property
    def white_roof(self) -> np.ndarray:
        """Painted sheet and light membranes."""
        return self.concrete * np.float32(1.75)

    @property
    def dark_roof(self) -> np.ndarray:
        """Bitumen, slate, aged asphalt."""
        return self.paved * np.float32(0.38)

    def green(self, leaf_area: np.ndarray | np.floating) -> np.ndarray:
        """Reflectance (bands, ...) of a green crop at leaf area indices."""
        return canopy(self.green_canopy, leaf_area)

    def ripe(self, leaf_area: np.ndarray | np.floating) -> np.ndarray:
        """Reflectance (bands, ...) of a ripening crop at leaf area indices."""
        return canopy(self.ripe_canopy, leaf_area)


def canopy(table: np.ndarray, leaf_area: np.ndarray | np.floating) -> np.ndarray:
    """Reflectance (bands, ...) of a canopy table at leaf area indices, linear between its rows."""
    return np.stack([np.interp(leaf_area, LEAF_AREA, band) for band in table.T]).astype(np.float32)


def _rows(text: str) -> np.ndarray:
    """Reflectance in B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B11 B12: a row a line of text."""
    return np.array([line.split() for line in text.split("\n")], np.float32).squeeze()


_TABLE = Spectra(
    # --- measured -----------------------------------------------------------------------
    # ESRI "Bare Soil"
    soil=_rows(".07416 .0955 .13096 .18147 .21583 .23725 .25643 .26663 .28528 .2869 .38474 .29332"),
    # ESRI "Dry Vegetation"
    dry_plants=_rows(
        ".04732 .06093 .08916 .10076 .14655 .23523 .26743 .28261 .29321 .29663 .29241 .19994"
    ),
    # ESRI "Trees": dark, taken here as conifers
    trees=_rows(
        ".01122 .01668 .03298 .02081 .05829 .1655 .19975 .21482 .21806 .21181 .09833 .05031"
    ),
    # ESRI "Healthy Vegetation"
    lush=_rows(
        ".02361 .02915 .05346 .02994 .07978 .31964 .42837 .43847 .45124 .44848 .17451 .08004"
    ),
    # ESRI "Paved Surface"
    paved=_rows(
        ".13667 .17267 .20002 .21904 .23449 .22988 .23298 .22776 .23079 .22566 .27044 .27213"
    ),
    # ESRI "Sand"
    sand=_rows(
        ".17045 .24277 .30992 .36519 .38918 .38836 .39716 .41087 .40149 .37243 .43412 .38336"
    ),
    # ESRI "Clear Water"; its B09 is -0.00038 there
    clear_water=_rows(
        ".01823 .02118 .02177 .00924 .00842 .00337 .00364 .00281 .00253 0 .00299 .003"
    ),
    # ESRI "Turbid Water"
    turbid_water=_rows(
        ".07213 .09002 .12151 .14041 .14911 .10413 .10868 .09596 .08182 .0334 .01894 .01684"
    ),
    # USGS Brick_GDS353_Building_MedRed (B08 to 820 nm)
    brick=_rows(".07779 .0814 .1202 .2393 .24977 .25432 .24824 .2438 .23395 .23857 .27213 .2537"),
    # USGS Concrete_GDS375_Lt_Gry_Road (B08 to 820 nm)
    concrete=_rows(
        ".21903 .2460 .2916 .3152 .3172 .31833 .31771 .3169 .31248 .30959 .33799 .33803"
    ),
    # --- modelled -----------------------------------------------------------------------
    # PROSAIL, green crop: N 1.5, chlorophyll 45, carotenoids 10, water 0.015, dry matter 0.006,
    # mean leaf angle 57 degrees
    green_canopy=_rows(
        ".0869 .0896 .1022 .1245 .1336 .1431 .1527 .1654 .1698 .1852 .2331 .2125\n"
        ".0563 .0600 .0820 .0780 .1113 .1796 .2008 .2110 .2146 .2254 .2155 .1591\n"
        ".0386 .0426 .0695 .0508 .0972 .2130 .2471 .2553 .2581 .2644 .2027 .1232\n"
        ".0226 .0267 .0578 .0260 .0837 .2678 .3301 .3352 .3367 .3350 .1890 .0858\n"
        ".0175 .0217 .0543 .0179 .0796 .3064 .3964 .3995 .4002 .3915 .1848 .0720\n"
        ".0159 .0201 .0540 .0150 .0795 .3407 .4656 .4669 .4667 .4500 .1855 .0670\n"
        ".0160 .0203 .0552 .0148 .0811 .3582 .5073 .5077 .5069 .4845 .1883 .0672"
    ),
    # PROSAIL, ripening crop: as above with chlorophyll 8, carotenoids 6, brown pigment 0.6,
    # water 0.004
    ripe_canopy=_rows(
        ".0869 .0897 .1023 .1246 .1336 .1431 .1527 .1654 .1698 .1852 .2331 .2125\n"
        ".0575 .0636 .0952 .0951 .1390 .1687 .1854 .2023 .2083 .2239 .2413 .1862\n"
        ".0404 .0481 .0909 .0767 .1441 .1913 .2153 .2371 .2449 .2613 .2501 .1673\n"
        ".0249 .0338 .0876 .0591 .1526 .2265 .2643 .2969 .3086 .3285 .2679 .1464\n"
        ".0199 .0293 .0876 .0534 .1588 .2496 .2986 .3415 .3571 .3817 .2829 .1388\n"
        ".0184 .0282 .0894 .0521 .1650 .2687 .3286 .3837 .4040 .4355 .2982 .1371\n"
        ".0185 .0286 .0916 .0530 .1692 .2784 .3438 .4063 .4297 .4666 .3071 .1388"
    ),
    # PROSAIL, broad-leaved crown in the sun: N 1.8, chlorophyll 50, carotenoids 11, water 0.012,
    # dry matter 0.008, mean leaf angle 45 degrees, leaf area index 5
    broad_leaved=_rows(".0194 .0253 .0684 .0183 .0981 .3888 .5252 .5259 .5256 .5115 .2449 .0961"),
    # PROSAIL, reed: N 1.7, chlorophyll 30, carotenoids 8, brown pigment 0.4, water 0.01, dry matter
    # 0.01, mean leaf angle 70 degrees, leaf area index 2, wet soil
    reed=_rows(".0111 .0143 .0348 .0143 .0555 .1288 .1557 .1692 .1740 .1817 .1290 .0572"),
    # PROSAIL, heather: N 1.6, chlorophyll 30, carotenoids 9, brown pigment 0.5, water 0.008, dry
    # matter 0.012, mean leaf angle 55 degrees, leaf area index 1.5
    heather=_rows(".0282 .0327 .0636 .0370 .0997 .2027 .2414 .2631 .2708 .2837 .2110 .1057"),
    # the wet soil of PROSAIL's soil table
    wet_soil=_rows(".0262 .0252 .0286 .0384 .0432 .0504 .0574 .0684 .0724 .0883 .1571 .1129"),
    # Path reflectance of a thick haze: light scattered in the air, bluer than white. We chose
    # B02, B03, B04 and B08; the others follow the power of the wavelength, -0.94, that fits these.
    haze=_rows(".330 .30 .26 .23 .213 .203 .193 .18 .176 .161 .098 .073"),
    # --- chosen --------------------------------------------------------------------------
    # Rape in full flower: a green canopy with the yellow of petals in green and red. Petals absorb
    # blue alone, which is what the yellowness index tells them by (Sulik and Long 2016, Remote
    # Sensing of Environment 184, 161-174)
    petals=_rows(".04 .06 .17 .15 .20 .34 .42 .43 .44 .43 .22 .10"),
    # Snow of medium grains: bright up to 1 um, dark beyond (Dozier 1989,
    # doi:10.1016/0034-4257(89)90101-6)
    snow=_rows(".88 .88 .87 .85 .84 .82 .80 .77 .75 .65 .09 .07"),
    # A thick cloud: white, and darker where ice and droplets absorb
    cloud=_rows(".66 .65 .63 .62 .63 .64 .65 .65 .66 .50 .46 .34"),
)
