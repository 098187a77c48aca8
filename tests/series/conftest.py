"""The small markets of the tests of runs, on which series are computed here as well."""

from tests.runs.conftest import bars, compute, contfut, es  # noqa: F401
