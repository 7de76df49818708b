from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.errors import LandcoverError
from landcover.legend import Legend
from landcover.sources import chip_store
from landcover.sources.chip_store import Labelled, open_store, write_store

LEGEND = Legend.corine(3).subset([112, 211, 512])
BANDS = ("B02", "B08")
CHIPS = np.random.default_rng(0).integers(0, 65_536, (5, 6, 6, 2)).astype(np.uint16)
LABELLED = Labelled(
    tuple("abcde"),
    ((211,), (112, 211), (), (512,), (112, 211, 512)),
    ("train", "test", "", "train", "validation"),
    LEGEND,
)
HOT = [[0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1], [1, 1, 1]]


@pytest.fixture
def path(tmp_path):
    return write_store(tmp_path / "store", LABELLED, BANDS, iter(CHIPS), 6)


def refused(call, *arguments) -> str:
    with pytest.raises(LandcoverError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestLabelled:
    def test_multi_hot_and_single(self):
        np.testing.assert_array_equal(LABELLED.multi_hot(), HOT)
        places, labels = LABELLED.single()
        assert places.tolist() == [0, 3] and labels.tolist() == [1, 2]

    def test_a_legend_of_fewer_or_other_classes(self):
        own = Legend.corine(3).subset([512, 111, 211])
        np.testing.assert_array_equal(LABELLED.multi_hot(own)[:, 0], [0] * 5)
        np.testing.assert_array_equal(LABELLED.multi_hot(own)[:, 1:], np.array(HOT)[:, 1:])

    def test_parts(self):
        assert [LABELLED.part(part).tolist() for part in chip_store.SPLITS] == [[0, 3], [4], [1]]
        assert "part 'val' is unknown" in refused(LABELLED.part, "val")

    @given(st.lists(st.sets(st.sampled_from(LEGEND.codes)), max_size=8))
    def test_multi_hot_says_what_codes_say(self, sets):
        names, splits = tuple(map(str, range(len(sets)))), ("",) * len(sets)
        labelled = Labelled(names, tuple(tuple(sorted(s)) for s in sets), splits, LEGEND)
        hot = labelled.multi_hot()
        assert [{LEGEND.codes[c] for c in np.flatnonzero(row)} for row in hot] == sets
        places, labels = labelled.single()
        np.testing.assert_array_equal(np.flatnonzero(hot.sum(axis=1) == 1), places)
        np.testing.assert_array_equal(hot[places].argmax(axis=1) if len(places) else [], labels)


class TestStore:
    def test_it_holds_what_was_written(self, path):
        store = open_store(path)
        assert isinstance(store.chips, np.memmap) and not store.chips.flags.writeable
        np.testing.assert_array_equal(store.chips, CHIPS)
        for field in ("names", "codes", "splits", "legend"):
            assert getattr(store, field) == getattr(LABELLED, field)
        assert store.bands == BANDS
        assert sorted(p.name for p in path.parent.iterdir()) == ["store"]

    def test_batches_are_reflectance_in_the_order_asked_for(self, path):
        store, order = open_store(path), [4, 0, 3]
        chips, hot = zip(*store.batches(2, order), strict=True)
        assert [len(part) for part in chips] == [2, 1]
        assert chips[0].dtype == np.float32
        np.testing.assert_allclose(np.concatenate(chips), CHIPS[order] / 1e4, rtol=1e-6)
        np.testing.assert_array_equal(np.concatenate(hot), np.array(HOT)[order])
        assert sum(len(part) for part, _ in store.batches(2)) == 5

    def test_every_dn_survives(self, tmp_path):
        dn = np.arange(65_536, dtype=np.uint16).reshape(1, 256, 256, 1)
        one = Labelled(("a",), ((211,),), ("",), LEGEND)
        store = open_store(write_store(tmp_path / "s", one, ["B02"], dn, 256))
        (values, _), = store.batches(1)  # fmt: skip
        np.testing.assert_array_equal(np.rint(values * 1e4), dn)


class TestWholeOrNotAtAll:
    def check_nothing_is_there(self, tmp_path):
        assert list(tmp_path.iterdir()) == []

    def test_reading_that_fails_leaves_nothing(self, tmp_path):
        def chips():
            yield CHIPS[0]
            raise LandcoverError("patch b is damaged; fetch it again")

        arguments = tmp_path / "s", LABELLED, BANDS, chips(), 6
        assert "patch b is damaged" in refused(write_store, *arguments)
        self.check_nothing_is_there(tmp_path)

    @pytest.mark.parametrize(
        ("chips", "message"),
        [
            (CHIPS[:4], "4 rows came and 5 were announced"),
            ([*CHIPS, CHIPS[0]], "6 rows came and 5 were announced"),
            (CHIPS[:, :5], "part at 0 is uint16"),
            (CHIPS / 1e4, "part at 0 is float64"),
        ],
    )
    def test_chips_that_were_not_announced_are_a_fault(self, tmp_path, chips, message):
        with pytest.raises(ValueError, match=message):
            write_store(tmp_path / "s", LABELLED, BANDS, chips, 6)
        self.check_nothing_is_there(tmp_path)

    def test_a_disk_that_is_too_small_is_said_at_once(self, tmp_path, monkeypatch):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 100))
        message = refused(write_store, tmp_path / "s", LABELLED, BANDS, iter([]), 6)
        assert "5 chips take" in message and "are free" in message
        self.check_nothing_is_there(tmp_path)

    def test_a_disk_that_fills_up_leaves_nothing(self, tmp_path, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(chip_store, "_write_index", full)
        message = refused(write_store, tmp_path / "s", LABELLED, BANDS, CHIPS, 6)
        assert "No space left on device" in message
        self.check_nothing_is_there(tmp_path)

    def test_what_a_killed_run_left_is_replaced(self, tmp_path):
        (tmp_path / ".s.part" / "old").mkdir(parents=True)
        write_store(tmp_path / "s", LABELLED, BANDS, CHIPS, 6)
        assert [p.name for p in tmp_path.iterdir()] == ["s"]

    def test_an_earlier_store_is_kept(self, path):
        assert "exists" in refused(write_store, path, LABELLED, BANDS, CHIPS[::-1], 6)
        np.testing.assert_array_equal(open_store(path).chips, CHIPS)

    def test_no_chips_make_no_store(self, tmp_path):
        none = Labelled((), (), (), LEGEND)
        assert "no chips are left" in refused(write_store, tmp_path / "s", none, BANDS, [], 6)


class TestBadStores:
    def test_no_store(self, tmp_path):
        assert "make a store in a checkout of the project with" in refused(open_store, tmp_path)

    @pytest.mark.parametrize("name", ["chips.npy", "index.parquet"])
    def test_a_part_that_is_missing_or_cut_is_said(self, path, name):
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[: len(data) // 2])
        assert "is no whole store" in refused(open_store, path)
        (path / name).unlink()
        assert "is no whole store" in refused(open_store, path)

    def test_facts_that_do_not_fit_are_said(self, path):
        facts = json.loads((path / "store.json").read_text())
        (path / "store.json").write_text(json.dumps(facts | {"bands": ["B02"]}))
        assert "(5, 6, 6, 1)" in refused(open_store, path)
        (path / "store.json").write_text(json.dumps({"bands": ["B02"]}))
        assert "is no whole store" in refused(open_store, path)

    def test_an_array_of_other_numbers_is_said(self, path):
        np.save(path / "chips.npy", CHIPS.astype(np.float16))
        assert "holds float16" in refused(open_store, path)
        np.save(path / "chips.npy", np.zeros(3, np.uint16))
        refused(open_store, path)
