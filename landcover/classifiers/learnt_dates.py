"""The dates that a model of sequences learnt from, and which dates of a sequence it maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from landcover.errors import InputError

if TYPE_CHECKING:
    from landcover.scene.sequence import Dates

T = TypeVar("T")
#: How the dates of a training sample are chosen: always the same ones, or drawn for every batch.
FIXED, RANDOM = "fixed", "random"


@dataclass(frozen=True)
class LearntDates:
    """What dates a model learnt from, and what dates it needs.

    Attributes
    ----------
    days : tuple of str
        Days that it learnt from, ISO, ascending.
    needed : int
        Dates that a sequence must have.
    together : int, optional
        Dates that it reads together; None for any number of them.
    choice : {"fixed", "random"}
        Whether it learnt these days alone, or sequences drawn from them.
    by_year : bool
        Whether it learnt the dates of each year apart, with labels of that year.
    """

    days: tuple[str, ...]
    needed: int = 1
    together: int | None = None
    choice: str = FIXED
    by_year: bool = False

    @classmethod
    def from_card(cls, card: Mapping[str, Any] | None) -> LearntDates | None:
        """What a card says under ``dates``; None of a model that reads one image."""
        if card is None:
            return None
        return cls(
            tuple(card["days"]),
            card["needed"],
            card["together"],
            card["choice"],
            card.get("by_year", False),
        )

    def as_card(self) -> dict[str, Any]:
        """The same as a card holds it."""
        return {
            "days": list(self.days),
            "needed": self.needed,
            "together": self.together,
            "choice": self.choice,
            **({"by_year": True} if self.by_year else {}),
        }

    def in_words(self) -> str:
        """For people: which days, or how many drawn from how many."""
        if self.choice == RANDOM:
            return f"random {self.together} of {len(self.days)} dates"
        return f"{len(self.days)} dates, {self.days[0]} to {self.days[-1]}"

    def chosen(self, held: Dates, asked: Sequence[str] | None, model: str, where: str) -> Dates:
        """The dates of a sequence that the model reads.

        Those that are asked for; else its own days, if it reads just so many and they are there;
        else all, of which a model of a fixed number takes so many, evenly spread.

        Parameters
        ----------
        held : Dates
            What a sequence holds.
        asked : sequence of str, optional
            Days that are asked for; a year, such as "2022", is all its days.
        model, where : str
            What messages call the model and the sequence.

        Raises
        ------
        InputError
            If a day is not there, or they are too few or too many.
        """
        if asked is not None:
            asked = [day for one in asked for day in _days_of(one, held.days)]
            missing = [day for day in asked if day not in held.days]
            if missing or len(set(asked)) < len(asked):
                wrong = f"{missing[0]} is none of them" if missing else "one is given twice"
                raise InputError(
                    f"dates {' '.join(asked)}: {where} has {' '.join(held.days)}, and {wrong}; "
                    "choose among these"
                )
            held = held.select(sorted(asked))
        number = len(held.days)
        if number < self.needed and asked:
            raise InputError(
                f"model {model} needs {self.needed} dates, and {number} "
                f"{'is' if number == 1 else 'are'} asked for; choose more of those that {where} has"
            )
        if number < self.needed:
            raise InputError(
                f"model {model} needs {self.needed} dates, and {where} has {number}; prepare the "
                "run with more dates, or use another model"
            )
        if self.together in (None, len(held.days)):
            return held
        if self.together == 1 and len(self.days) > 1:
            raise InputError(
                f"model {model} reads one date, and learnt {len(self.days)}; choose one with "
                f"dates=DAY among {' '.join(held.days)}"
            )
        if asked is not None:
            raise InputError(
                f"model {model} reads {self.together} dates together, and {len(held.days)} are "
                f"asked for; choose {self.together} of them"
            )
        own = set(self.days) <= set(held.days) and len(self.days) == self.together
        return held.select(self.days if own else spread(held.days, self.together or 0))


def _days_of(asked: str, days: Sequence[str]) -> Sequence[str]:
    """The days of a year, or a day itself; a year without days is given back as it is."""
    year = [day for day in days if day.startswith(f"{asked}-")] if len(asked) == 4 else []
    return year or [asked]


def spread(days: Sequence[T], number: int) -> list[T]:
    """So many of some days, or of their places, evenly spread, with the first and the last.

    >>> spread(["a", "b", "c", "d", "e"], 3), spread(["a", "b"], 1)
    (['a', 'c', 'e'], ['a'])
    """
    return [days[at] for at in np.linspace(0, len(days) - 1, number).round().astype(int)]


def turn_th(shown: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """The position of the turn-th true value of each row, from 0; 0 where there is none.

    >>> turn_th(np.array([[False, True, True], [True, False, False]]), np.array([1, 0])).tolist()
    [2, 0]
    """
    return np.asarray((shown & (shown.cumsum(axis=1) == turn[:, np.newaxis] + 1)).argmax(axis=1))
