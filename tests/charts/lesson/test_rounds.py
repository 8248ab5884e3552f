import numpy as np
import pandas as pd

from dpcore.charts.lesson import rounds


def test_each_frame_counts_the_rounds_so_far():
    cohorts = [np.array(users) for users in ([1, 2], [2, 3], [1], [4])]
    epsilons = pd.DataFrame({"round": range(1, 5), "sampled": [0.1, 0.2, 0.3, 0.4], "known": [1.0, 2.0, 3.0, 4.0]})
    drawn = rounds.sampling(cohorts, epsilons, population=10, user=1, shown=[1, 2, 3, 4])
    assert [frame.layout.annotations[0].text for frame in drawn.frames] == [
        "2 users sampled; the ringed one in 1 of 1 rounds",
        "2 users sampled; the ringed one in 1 of 2 rounds",
        "1 users sampled; the ringed one in 2 of 3 rounds",
        "1 users sampled; the ringed one in 2 of 4 rounds",
    ]
    assert [frame.data[1].y for frame in drawn.frames][2] == (3.0, 0.3)


def test_an_update_is_scaled_down_where_it_is_above_the_clip_norm_of_its_round():
    line, scaled, fits = rounds._cohort(2, np.array([0.5, 1.5, 2.5]), np.array([3.0, 1.0, 0.1]))
    assert (list(line["y"]), list(scaled["y"]), list(fits["y"])) == ([3.0, 1.0], [1.5, 2.5], [0.5])


def test_the_ring_is_seen_on_a_cohort_of_everybody():
    epsilons = pd.DataFrame({"round": [1], "sampled": [1.0], "known": [1.0]})
    drawn = rounds.sampling([np.arange(10)], epsilons, population=10, user=1, shown=[1])
    (ring,) = [trace for trace in drawn.data if trace.type == "scatter" and trace.marker.symbol == "circle-open"]
    assert len(set(ring.marker.color)) == 2  # on any colour one of them stands out
    assert ring.marker.line.width[0] > ring.marker.line.width[1]
