from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"


def test_each_benchmark_has_its_tests():
    of_others = {"__init__", "tutorial"}  # a contender of `rounds`
    modules = {path.stem for path in FOLDER.glob("*.py")} - of_others
    assert {path.stem.removeprefix("test_") for path in Path(__file__).parent.glob("test_*.py")} == modules


def test_it_prints_its_figures(smallest, figures):
    said = smallest("accounting")
    lines = [line for line in said.splitlines() if line.startswith(("along", "surface", "dp-accounting"))]
    assert len(lines) == 13
    assert all(figures(line)[-1] > 0 for line in lines)


def test_solving_is_timed_beside_another_checkouts(smallest, figures):
    (line,) = [
        one for one in smallest("accounting", "--against", str(ROOT)).splitlines() if "tutorial's users" in one
    ]
    noise, now, before = figures(line)
    assert 0.5 < noise < 2
    assert min(now, before) > 0
