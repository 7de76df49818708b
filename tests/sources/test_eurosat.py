from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from importlib import resources
from itertools import combinations

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from skimage.color import deltaE_ciede2000, rgb2lab

from landcover.errors import LandcoverError
from landcover.legend import Legend
from landcover.samples.image_splits import listed_split, seeded_split
from landcover.sensors import EUROSAT_BANDS, TRUE_COLOUR_BANDS
from landcover.sources.eurosat import ChipSet, open_chips
from landcover.sources.image import read_image
from tests.fixtures.eurosat_sets import (
    CLASSES,
    chip_dn,
    chip_file,
    jpeg,
    tif,
    write_files,
    write_set,
)

DEEP = "ds/images/remote_sensing/otherDatasets/sentinel_2/tif"


def facts() -> list[dict[str, str]]:
    path = resources.files("landcover") / "facts" / "eurosat_classes.csv"
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


#: Labels of the whole set.
LABELS = np.repeat(np.arange(10), [int(row["chips"]) for row in facts()])


def refused(call, *arguments, **options) -> str:
    with pytest.raises(LandcoverError) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestLegend:
    def test_classes_are_alphabetical_and_numbered_from_1(self):
        legend = Legend.eurosat()
        assert legend.codes == tuple(range(1, 11))
        assert list(legend.names) == sorted(legend.names)
        assert len(LABELS) == 27_000

    def test_colours_are_corines_or_say_why_not(self):
        legend, corine = Legend.eurosat(), Legend.corine(3)
        for row, land_class in zip(facts(), legend.classes, strict=True):
            origin = row["colour_from"]
            if origin.startswith("CORINE "):
                assert land_class.colour == corine[int(origin.split()[1].rstrip(":"))].colour
            else:
                assert origin.startswith("own: ")
            assert int(row["clc_code"]) in corine.codes

    def test_colours_can_be_told_apart(self):
        lab = rgb2lab(np.array([[c.colour for c in Legend.eurosat().classes]]) / 255)[0]
        assert min(deltaE_ciede2000(a, b) for a, b in combinations(lab, 2)) > 10


@pytest.mark.parametrize("form", ["jpg", "tif"])
@pytest.mark.parametrize("where", ["set", "set.zip"])
class TestBothForms:
    @pytest.fixture
    def chips(self, tmp_path, form, where) -> ChipSet:
        top = "2750" if form == "jpg" else DEEP
        return open_chips(write_set(tmp_path / where, 11, form, top))

    def test_names_and_labels_are_in_order(self, chips):
        assert chips.names[:3] == ("AnnualCrop_1", "AnnualCrop_2", "AnnualCrop_3")
        assert chips.names[10:12] == ("AnnualCrop_11", "Forest_1")
        np.testing.assert_array_equal(chips.labels, np.repeat(np.arange(10), 11))
        assert len(chips) == 110 and chips.legend == Legend.eurosat()

    def test_pixels_are_those_of_the_files(self, chips, form):
        picked = [57, 3, 99]
        pixels = chips.read(picked)
        assert pixels.shape == (3, 64, 64, 3 if form == "jpg" else 13)
        for index, chip in zip(picked, pixels, strict=True):
            name = chips.names[index]
            if form == "tif":
                assert chips.bands == EUROSAT_BANDS and chip.dtype == np.uint16
                np.testing.assert_array_equal(chip, chip_dn(name).transpose(1, 2, 0))
            else:
                assert chips.bands == TRUE_COLOUR_BANDS and chip.dtype == np.uint8
                held = Pillow.open(io.BytesIO(chip_file(name, "jpg")))
                np.testing.assert_array_equal(chip, np.asarray(held))

    def test_bands_come_in_the_order_asked_for(self, chips):
        wanted = ("B02", "B04")
        positions = [chips.bands.index(band) for band in wanted]
        np.testing.assert_array_equal(chips.read([0], wanted), chips.read([0])[..., positions])
        assert "no band B99" in refused(chips.read, [0], ["B99"])


class TestOpening:
    def test_part_of_the_classes_keeps_the_numbers_of_all(self, tmp_path):
        chips = open_chips(write_set(tmp_path, 2, classes=("Forest", "SeaLake")))
        assert chips.labels.tolist() == [1, 1, 9, 9]

    def test_other_files_are_left_alone(self, tmp_path):
        chip = chip_file("Forest_1", "jpg")
        files = {
            "Forest/Forest_1.JPG": chip, "Forest/Thumbs.db": b"", "train.csv": b"a,b",
            "__MACOSX/Forest/._Forest_1.jpg": b"", "Forest/.Forest_2.jpg": b"",
        }  # fmt: skip
        assert open_chips(write_files(tmp_path / "a.zip", files)).names == ("Forest_1",)
        assert open_chips(write_files(tmp_path / "a", files)).names == ("Forest_1",)

    @pytest.mark.parametrize("where", ["set", "set.zip"])
    @pytest.mark.parametrize(
        ("members", "parts"),
        [
            (["2750/Forest/River_7.jpg"], ["2750/Forest/River_7.jpg", "not named Forest_n"]),
            (["2750/Forest/Forest.jpg"], ["2750/Forest/Forest.jpg", "not named Forest_n"]),
            (["2750/Desert/Desert_1.jpg"], ["2750/Desert/Desert_1.jpg", "'Desert'", "AnnualCrop"]),
            (["Forest_1.jpg"], ["Forest_1.jpg", "no class"]),
            (["a/River/River_1.jpg", "b/River/River_1.jpg"], ["River_1 twice", "a/", "b/"]),
            (["River/River_1.jpg", "River/River_1.jpeg"], ["River_1 twice"]),
            (["a/River/River_1.jpg", "b/River/River_1.tif"], ["1 JPEGs and 1 GeoTIFFs"]),
            (["notes.txt"], ["holds no chips", "Class/Class_n.jpg"]),
        ],
    )
    def test_what_is_filed_wrongly_is_named(self, tmp_path, where, members, parts):
        path = write_files(tmp_path / where, dict.fromkeys(members, b""))
        message = refused(open_chips, path)
        for part in parts:
            assert part in message

    def test_no_set_at_all(self, tmp_path):
        assert "does not exist" in refused(open_chips, tmp_path / "none.zip")
        (tmp_path / "a.zip").write_bytes(b"PK\3\4 and no more")
        assert "no whole zip archive" in refused(open_chips, tmp_path / "a.zip")


class TestReading:
    @pytest.mark.parametrize("where", ["set", "set.zip"])
    @pytest.mark.parametrize(
        ("form", "data", "parts"),
        [
            ("jpg", b"", ["no whole JPEG"]),
            ("jpg", chip_file("River_1", "jpg")[:900], ["no whole JPEG", "truncated"]),
            ("jpg", chip_file("River_1", "tif"), ["no whole JPEG"]),
            ("jpg", jpeg(np.zeros((64, 65, 3), np.uint8)), ["64 x 65 RGB", "64 x 64 RGB"]),
            ("jpg", jpeg(np.zeros((64, 64), np.uint8)), ["64 x 64 L", "64 x 64 RGB"]),
            ("jpg", bytes(2**20 + 1), ["over a MiB"]),
            ("tif", b"II*\0", ["no whole GeoTIFF"]),
            ("tif", chip_file("River_1", "tif")[:50_000], ["no whole GeoTIFF"]),
            ("tif", tif(chip_dn("River_1", 10)), ["uint16 x 10", "uint16 x 13"]),
            ("tif", tif(chip_dn("River_1", 13, 32)), ["32 x 32", "64 x 64"]),
            ("tif", tif(chip_dn("River_1").astype(np.float32)), ["float32 x 13"]),
        ],
    )
    def test_a_file_that_is_no_chip_is_named(self, tmp_path, where, form, data, parts):
        path = write_set(tmp_path / where, 1, form, classes=("Forest",))
        name = f"2750/River/River_1.{form}"
        if where == "set":
            write_files(path, {name: data})
        else:
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr(name, data)
        chips = open_chips(path)
        assert chips.read([0]).any()
        message = refused(chips.read)
        for part in [name, *parts]:
            assert part in message

    def test_names_in_a_file_count_before_the_order_of_the_set(self, tmp_path):
        dn = chip_dn("River_1")
        order = np.random.default_rng(0).permutation(13)
        path = tmp_path / "tif" / "River" / "River_1.tif"
        path.parent.mkdir(parents=True)
        path.write_bytes(tif(dn[order]))
        with rasterio.open(path, "r+") as out:
            out.descriptions = [EUROSAT_BANDS[place] for place in order]
        chips = open_chips(tmp_path)
        np.testing.assert_array_equal(chips.read([0])[0], dn.transpose(1, 2, 0))

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            ({"scales": [2e-4] * 13}, "scale or an offset"),
            ({"offsets": [-0.1] * 13}, "scale or an offset"),
            ({"descriptions": ["B02"] * 13}, "names its bands B02 B02"),
        ],
    )
    def test_a_file_that_says_other_things_is_refused(self, tmp_path, change, part):
        path = tmp_path / "tif" / "River" / "River_1.tif"
        path.parent.mkdir(parents=True)
        path.write_bytes(tif(chip_dn("River_1")))
        with rasterio.open(path, "r+") as out:
            for name, values in change.items():
                setattr(out, name, values)
        with pytest.raises(LandcoverError, match=part):
            open_chips(tmp_path).read()

    def test_a_damaged_member_of_an_archive_is_named(self, tmp_path):
        path = write_set(tmp_path / "set.zip", 1, classes=("Forest", "River"))
        data = bytearray(path.read_bytes())
        data[data.index(b"River_1.jpg") + 400] ^= 255
        path.write_bytes(data)
        message = refused(open_chips(path).read)
        assert "2750/River/River_1.jpg" in message and "CRC" in message

    def test_a_file_that_went_away_is_named(self, tmp_path):
        chips = open_chips(write_set(tmp_path, 1, classes=("River",)))
        (tmp_path / "2750/River/River_1.jpg").unlink()
        assert "River_1.jpg cannot be read" in refused(chips.read)


class TestSeededSplit:
    @pytest.mark.parametrize(
        ("share", "learning", "test"),
        [(0.2, 21_600, 5_400), (0.25, 20_250, 6_750), (0.1, 24_300, 2_700)],
    )
    def test_the_published_sizes_are_exact_in_every_class(self, share, learning, test):
        split = seeded_split(LABELS, share, seed=42)
        assert len(split.train) + len(split.validation) == learning
        assert len(split.test) == test
        whole = Counter(LABELS.tolist())
        for part, of in ((split.test, share), (split.validation, 0.1 * (1 - share))):
            for label, count in Counter(LABELS[part].tolist()).items():
                assert abs(count - of * whole[label]) <= 1

    def test_the_test_part_does_not_depend_on_validation(self):
        splits = [seeded_split(LABELS, 0.2, 1, share) for share in (0, 0.1, 0.3)]
        for split in splits[1:]:
            np.testing.assert_array_equal(split.test, splits[0].test)
        assert len(splits[0].validation) == 0 and len(splits[0].train) == 21_600

    def test_the_seed_decides(self):
        first, again, other = (seeded_split(LABELS, 0.2, seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first.test, again.test)
        np.testing.assert_array_equal(first.validation, again.validation)
        assert (first.test != other.test).any()

    @given(
        counts=st.lists(st.integers(10, 60), min_size=1, max_size=5),
        share=st.floats(0.2, 0.5), seed=st.integers(0, 99),
    )  # fmt: skip
    def test_parts_share_nothing_and_lack_nothing(self, counts, share, seed):
        labels = np.repeat(np.arange(len(counts)), counts)
        split = seeded_split(labels, share, seed, validation_share=0.2)
        together = np.concatenate([split.train, split.validation, split.test])
        np.testing.assert_array_equal(np.sort(together), np.arange(len(labels)))
        assert len(split.test) == round(share * len(labels))
        for part in (split.train, split.validation, split.test):
            assert (np.diff(part) > 0).all()
            assert set(labels[part]) == set(labels)

    @pytest.mark.parametrize(
        ("labels", "share", "part"),
        [
            (LABELS, 1.0, "share 1 is out of range"),
            (LABELS, -0.1, "share -0.1 is out of range"),
            ([0, 0, 0, 1], 0.5, "1 of the rarest"),
            ([0, 0, 1, 1], 0.2, "every class on both sides"),
            ([], 0.2, "0 chips"),
        ],
    )
    def test_what_cannot_be_parted_is_refused(self, labels, share, part):
        assert part in refused(seeded_split, np.array(labels), share)


class TestListedSplit:
    NAMES = tuple(f"{label}_{n}" for label in CLASSES for n in (1, 2, 3))

    def write(self, folder, **changes):
        lists = {part: [f"{label}_{n}.jpg" for label in CLASSES]
                 for n, part in enumerate(("train", "val", "test"), start=1)}  # fmt: skip
        for part, lines in (lists | changes).items():
            (folder / f"eurosat-spatial-{part}.txt").write_text("\n".join(lines) + "\n")
        return folder

    def test_lists_of_jpegs_serve_either_form(self, tmp_path):
        for form in ("jpg", "tif"):
            chips = open_chips(write_set(tmp_path / form, 3, form))
            assert chips.names == self.NAMES
        split = listed_split(self.NAMES, self.write(tmp_path))
        np.testing.assert_array_equal(split.train, np.arange(0, 30, 3))
        np.testing.assert_array_equal(split.validation, np.arange(1, 30, 3))
        np.testing.assert_array_equal(split.test, np.arange(2, 30, 3))

    def test_chips_in_no_list_are_in_no_part(self, tmp_path):
        split = listed_split(self.NAMES, self.write(tmp_path, val=["River/River_2.tif"]))
        assert split.validation.tolist() == [self.NAMES.index("River_2")]

    @pytest.mark.parametrize(
        ("changes", "parts"),
        [
            ({"val": ["River_4.jpg"]}, ["-val.txt lists River_4", "lack"]),
            ({"val": ["River_3.jpg"]}, ["River_3 is listed twice", "-val.txt", "-test.txt"]),
            ({"val": ["River_2.jpg"] * 2}, ["River_2 is listed twice", "-val.txt and"]),
            ({"train": []}, ["-train.txt is empty"]),
            ({"val": [" "]}, ["-val.txt is empty"]),
            ({"test": []}, ["-test.txt is empty"]),
        ],
    )
    def test_names_that_do_not_fit_are_refused(self, tmp_path, changes, parts):
        message = refused(listed_split, self.NAMES, self.write(tmp_path, **changes))
        for part in parts:
            assert part in message

    def test_lists_that_are_missing_or_too_many_are_refused(self, tmp_path):
        self.write(tmp_path)
        (tmp_path / "eurosat-test.txt").write_text("")
        assert "holds 2 lists named *test.txt" in refused(listed_split, self.NAMES, tmp_path)
        for path in tmp_path.glob("*-train.txt"):
            path.unlink()
        assert "holds 0 lists named *train.txt" in refused(listed_split, self.NAMES, tmp_path)
        (tmp_path / "eurosat-train.txt").write_bytes(b"\xff\xfe\xff")
        assert "no readable list" in refused(listed_split, self.NAMES, tmp_path)


@pytest.fixture(scope="module")
def real_folder(shared_data):
    return shared_data / "eurosat"


@pytest.fixture(scope="module")
def real_chips(real_folder) -> ChipSet:
    return open_chips(real_folder / "EuroSAT.zip")


class TestTheRealSet:
    def test_it_is_whole(self, real_chips):
        np.testing.assert_array_equal(real_chips.labels, LABELS)
        assert real_chips.names[:2] == ("AnnualCrop_1", "AnnualCrop_2")
        assert real_chips.names[-1] == "SeaLake_3000"

    def test_the_published_split_has_its_sizes(self, real_chips, real_folder):
        split = listed_split(real_chips.names, real_folder)
        parts = (split.train, split.validation, split.test)
        assert [len(part) for part in parts] == [16_200, 5_400, 5_400]
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(27_000))

    def test_its_pixels_are_those_of_the_single_files(self, real_chips, shared_data):
        for name in ("AnnualCrop_1", "Pasture_300", "SeaLake_3000"):
            path = shared_data / "ben-eurosat" / "eurosat" / f"{name}.jpg"
            chip = real_chips.read([real_chips.names.index(name)])[0]
            np.testing.assert_array_equal(chip, np.asarray(Pillow.open(path)))

    def test_tifs_in_class_folders_are_read_as_single_images_are(self, shared_data, tmp_path):
        files = {
            f"tif/{path.stem.split('_')[0]}/{path.name}": path.read_bytes()
            for path in (shared_data / "ben-eurosat" / "eurosat").glob("*.tif")
        }
        chips = open_chips(write_files(tmp_path / "tifs.zip", files))
        assert len(chips) == len(files) == 8
        for index, name in enumerate(chips.names):
            image = read_image(files[f"tif/{name.split('_')[0]}/{name}.tif"])
            dn = chips.read([index])[0].transpose(2, 0, 1)
            np.testing.assert_allclose(dn / 1e4, image.values, rtol=1e-6)
