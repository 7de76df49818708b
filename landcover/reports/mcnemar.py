"""Whether one map is right more often than another: McNemar's test, by pixels and by blocks.

What counts are the pixels on which only one of the two maps is right.
"""

from __future__ import annotations

import numpy as np

from landcover.errors import InputError
from landcover.reports.records import BlockTest, PairedTests, PixelTest

#: With fewer pixels than this on which one map alone is right, the exact test takes over.
EXACT_BELOW = 25


def paired_tests(first_only: np.ndarray, second_only: np.ndarray) -> PairedTests:
    """Both tests from the counts of blocks.

    Parameters
    ----------
    first_only, second_only : array of int, (blocks,)
        Pixels of each scored block on which only the first, or only the second map is right.

    Returns
    -------
    dict
        ``first_only`` and ``second_only`` in all; ``pixels``: `mcnemar`; ``blocks``:
        `clustered_mcnemar`.
    """
    first, second = int(np.sum(first_only)), int(np.sum(second_only))
    return {
        "first_only": first,
        "second_only": second,
        "pixels": mcnemar(first, second),
        "blocks": clustered_mcnemar(first_only, second_only),
    }


def mcnemar(first_only: int, second_only: int) -> PixelTest:
    """McNemar's test of two maps on independent pixels.

    With b and c the pixels on which one map alone is right, chi2 = (\\|b - c\\| - 1)^2 / (b + c) on
    one degree of freedom (McNemar 1947, doi:10.1007/BF02295996, corrected for continuity); the
    exact binomial test where b + c is below 25.

    Neighbouring pixels of a map are not independent: over all pixels of a map the p-value is far
    too small, and `clustered_mcnemar` is to be believed.

    Parameters
    ----------
    first_only, second_only : int
        b and c.

    Returns
    -------
    dict
        ``statistic`` (of the exact test, the smaller of b and c), ``p_value``, ``exact``.

    Examples
    --------
    >>> test = mcnemar(40, 20)
    >>> round(test["statistic"], 3), round(test["p_value"], 4)
    (6.017, 0.0142)
    """
    from scipy.stats import binomtest, chi2

    if first_only < 0 or second_only < 0:
        raise InputError(f"{first_only} and {second_only} are no counts of pixels; give 0 or more")
    n = first_only + second_only
    if n < EXACT_BELOW:
        fewer = min(first_only, second_only)
        p_value = binomtest(fewer, n, 0.5).pvalue if n else 1.0
        return {"statistic": float(fewer), "p_value": float(p_value), "exact": True}
    statistic = (abs(first_only - second_only) - 1) ** 2 / n
    return {"statistic": statistic, "p_value": float(chi2.sf(statistic, 1)), "exact": False}


def clustered_mcnemar(first_only: np.ndarray, second_only: np.ndarray) -> BlockTest | None:
    """McNemar's test of two maps on blocks of dependent pixels.

    Obuchowski's test (1998, doi:10.1002/(SICI)1097-0258(19980715)17:13<1495::AID-SIM863>3.0.CO;2-I)
    estimates the variance of the difference from how it varies between blocks. In the form of Yang,
    Sun and Hardin (2010, doi:10.1002/bimj.201000035), with d_k the excess of pixels that only the
    first map has right in block k of K,

        chi2 = (K - 1) / K (sum d_k)^2 / sum d_k^2

    on one degree of freedom. It cannot exceed K - 1: few blocks prove little.

    Parameters
    ----------
    first_only, second_only : array of int, (blocks,)
        Pixels of each block on which only the first, or only the second map is right.

    Returns
    -------
    dict, or None
        ``statistic``, ``p_value`` and ``n_blocks``; None with fewer than two blocks.

    Examples
    --------
    >>> test = clustered_mcnemar(np.array([9, 7, 8, 2]), np.array([2, 1, 4, 3]))
    >>> round(test["statistic"], 3), round(test["p_value"], 3), test["n_blocks"]
    (1.882, 0.17, 4)
    """
    from scipy.stats import chi2

    first_only, second_only = np.asarray(first_only, float), np.asarray(second_only, float)
    if first_only.shape != second_only.shape:
        raise InputError(
            f"counts of {first_only.shape} and {second_only.shape} blocks; give both of the same"
        )
    excess = first_only - second_only
    blocks = len(excess)
    if blocks < 2:
        return None
    squares = float((excess**2).sum())
    statistic = (blocks - 1) / blocks * float(excess.sum()) ** 2 / squares if squares else 0.0
    return {"statistic": statistic, "p_value": float(chi2.sf(statistic, 1)), "n_blocks": blocks}
