"""Shared by the system tests."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from machine import HOLDFAST  # noqa: E402


def pytest_sessionstart(session):
    if not HOLDFAST.exists():
        pytest.exit(f"{HOLDFAST} is not built; run make", returncode=2)
