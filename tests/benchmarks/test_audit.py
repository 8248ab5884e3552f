def test_it_prints_its_figures(smallest, figures):
    said = smallest("audit").splitlines()
    (line,) = [line for line in said if line.strip().startswith("10 ")]
    clients, audited, plain, ratio, cost = figures(line.replace("-", " "))
    assert (clients, len(said)) == (10, 4)
    assert min(audited, plain, ratio) > 0
    assert said[-1].startswith("at most ")
