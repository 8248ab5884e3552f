"""What the tests of pages share: Streamlit's own tests of an app, without what they do again each time."""

import functools

import pytest
from streamlit.components.v2 import manifest_scanner


@pytest.fixture(scope="session", autouse=True)
def packages_read_once():
    """Each `AppTest` looks for components in every installed package: that was a quarter of these tests' time."""
    once = functools.cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", once)
        yield
