"""Band maths: parsed, exact, and nothing but a formula."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landcover.errors import InputError
from landcover.scene.expressions import FUNCTIONS, LONGEST, parse

NAMES = ("B02", "nir", "elevation")


def trees():
    """Texts of formulas, each with every operator in brackets, and what NumPy makes of them."""
    leaves = st.sampled_from(NAMES) | st.integers(0, 9).map(str) | st.just("0.5")

    def grown(of):
        return st.tuples(of, st.sampled_from("+-*/"), of).map(lambda t: f"({t[0]} {t[1]} {t[2]})")

    return st.recursive(leaves, grown, max_leaves=8)


@given(trees())
def test_a_formula_is_what_python_makes_of_it(text):
    if not any(name in text for name in NAMES):
        text = f"({text} + nir)"
    values = {"B02": 0.25, "nir": 0.5, "elevation": 812.0}
    found = parse(text)
    arrays = [np.array([values[name]], np.float64) for name in found.names]
    with np.errstate(all="ignore"):
        numbers = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)", r"one(\1)", text)
        known = {"one": np.float64} | {name: np.array([v]) for name, v in values.items()}
        expected = eval(numbers, {}, known)
        np.testing.assert_allclose(found.function(*arrays), expected, rtol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_those_of_numpy(name):
    takes = FUNCTIONS[name][1]
    given_ = ["nir", "0.2", "0.4"][:takes]
    found = parse(f"{name}({', '.join(given_)})").function(np.array([0.3, 0.9]))
    arrays = [np.array([0.3, 0.9]), 0.2, 0.4][:takes]
    np.testing.assert_allclose(found, getattr(np, name)(*arrays), rtol=1e-6)


def test_powers_and_signs_bind_as_in_python():
    found = parse("-nir ** 2 + 2 * -nir")
    np.testing.assert_allclose(found.function(np.array([3.0])), [-15.0])


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "nir.tofile('x')",
        "open(nir)",
        "nir[0]",
        "[nir, red]",
        "nir if red else 1",
        "nir and red",
        "nir > red",
        "(lambda: nir)()",
        "sqrt(nir, out=red)",
        "sqrt(*nir)",
        "f'{nir}'",
        "nir := 3",
        "'text' * 3 + nir",
        "True + nir",
        "2j * nir",
        "nir @ red",
        "nir // red",
        "nir + 1e99",
        "nir * " + "9" * 400,
        "nir +",
        "nir red",
        "ratio==nir/red",
        "",
    ],
)
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(InputError, match="expression"):
        parse(text)


def test_a_formula_of_no_band_and_one_without_end_are_refused():
    with pytest.raises(InputError, match="names no band"):
        parse("1+2")
    with pytest.raises(InputError, match=f"at most {LONGEST}"):
        parse("+".join(["nir"] * LONGEST))
    with pytest.raises(InputError, match="gives sqrt 2 values; it takes 1"):
        parse("sqrt(nir, 2)")
