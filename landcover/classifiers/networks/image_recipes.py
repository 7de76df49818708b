"""How networks of whole images are trained: stages, rates, views, regularisation."""

from __future__ import annotations

from dataclasses import dataclass, replace

from landcover.samples.augmentation import NONE, Augmentation


@dataclass(frozen=True)
class Stage:
    """A part of training.

    Attributes
    ----------
    epochs : int
        At most.
    learning_rate : float
        The highest.
    schedule : {"cosine", "plateau"}
        "cosine" climbs for a twentieth of the stage and falls to nothing at its end.
        "plateau" divides by ten when the validation loss has not fallen for 3 epochs, stops
        after 7, and goes back to the weights of the lowest.
    frozen : bool
        The backbone learns nothing but the scale and offset of its batch normalisation, as in
        the published recipe.
    discriminative : bool
        The first third of the backbone learns at a hundredth of the rate, the second at a tenth.
    """

    epochs: int
    learning_rate: float
    schedule: str = "cosine"
    frozen: bool = False
    discriminative: bool = False


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    stages : sequence of Stage
        In their order.
    batch_size : int
        Images of a step.
    augmentation : Augmentation
        Views that the training images are shown in.
    weight_decay : float
        Decoupled from the gradient (Loshchilov & Hutter 2019, arXiv:1711.05101).
    label_smoothing : float
        Share of a target that is spread evenly over all classes (Szegedy et al. 2016,
        arXiv:1512.00567).
    clip_norm : float, optional
        The gradient of all weights together is shortened to it where it is longer.
    mean_of_weights : float, optional
        A stage of schedule "cosine" ends with a running mean of the weights, of which every step
        keeps this share, and with batch normalisation's statistics of that mean (Izmailov et al.
        2018, arXiv:1803.05407).
    """

    stages: tuple[Stage, ...]
    batch_size: int = 64
    augmentation: Augmentation = NONE
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    clip_norm: float | None = 1.0
    mean_of_weights: float | None = None


#: From nothing.
COMPACT = Recipe(
    stages=(Stage(60, 2e-3),),
    batch_size=128,
    augmentation=Augmentation(),
    weight_decay=0.05,
    label_smoothing=0.1,
)
#: A backbone with weights, the published way: its head first, then all, early layers slowly.
STAGED = Recipe(
    stages=(
        Stage(1, 1e-3, "plateau", frozen=True),
        Stage(40, 1e-4, "plateau", discriminative=True),
    ),
    augmentation=Augmentation(),
    weight_decay=0.01,
)
#: A backbone without weights: early layers learn at the same rate as the others.
FROM_NOTHING = replace(COMPACT, stages=(Stage(60, 1e-3),), batch_size=64)
