"""Examples in docstrings, which lie outside tests/, find their files by these fixtures."""

from tests.fixtures.examples import example_folder, example_runs

__all__ = ["example_folder", "example_runs"]
