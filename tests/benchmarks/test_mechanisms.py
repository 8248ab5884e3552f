def test_it_prints_its_figures(smallest, figures):
    said = smallest("mechanisms")
    lines = [
        line for line in said.splitlines() if line.startswith(("independent", "28 bands", "tree", "square root"))
    ]
    assert len(lines) == 4
    assert figures(lines[0])[-1] == 1
    assert all(figures(line)[-1] > 0 for line in lines)
    assert "all assumptions: " in said
