import pytest

pytestmark = pytest.mark.slow


def test_a_picture_is_drawn(smallest, tmp_path):
    drawn = tmp_path / "cluster.svg"
    smallest("cluster_curves", "--svg", str(drawn))
    assert drawn.read_text().startswith("<svg")
    assert "20,000 clients" in drawn.read_text()
