"""Networks of tiles as kinds: a U-Net of one image, and one under a ConvLSTM of several dates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from landcover.classifiers.fitting import Fitted, Setup, Trainer
from landcover.classifiers.learnt_dates import FIXED, RANDOM, LearntDates, spread, turn_th
from landcover.classifiers.protocol import Signature
from landcover.errors import InputError, LandcoverError
from landcover.progress import track
from landcover.scene.sequence import Dates

if TYPE_CHECKING:
    from landcover.classifiers.networks import Network, SequenceTiles
    from landcover.classifiers.tile_classifier import PredictTiles, TileClassifier
    from landcover.samples.labelled_tiles import Ground, LabelledTiles
    from landcover.samples.rows import Rows

EPOCHS, PATIENCE = 30, 5
#: Dates that a ConvLSTM reads together, unless told otherwise.
SEQUENCE_LENGTH = 6
#: Training tiles at most, and the memory that they, and what a U-Net says of them, may take.
_MOST_TILES, _MOST_BYTES = 1500, 400_000_000
#: At the start: of U-Nets, and of a ConvLSTM, which has few weights and half of the epochs.
_LEARNING_RATE, _TEMPORAL_RATE = 2e-3, 5e-3


@dataclass(frozen=True)
class _Way:
    """How tiles are learnt.

    Attributes
    ----------
    backbone, weights, class_weight, epochs
        As the options of the kinds have them.
    """

    backbone: str
    weights: str | None
    class_weight: str
    epochs: int


def unet_trainer(
    setup: Setup,
    class_weight: str = "balanced",
    epochs: int = EPOCHS,
    backbone: str = "small",
    weights: str | None = None,
) -> Trainer:
    """What trains a U-Net of one image, or of single dates.

    Parameters
    ----------
    setup : Setup
        What the model is to be; with the ground that tiles are cut from.
    class_weight : {"balanced", "none"}
        "balanced" weighs every class by its inverse frequency among the pixels that are learnt;
        all others weigh nothing in either way.
    epochs : int
        At most; validation loss stops earlier.
    backbone : {"small", "vgg19", "resnet50"}
        The encoder.
    weights : path, optional
        A file of the backbone's weights.
    """
    return _trainer(setup, _Way(backbone, weights, class_weight, epochs), 1)


def convlstm_trainer(
    setup: Setup,
    class_weight: str = "balanced",
    epochs: int = EPOCHS,
    backbone: str = "small",
    weights: str | None = None,
    **_of_inputs: object,
) -> Trainer:
    """What trains a U-Net under a ConvLSTM; parameters as of `unet_trainer`.

    The U-Net learns single dates. Then it stays as it is, and the ConvLSTM learns sequences of what
    it says, for half as many epochs. Both together, in as many steps, learnt common classes alone.
    """
    learnt = setup.inputs.dates
    if learnt is None or learnt.together is None:
        raise LandcoverError(f"model {setup.name} learns sequences, and no dates are given")
    return _trainer(setup, _Way(backbone, weights, class_weight, epochs), learnt.together)


def load(path: Path, signature: Signature) -> TileClassifier:
    """The classifier in a Keras file."""
    from landcover.classifiers import networks
    from landcover.classifiers.tile_classifier import TileClassifier

    return TileClassifier.of(signature, _predictor(networks.load(path)))


def single_dates(choices: Mapping[str, Any], days: tuple[str, ...]) -> LearntDates | None:
    """The dates that a U-Net learns one by one; none unless some are named."""
    if not choices["dates"]:
        return None
    return LearntDates(days, 1, 1, FIXED if len(days) == 1 else RANDOM)


def sequences(choices: Mapping[str, Any], days: tuple[str, ...]) -> LearntDates:
    """The dates that a ConvLSTM learns together.

    Parameters
    ----------
    choices : mapping
        Of the kind: dates, sequence_length, date_choice.
    days : tuple of str
        Those named, or all of the run.

    Raises
    ------
    InputError
        If there are too few.
    """
    drawn, length = choices["date_choice"] == RANDOM, choices["sequence_length"]
    if length is None:
        length = len(days) if choices["dates"] and not drawn else SEQUENCE_LENGTH
    if length < 2:
        raise InputError(
            f"a sequence of {length} date is none; choose sequence_length=2 or more, or train a "
            "unet for single dates"
        )
    if len(days) < length + drawn:
        needed = f"more than {length}" if drawn else f"{length}"
        raise InputError(
            f"sequences of {length} dates need {needed} dates, and there are {len(days)}; "
            "prepare the run with more dates, or choose another sequence_length="
        )
    if drawn:
        return LearntDates(days, length, length, RANDOM)
    return LearntDates(tuple(spread(days, length)), length, length)


def dates_form(choices: Mapping[str, object]) -> str:
    """What a name says of a U-Net that learns single dates."""
    return "dates" if choices["dates"] else ""


def choice_form(choices: Mapping[str, object]) -> str:
    """What a name says of dates that are drawn."""
    return RANDOM if choices["date_choice"] == RANDOM else ""


def _trainer(setup: Setup, way: _Way, together: int) -> Trainer:
    """What trains either network on tiles; tiles are cut once."""
    from landcover.classifiers import networks

    ground, inputs = setup.ground, setup.inputs
    if ground is None:
        raise LandcoverError(f"model {setup.name} learns tiles, and no ground is given")
    encoder = networks.Encoder(way.backbone, way.weights)
    days = None if inputs.dates is None else Dates(inputs.dates.days, inputs.bands).day_of_year
    cut: dict[tuple[int, ...], tuple[LabelledTiles, LabelledTiles]] = {}

    def fit(rows: Rows) -> Fitted:
        codes = rows.legend.codes
        if codes not in cut:
            held = len(inputs.bands) + (len(codes) if together > 1 else 0)
            cut[codes] = _cut(ground, codes, setup.seed, held)
        train, validation = cut[codes]
        scaling = _scaling(train)
        networks.seed_everything(setup.seed)
        shape = networks.TileShape(
            len(inputs.bands),
            len(codes),
            tuple(scaling["means"]),
            tuple(np.square(scaling["stds"]).tolist()),
            days is not None,
        )
        of_class = _class_weights(train, len(codes)) if way.class_weight == "balanced" else None
        shown, judged = (
            _of_single_dates(tiles, of_class, days, ground) for tiles in (train, validation)
        )
        learn = partial(networks.fit, seed=setup.seed, turn=True)
        model = networks.build_unet(shape, encoder)
        name = setup.name if together == 1 else "the U-Net"
        schedule = networks.Schedule(way.epochs, learning_rate=_LEARNING_RATE, patience=PATIENCE)
        history = learn(model, shown, judged, schedule, name=name)
        settings: dict[str, Any] = {"backbone": way.backbone, "class_weight": way.class_weight}
        if together > 1:
            settings["epochs_of_unet"] = len(history["loss"])
            temporal = networks.build_conv_lstm(together, len(codes))
            shown, judged = (_said_of_dates(model, each, together) for each in (shown, judged))
            half = -(-way.epochs // 2)
            schedule = replace(schedule, epochs=half, learning_rate=_TEMPORAL_RATE)
            history = learn(temporal, shown, judged, schedule, name=setup.name)
            model = networks.build_unet_convlstm(model, temporal)
        settings |= {"epochs": len(history["loss"]), "tiles": len(train)}
        predict = _predictor(model)

        def predict_rows(part: np.ndarray) -> np.ndarray:
            at = rows.samples.iloc[part]
            seen = _seen(inputs.dates, together)
            places = at["row"].to_numpy(np.int64), at["col"].to_numpy(np.int64)
            shown = np.ones((len(at), len(seen)), bool)
            if len(seen) > 1:  # each sample by a date that shows it
                names = Dates(inputs.dates.days, inputs.bands).names  # type: ignore[union-attr]
                values = at[list(names)].to_numpy(np.float32)
                shown = np.isfinite(values).reshape(*shown.shape, -1).all(axis=2)
            return _at_samples(ground, predict, (seen, shown), days, places, len(codes))

        return Fitted(partial(networks.save, model), predict_rows, settings, scaling, history)

    return fit


def _cut(
    ground: Ground, codes: tuple[int, ...], seed: int, held: int
) -> tuple[LabelledTiles, LabelledTiles]:
    """Training and validation tiles; as many as may be held with so many values of each date."""
    from landcover.samples import labelled_tiles
    from landcover.samples.blocks import TRAIN, VALIDATION

    nbytes = 4 * labelled_tiles.TILE_PX**2 * ground.dates * held
    most = max(16, min(_MOST_TILES, _MOST_BYTES // nbytes))
    train = labelled_tiles.cut(ground, TRAIN, codes, most, seed)
    return train, labelled_tiles.cut(ground, VALIDATION, codes, max(8, most // 4), seed)


def _scaling(tiles: LabelledTiles) -> dict[str, list[float]]:
    """Means and deviations of every band over the pixels that are there."""
    values = tiles.images.reshape(-1, tiles.images.shape[-1])
    return {
        "means": np.nanmean(values, axis=0, dtype=np.float64).tolist(),
        "stds": np.nanstd(values, axis=0, dtype=np.float64).tolist(),
    }


def _class_weights(tiles: LabelledTiles, classes: int) -> np.ndarray:
    """Weight of every class by its inverse frequency; 0 of one that no tile shows."""
    counts = np.bincount(tiles.targets[tiles.learnt], minlength=classes)
    share = counts.sum() / max(1, np.count_nonzero(counts))
    return np.divide(share, counts, out=np.zeros(classes), where=counts > 0)


def _seen(learnt: LearntDates | None, together: int) -> np.ndarray:
    """Positions of the dates that samples are scored on, (ways, dates read together)."""
    if learnt is None:
        return np.zeros((1, 1), np.int64)
    if together == 1:
        return np.arange(len(learnt.days))[:, np.newaxis]
    return np.array([[learnt.days.index(day) for day in spread(learnt.days, together)]])


def _at_samples(
    ground: Ground,
    predict: PredictTiles,
    seen: tuple[np.ndarray, np.ndarray],
    days: np.ndarray | None,
    places: tuple[np.ndarray, np.ndarray],
    classes: int,
) -> np.ndarray:
    """Probabilities (samples, classes), from the middle of the tile that each one lies in.

    `seen` is a row of dates for every way to see a tile, and which ways show each sample, (samples,
    ways). Tiles take the ways in turn; a sample takes the turn-th of those that show it.
    """
    from landcover.classifiers.tile_classifier import MARGIN_PX
    from landcover.samples.labelled_tiles import STEP_PX, read_tiles

    (rows, cols), (ways, shown) = places, seen
    cells, of = np.unique(np.stack([rows, cols]) // STEP_PX, axis=1, return_inverse=True)
    of = of.ravel()  # NumPy 2.0 alone keeps the axis
    corners = cells.T * STEP_PX - MARGIN_PX
    way = turn_th(shown, of % np.maximum(shown.sum(axis=1), 1))
    found = np.empty((len(rows), classes), np.float32)
    middle = slice(MARGIN_PX, MARGIN_PX + STEP_PX)
    for at, tiles in read_tiles(ground.read, corners, ground.dates, "predicting"):
        for number, dates in enumerate(ways):
            samples = np.flatnonzero((way == number) & np.isin(of, at))
            chosen, place = np.unique(of[samples], return_inverse=True)
            if not len(chosen):
                continue
            of_days = np.zeros(1) if days is None else days[dates]
            images = tiles[np.searchsorted(at, chosen)][:, :, :, dates]
            of_tile = predict(images, of_days)[:, middle, middle]
            row, col = rows[samples] % STEP_PX, cols[samples] % STEP_PX
            found[samples] = of_tile[place, row, col]
    return found


def _of_single_dates(
    tiles: LabelledTiles, of_class: np.ndarray | None, days: np.ndarray | None, ground: Ground
) -> SequenceTiles:
    """Examples of single dates, or of an image; tiles of one year show nothing on other dates."""
    from landcover.classifiers import networks

    shows = tiles.dates_that_show() if ground.years else None
    weights = tiles.weights(of_class)
    return networks.SequenceTiles(tiles, weights, days, together=1, as_sequence=False, shows=shows)


def _said_of_dates(unet: Network, examples: SequenceTiles, together: int) -> SequenceTiles:
    """Examples of what a U-Net says of every date, for a network that reads so many together."""
    images, predict = examples.tiles.images, _predictor(unet)
    days = np.zeros(images.shape[3]) if examples.days is None else examples.days
    said = np.full((*images.shape[:4], unet.outputs[0].shape[-1]), np.nan, np.float32)
    for date in track(range(images.shape[3]), "asking the U-Net about every date"):
        one = slice(date, date + 1)
        shown = np.isfinite(images[:, :, :, date]).all(axis=-1)
        said[:, :, :, date][shown] = predict(images[:, :, :, one], days[one])[shown]
    tiles = replace(examples.tiles, images=said)
    return replace(examples, tiles=tiles, days=None, together=together, as_sequence=True)


def _predictor(model: Network) -> PredictTiles:
    """A network as a function of tiles (tiles, side, side, dates, bands) and days of year."""
    dated = len(model.inputs) > 1
    as_sequence = len(model.inputs[0].shape) == 5  # with an axis of dates

    def predict(tiles: np.ndarray, days: np.ndarray) -> np.ndarray:
        from landcover.classifiers import networks

        values = tiles.transpose(0, 3, 1, 2, 4) if as_sequence else tiles[..., 0, :]
        inputs = [np.ascontiguousarray(values, np.float32)]
        if dated:
            inputs.append(np.tile(days.astype(np.float32), (len(tiles), 1)))
        return networks.predict_tiles(model, tuple(inputs))

    return predict
