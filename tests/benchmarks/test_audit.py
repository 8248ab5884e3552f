def test_it_prints_its_figures(smallest, figures):
    said = smallest("audit").splitlines()
    (line,) = [line for line in said if line.strip().startswith("10 ")]
    clients, *seconds, _cost = figures(line.replace("-", " "))
    assert (clients, len(seconds), len(said)) == (10, 3, 4)
    assert min(seconds) > 0
    assert said[-1].startswith("at most ")
