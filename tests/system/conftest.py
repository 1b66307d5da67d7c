"""Shared by the system tests."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from machine import BUILD, HOLDFAST, LOGS, VARIANT  # noqa: E402


def pytest_sessionstart(session):
    if not HOLDFAST.exists():
        pytest.exit(f"{HOLDFAST} is not built; run make", returncode=2)
    # tests/matrix.py counts what is there.
    if VARIANT and not hasattr(session.config, "workerinput"):
        for log in (BUILD / "tests").glob(f"{LOGS}*.log"):
            log.unlink()


def pytest_configure(config):
    config.addinivalue_line("markers", "gicv2: make test runs it on a GICv2 too")
    config.addinivalue_line("markers", "arm32: make test runs it on a 32-bit machine too")
    config.addinivalue_line("markers", "arm32_gicv3: make test runs it on a 32-bit machine with a GICv3 too")
    config.addinivalue_line("markers", "not_on(gicv2=, arm32=): why it does not run there when all tests do")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Tests that share a machine run in one process, in their order; all others wherever there is room."""
    for item in items:
        why = [m.kwargs[on] for m in item.iter_markers("not_on") for on in m.kwargs if on + "-" in VARIANT]
        if why:
            item.add_marker(pytest.mark.skip(reason=why[0]))
        shared = {"machine", "formats", "misbehaving"} & set(item.fixturenames)
        if shared:
            item.add_marker(pytest.mark.xdist_group(f"{item.module.__name__}.{min(shared)}"))
