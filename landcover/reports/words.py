"""Numbers as people read them, and pages from templates."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from landcover.grid import in_metres

if TYPE_CHECKING:
    import jinja2


def render(template: str, **content: object) -> str:
    """Fill one of the package's page templates; text is escaped, missing names are errors.

    Parameters
    ----------
    template : str
        File name in landcover/reports/templates.
    **content
        What the template shows.
    """
    return _environment().get_template(template).render(**content)


@functools.cache
def _environment() -> jinja2.Environment:
    """The package's templates and their filters; it keeps templates that it has compiled."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=lambda name: bool(name and name.endswith(".html")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = cell
    environment.filters["percent"] = percent
    environment.filters["points"] = points
    environment.filters["interval"] = interval
    environment.filters["p_value"] = p_value
    environment.filters["pixels"] = in_metres
    return environment


def cell(text: str) -> str:
    r"""A text that does not end the cell of a Markdown table that it stands in.

    >>> print(cell("Stadt | Dorf"))
    Stadt \| Dorf
    """
    return text.replace("|", r"\|")


def percent(share: float | None) -> str:
    """A share of 0-1 in words of a table.

    >>> percent(0.9614), percent(None)
    ('96.1 %', '–')
    """
    return "–" if share is None else f"{100 * share:.1f} %"


def points(difference: float | None) -> str:
    """A difference of shares in percentage points, with its sign.

    >>> points(0.034), points(-0.0002)
    ('+3.4', '0.0')
    """
    if difference is None:
        return "–"
    text = f"{100 * difference:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def interval(bounds: Iterable[float] | None, signed: bool = False) -> str:
    """A 95 % interval of shares, in percent or points.

    >>> interval([0.952, 0.969]), interval([-0.004, 0.01], signed=True), interval(None)
    ('95.2–96.9', '−0.4 to +1.0', '–')
    """
    if bounds is None:
        return "–"
    low, high = bounds
    if signed:
        return f"{points(low)} to {points(high)}"
    return f"{100 * low:.1f}–{100 * high:.1f}".replace("-", "−")


def scored(report: Mapping[str, Any]) -> str:
    """The scores that lead a report, in a line.

    >>> ci = {"overall_accuracy_ci95": [0.88, 0.99]}
    >>> shares = {"overall_accuracy": 0.974, "balanced_accuracy": 0.9, "macro_f1": 0.92}
    >>> of = {"n_test": 465, "scored_on": "test samples", "measure": "agreement with CORINE"}
    >>> scored(shares | ci | of)
    'agreement with CORINE: 97.4 % (88.0–99.0), balanced 90.0 %, macro F1 0.920; 465 test samples'
    >>> scored(shares | ci | of | {"scored_on": "test blocks, wall to wall"}).rpartition(' F1 ')[2]
    '0.920; 465 pixels of test blocks, wall to wall'
    """
    on = report["scored_on"]
    return (
        f"{report['measure']}: {percent(report['overall_accuracy'])} "
        f"({interval(report['overall_accuracy_ci95'])}), balanced "
        f"{percent(report['balanced_accuracy'])}, macro F1 {report['macro_f1']:.3f}; "
        f"{report['n_test']:,} {'pixels of ' if on.endswith('wall to wall') else ''}{on}"
    )


def p_value(value: float | None) -> str:
    """A p-value to three digits.

    >>> p_value(0.0423), p_value(1e-9), p_value(None)
    ('0.042', '< 0.001', '–')
    """
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _template(name: str) -> str:
    return (resources.files("landcover.reports") / "templates" / name).read_text("utf-8")
