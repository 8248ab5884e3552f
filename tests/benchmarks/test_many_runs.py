from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_commands_and_pages_are_timed_beside_another_checkouts(smallest, figures):
    said = smallest("many_runs", "--against", str(ROOT))
    for name in ("runs list", "ledger", "page runs", "page frontier", "page ledger"):
        (line,) = [line for line in said.splitlines() if line.startswith(f"{name}  ")]
        assert len(figures(line)) == 4
        assert min(figures(line)) > 0
