from dpcore.charts.lesson import correlated as charts
from dpcore.lesson import correlated


def test_both_lines_grow_by_frames_on_axes_that_stay():
    table = correlated.paths(correlated.plan(28))
    drawn = charts.paths(table)
    assert [len(drawn.frames[at].data[1].y) for at in (0, 5, -1)] == [4, 24, 100]
    assert drawn.frames[-1].name == "Round 100 of 100"
    low, high = drawn.layout.yaxis.range
    assert low == -high
    assert all(abs(y) < high for trace in drawn.data for y in trace.y if y is not None)
    assert len({(trace.name, trace.line.dash) for trace in drawn.data}) == 4  # told apart without colour
