"""The libraries that filters need, which come with an extra of their own."""

from __future__ import annotations

from importlib.util import find_spec

from spectraq.workers.errors import SettingsError

PACKAGES = {"cel_expr_python": "cel-expr-python", "google.protobuf": "protobuf"}


def require_filter_packages() -> None:
    """See that what checks and evaluates expressions is installed.

    Raises
    ------
    SettingsError
        Where it is not.
    """
    missing = [package for module, package in PACKAGES.items() if not _is_there(module)]
    if missing:
        raise SettingsError(f"filters need {', '.join(missing)}: pip install 'spectraq[filters]'")


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it would be in is not there
        return False
