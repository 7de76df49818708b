from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import rasterio
from scipy.interpolate import RectBivariateSpline
from skimage.transform import resize

from experiments import bigearth_read
from landcover.errors import LandcoverError
from landcover.files import rasters
from landcover.labels.schemes import SCHEMES
from landcover.legend import Legend
from landcover.run import Run
from landcover.sources import bigearthnet
from landcover.sources.bigearthnet import (
    BANDS,
    in_order,
    open_patches,
    read_patch,
    store,
    with_legend,
    with_splits,
    without_doubtful,
)
from landcover.sources.chip_store import open_store
from landcover.stages.run_legend import write_nomenclature
from tests.conftest import error_lines
from tests.fixtures.bigearth_sets import (
    PIXELS,
    TILE,
    name_1,
    name_2,
    row_2,
    write_bands,
    write_tif,
    write_version_1,
    write_version_2,
)

LABELS = [
    ["Pastures", "Non-irrigated arable land"],
    ["Airports", "Rice fields", "Permanently irrigated land"],
    ["Dump sites"],
    ["Sea and ocean"],
]


def refused(call, *arguments, **options) -> str:
    with pytest.raises(LandcoverError) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestVersion1:
    @pytest.fixture
    def root(self, tmp_path):
        return write_version_1(tmp_path, LABELS, pixels=False)

    def test_classes_by_nomenclature(self, root):
        patches = open_patches(root, "43")
        assert patches.names == tuple(name_1(number) for number in (10, 11, 12, 13))
        assert patches.codes == ((211, 231), (124, 212, 213), (132,), (523,))
        assert open_patches(root, "corine").codes == patches.codes
        assert patches.splits == ("",) * 4

    def test_patches_whose_classes_the_19_drop_are_left_out(self, root):
        patches = open_patches(root)
        assert patches.names == tuple(name_1(number) for number in (10, 11, 13))
        assert patches.codes == ((3, 5), (3,), (19,))
        assert patches.folders[2] == root / name_1(13)

    def test_the_archives_own_folder_is_found(self, tmp_path):
        write_version_1(tmp_path / "BigEarthNet-v1.0", LABELS, pixels=False)
        (tmp_path / "S2-notes").mkdir()
        assert len(open_patches(tmp_path)) == 3

    def test_a_legend_of_fewer_or_merged_classes(self, root):
        patches = open_patches(root, "corine")
        for level, codes, expected in (
            (3, [211, 324, 523], {10: (211,), 13: (523,)}),
            (2, [21, 23, 13], {10: (21, 23), 11: (21,), 12: (13,)}),
            (1, [2, 5], {10: (2,), 11: (2,), 13: (5,)}),
        ):
            legend = Legend.corine(level).subset(codes)
            found = with_legend(patches, legend)
            assert found.legend == legend
            assert found.names == tuple(map(name_1, expected))
            assert found.codes == tuple(expected.values())
            assert found.folders == tuple(root / name for name in found.names)
        # editions of CORINE spell names in several ways
        spelt = Legend(tuple(replace(c, name=c.name.upper()) for c in legend.classes))
        assert with_legend(patches, spelt).codes == tuple(expected.values())
        message = refused(with_legend, open_patches(root, "19"), legend)
        assert "BigEarthNet's 19 classes" in message

    def test_a_legend_of_other_classes_with_codes_of_corine_s_is_refused(self, root):
        patches = open_patches(root, "corine")
        message = refused(with_legend, patches, Legend.eurosat().subset([1, 2, 5]))
        assert "class 1 of the legend is 'AnnualCrop', and 'Artificial surfaces' in" in message
        assert "are not in the legend of CORINE" in refused(with_legend, patches, Legend.eurosat())

    def test_lists_leave_out_snow_and_cloud(self, root, tmp_path):
        for name, numbers in {"snow": [10], "cloud": [13, 99]}.items():
            (tmp_path / f"{name}.csv").write_text("".join(f"{name_1(n)}\r\n" for n in numbers))
        patches = open_patches(root)
        lists = [tmp_path / "snow.csv", tmp_path / "cloud.csv"]
        assert without_doubtful(patches, lists).names == (name_1(11),)
        assert without_doubtful(patches, lists[:1]).names == (name_1(11), name_1(13))
        assert "metadata of version 1 do not say" in refused(without_doubtful, patches)
        assert "none.csv" in refused(without_doubtful, patches, [tmp_path / "none.csv"])

    def test_lists_give_the_parts(self, root, tmp_path):
        lists = {"train": [10, 77], "val": [13], "test": [88]}
        for name, numbers in lists.items():
            # Lists of both satellites have Sentinel-1's name in a second column
            (tmp_path / f"{name}.csv").write_text("".join(f"{name_1(n)},S1\n" for n in numbers))
        patches = with_splits(open_patches(root), tmp_path)
        assert patches.splits == ("train", "", "validation")
        assert patches.part("train").tolist() == [0] and len(patches.part("test")) == 0
        (tmp_path / "test.csv").write_text(f"{name_1(10)}\n")
        message = refused(with_splits, patches, tmp_path)
        assert f"{name_1(10)} for train and for test" in message
        for name in lists:
            (tmp_path / f"{name}.csv").write_text(f"{name}-other\n")
        assert "none of the 3 patches" in refused(with_splits, patches, tmp_path)
        (tmp_path / "val.csv").unlink()
        assert "val.csv is no readable list" in refused(with_splits, patches, tmp_path)

    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("", "gives no labels"),
            ("{}", "gives no labels (KeyError: 'labels')"),
            ("[1]", "gives no labels"),
            ('{"labels": ["Desert"]}', "gives the label 'Desert'"),
            ('{"labels": ["Arable land"]}', None),
            ('{"labels": 5}', "gives 5 and no list of labels"),
            ('{"labels": [[1]]}', "gives the label '[1]'"),
        ],
    )
    def test_metadata_that_cannot_be_read_name_the_patch(self, root, text, part):
        path = root / name_1(11) / f"{name_1(11)}_labels_metadata.json"
        path.write_text(text)
        if part is None:
            assert open_patches(root).codes[1] == (3,)
            part = "gives the label 'Arable land'"
        message = refused(open_patches, root, "43")
        assert str(path) in message and part in message

    def test_a_patch_without_metadata_is_named(self, root):
        (root / name_1(50)).mkdir()
        assert name_1(50) in refused(open_patches, root)


class TestVersion2:
    ROWS = (
        row_2(30, ["Pastures", "Arable land"], "validation"),
        row_2(20, ["Marine waters"], "test", contains_cloud_or_shadow=True),
        row_2(25, ["Arable land"], "train", contains_seasonal_snow=True),
    )

    def test_rows_become_patches(self, tmp_path):
        patches = open_patches(write_version_2(tmp_path, list(self.ROWS)))
        assert patches.names == (name_2(20), name_2(25), name_2(30))
        assert patches.codes == ((19,), (3,), (3, 5))
        assert patches.splits == ("test", "train", "validation")
        assert patches.folders[0] == tmp_path / "BigEarthNet-S2" / TILE / name_2(20)
        assert without_doubtful(patches).names == (name_2(30),)
        assert without_doubtful(patches).splits == ("validation",)

    def test_other_classes_come_from_the_reference_maps(self, tmp_path):
        codes = np.full((120, 120), 231)
        codes[0, 0], codes[5], codes[6], codes[7] = 213, 335, 0, 999
        root = write_version_2(tmp_path, [row_2(30, ["Pastures"])], {30: codes})
        assert open_patches(root, "43").codes == ((213, 231),)
        assert open_patches(root, "19").codes == ((5,),)
        (path,) = root.glob("Reference_Maps/*/*/*.tif")
        write_tif(path, np.full((120, 120), 77, np.uint16))
        message = refused(open_patches, root, "43")
        assert str(path) in message and "unknown class codes 77" in message
        path.unlink()
        assert str(path) in refused(open_patches, root, "corine")

    @pytest.mark.parametrize(
        ("row", "part"),
        [
            (row_2(20, ["Desert"]), "gives the label 'Desert'"),
            (row_2(20, ["Pastures"], "val"), "the split 'val'"),
            (row_2(30, ["Pastures"]), f"{name_2(30)} is listed twice"),
        ],
    )
    def test_rows_that_do_not_fit_are_named(self, tmp_path, row, part):
        root = write_version_2(tmp_path, [self.ROWS[0], row])
        assert part in refused(open_patches, root)

    def test_a_patch_that_is_not_there_is_named(self, tmp_path):
        root = write_version_2(tmp_path, list(self.ROWS))
        shutil.rmtree(root / "BigEarthNet-S2" / TILE / name_2(25))
        message = refused(open_patches, root)
        assert name_2(25) in message and "is missing" in message

    def test_tables_of_another_kind_are_refused(self, tmp_path):
        path = tmp_path / "metadata.parquet"
        pd.DataFrame({"patch_id": ["a"], "labels": [["b"]]}).to_parquet(path)
        message = refused(open_patches, tmp_path)
        assert "no column split, contains_seasonal_snow, contains_cloud_or_shadow" in message
        path.write_bytes(b"PAR1")
        assert "is no readable table" in refused(open_patches, tmp_path)

    @pytest.mark.parametrize(
        ("column", "part"), [("labels", "gives None and no list of labels"), ("patch_id", "None")]
    )
    def test_an_empty_field_is_no_traceback(self, tmp_path, column, part):
        root = write_version_2(tmp_path, list(self.ROWS))
        frame = pd.read_parquet(root / "metadata.parquet")
        frame[column] = frame[column].astype(object)
        frame.at[0, column] = None
        frame.to_parquet(root / "metadata.parquet")
        assert part in refused(open_patches, root)


class TestReading:
    @pytest.mark.parametrize(
        ("change", "part"),
        [
            ({"scales": [2e-4]}, "scale or an offset"),
            ({"offsets": [-0.1]}, "scale or an offset"),
            ({"descriptions": ["B03"]}, "names its bands B03"),
        ],
    )
    def test_a_file_that_says_other_things_is_refused(self, tmp_path, change, part):
        write_bands(tmp_path / "P")
        with rasterio.open(tmp_path / "P" / "P_B02.tif", "r+") as out:
            for name, values in change.items():
                setattr(out, name, values)
        with pytest.raises(LandcoverError, match=part):
            read_patch(tmp_path / "P", ["B02"])

    def test_bands_of_10_m_are_kept_and_in_the_order_asked_for(self, tmp_path):
        dn = write_bands(tmp_path / "P")
        chip = read_patch(tmp_path / "P", ["B08", "B02"])
        assert chip.shape == (120, 120, 2) and chip.dtype == np.uint16
        np.testing.assert_array_equal(chip, np.stack([dn["B08"], dn["B02"]], axis=-1))
        assert read_patch(tmp_path / "P").shape == (120, 120, 12)

    @pytest.mark.parametrize("band", ["B01", "B8A"])
    def test_a_plane_stays_in_place(self, tmp_path, band):
        """Half a pixel of shift would show: 15 or 75 dn here."""
        px = PIXELS[band]
        centres = (np.arange(px) + 0.5) * 120 / px
        plane = 1000 + 30 * centres[:, None] + 10 * centres[None, :]
        write_tif(tmp_path / "P" / f"P_{band}.tif", plane.astype(np.uint16))
        fine = np.arange(120) + 0.5
        expected = 1000 + 30 * fine[:, None] + 10 * fine[None, :]
        inside = slice(30, 90)
        chip = read_patch(tmp_path / "P", [band])[..., 0].astype(float)
        assert np.abs(chip - expected)[inside, inside].max() <= 2
        assert chip.shape == (120, 120)

    def test_it_is_the_cubic_spline(self, tmp_path):
        rng = np.random.default_rng(3)
        dn = rng.integers(500, 3000, (60, 60)).astype(np.uint16)
        write_tif(tmp_path / "P" / "P_B05.tif", dn)
        coarse, fine = (np.arange(60) + 0.5) * 2, np.arange(120) + 0.5
        expected = RectBivariateSpline(coarse, coarse, dn, kx=3, ky=3, s=0)(fine, fine)
        chip = read_patch(tmp_path / "P", ["B05"])[..., 0].astype(float)
        inside = slice(30, 90)  # splines differ in what they take for granted beyond the edge
        assert np.abs(chip - expected)[inside, inside].max() <= 1

    @pytest.mark.parametrize("band", ["B01", "B05"])
    def test_it_is_what_scikit_image_makes_to_the_edge(self, tmp_path, band):
        px = PIXELS[band]
        dn = np.random.default_rng(4).integers(500, 3000, (px, px)).astype(np.uint16)
        write_tif(tmp_path / "P" / f"P_{band}.tif", dn)
        expected = resize(
            dn.astype(float), (120, 120), order=3, mode="symmetric",
            preserve_range=True, anti_aliasing=False, clip=False,
        )  # fmt: skip
        chip = read_patch(tmp_path / "P", [band])[..., 0]
        assert np.abs(chip - expected).max() <= 0.5 + 1e-6

    def test_overshoot_does_not_wrap(self, tmp_path):
        dn = np.full((60, 60), 1, np.uint16)
        dn[:, 30:] = 65_535
        write_tif(tmp_path / "P" / "P_B05.tif", dn)
        chip = read_patch(tmp_path / "P", ["B05"])[..., 0]
        assert (chip[:, :50] < 6_000).all() and (chip[:, 70:] > 59_000).all()
        assert chip.min() == 0 and chip.max() == 65_535

    @pytest.mark.parametrize(
        ("pixels", "part"),
        [
            (np.ones((60, 60), np.uint16), "(1, 60, 60)"),
            (np.ones((120, 120), np.uint8), "uint8"),
            (None, "does not exist"),
        ],
    )
    def test_a_band_of_another_kind_is_named(self, tmp_path, pixels, part):
        if pixels is not None:
            write_tif(tmp_path / "P" / "P_B02.tif", pixels)
        message = refused(read_patch, tmp_path / "P", ["B02"])
        assert "P_B02.tif" in message and part in message

    def test_unknown_bands_are_refused(self):
        assert in_order(reversed(BANDS)) == BANDS
        assert "bands B10 X are not BigEarthNet's" in refused(in_order, ["B02", "X", "B10"])
        assert "(none)" in refused(in_order, [])


class TestStoring:
    @pytest.fixture
    def patches(self, tmp_path):
        return open_patches(write_version_1(tmp_path / "set", LABELS))

    def test_a_store_holds_the_patches(self, patches, tmp_path):
        made = open_store(store(patches, tmp_path / "store", ["B8A", "B02"]))
        assert made.bands == ("B02", "B8A")
        assert (made.names, made.codes, made.legend) == (
            patches.names, patches.codes, patches.legend
        )  # fmt: skip
        for chip, folder in zip(made.chips, patches.folders, strict=True):
            np.testing.assert_array_equal(chip, read_patch(folder, made.bands))

    def test_a_damaged_patch_leaves_no_store(self, patches, tmp_path):
        path = patches.folders[1] / f"{patches.names[1]}_B03.tif"
        path.write_bytes(path.read_bytes()[:500])
        assert str(path) in refused(store, patches, tmp_path / "store")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["set"]


class TestScript:
    def run(self, *arguments) -> int:
        return bigearth_read.main([str(argument) for argument in arguments])

    def test_it_writes_a_store_and_says_what_is_in_it(self, tmp_path, capsys):
        root, out = write_version_1(tmp_path / "set", LABELS), tmp_path / "out"
        (tmp_path / "cloudy.csv").write_text(f"{name_1(13)}\n")
        for name, number in {"train": 10, "val": 11, "test": 13}.items():
            (tmp_path / f"{name}.csv").write_text(f"{name_1(number)}\n")
        options = ["--bands", "B08", "B02", "--classes", "43", "--splits", tmp_path]
        assert self.run(root, *options, "--drop-cloudy", tmp_path / "cloudy.csv", "--out", out) == 0
        lines = capsys.readouterr().out.splitlines()
        assert "bands: B08 B02" in lines
        for line in ("1 train", "1 validation", "1 of no part", "1 213 Rice fields"):
            assert line in [" ".join(found.split()) for found in lines]
        assert lines[-1] == str(out)
        assert open_store(out).bands == ("B02", "B08") and len(open_store(out)) == 3

    def test_only_patches_of_one_class(self, tmp_path, capsys):
        root = write_version_1(tmp_path / "set", LABELS)
        self.run(root, "--bands", "B02", "--single", "--out", tmp_path / "out")
        made = open_store(tmp_path / "out")
        assert made.names == (name_1(11), name_1(13))
        assert made.single()[1].tolist() == [2, 18]

    def test_a_place_of_other_classes_is_refused(self, tmp_path, capsys):
        root, home = write_version_1(tmp_path / "set", LABELS), Run(tmp_path / "place")
        write_tif(home.labels, np.array([[1, 2], [2, 5]], np.uint16), nodata=0)
        write_nomenclature(home.legend, SCHEMES["eurosat"].nomenclature)
        with pytest.raises(SystemExit) as stopped:
            self.run(root, "--classes-of", home.path, "--out", tmp_path / "out")
        (line,) = error_lines(capsys.readouterr().err)
        assert stopped.value.code == 2 and not (tmp_path / "out").exists()
        assert "is 'AnnualCrop', and 'Artificial surfaces' in CORINE" in line

    def test_the_classes_of_a_place(self, tmp_path, capsys):
        root, home = write_version_1(tmp_path / "set", LABELS), Run(tmp_path / "place")
        codes = np.array([[0, 213, 231], [412, 412, 0], [0, 0, 0]], np.uint16)
        write_tif(home.labels, codes, nodata=0)
        options = ["--bands", "B02", "--classes-of", home.path, "--out", tmp_path / "out"]
        assert self.run(root, *options) == 0
        lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert "classes: corine" in lines
        left_out = "2 of 4 patches are left out: they have none of the 3 classes of"
        assert f"{left_out} {home.labels}" in lines
        assert {"1 213 Rice fields", "1 231 Pastures"} < set(lines)
        made = open_store(tmp_path / "out")
        assert made.legend == Legend.corine().subset([213, 231, 412])
        assert dict(zip(made.names, made.codes, strict=True)) == {
            name_1(10): (231,), name_1(11): (213,),
        }  # fmt: skip
        chip = read_patch(root / name_1(11), ["B02"])
        np.testing.assert_array_equal(made.chips[1], chip)

    def test_a_place_without_labels_is_no_place(self, tmp_path, capsys):
        with pytest.raises(SystemExit) as caught:
            self.run(tmp_path, "--classes-of", tmp_path / "place", "--out", tmp_path / "out")
        (line,) = error_lines(capsys.readouterr().err)
        assert caught.value.code == 2 and "place does not exist; check" in line

    def test_an_error_is_one_line(self, tmp_path, capsys):
        with pytest.raises(SystemExit) as caught:
            self.run(tmp_path / "none", "--out", tmp_path / "out")
        assert caught.value.code == 2
        (line,) = error_lines(capsys.readouterr().err)
        assert line.startswith("error: ") and "is no folder" in line
        assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "ben-eurosat"


class TestRealPatches:
    def laid_out(self, files, folder):
        folder.mkdir(parents=True)
        for path in files:
            shutil.copy(path, folder)
        return folder

    def test_version_1(self, folder, tmp_path):
        name = "S2A_MSIL2A_20170617T113321_36_85"
        self.laid_out((folder / "bigearthnet_v1").iterdir(), tmp_path / name)
        patches = open_patches(tmp_path, "43")
        assert patches.names == (name,) and patches.codes == ((211, 231),)
        assert open_patches(tmp_path).codes == ((3, 5),)
        chip = read_patch(patches.folders[0])
        for channel, band in enumerate(BANDS):
            dn = rasters.read(folder / "bigearthnet_v1" / f"{name}_{band}.tif")[0].astype(float)
            assert abs(chip[..., channel].mean() - dn.mean()) < 0.005 * dn.mean()
        # Neighbouring bands agree only where they lie on one another
        b08, b8a = chip[..., BANDS.index("B08")], chip[..., BANDS.index("B8A")]
        near = np.corrcoef(b08.ravel(), b8a.ravel())[0, 1]
        shifted = np.corrcoef(b08[:, 2:].ravel(), b8a[:, :-2].ravel())[0, 1]
        assert near > 0.9 and near > shifted

    def test_version_2(self, folder, tmp_path):
        held = folder / "bigearthnet_v2"
        rows = json.loads((held / "labels_from_metadata.json").read_text())
        pd.DataFrame(rows).to_parquet(tmp_path / "metadata.parquet")
        for row in rows:
            place = tmp_path / "BigEarthNet-S2" / TILE / row["patch_id"]
            self.laid_out(held.glob(f"{row['patch_id']}_B*.tif"), place)
            place = tmp_path / "Reference_Maps" / TILE / row["patch_id"]
            self.laid_out(held.glob(f"{row['patch_id']}_ref*.tif"), place)
        patches = open_patches(tmp_path)
        assert patches.splits == ("test", "validation") and len(without_doubtful(patches)) == 2
        assert patches.codes == ((3, 5, 9, 11), (3, 5, 7))
        assert read_patch(patches.folders[1]).shape == (120, 120, 12)
        # The classes of the map are those that the table names
        mapped = bigearthnet._mapped(
            next(tmp_path.glob(f"Reference_Maps/*/{patches.names[0]}/*.tif")), "19"
        )
        assert mapped == patches.codes[0]
