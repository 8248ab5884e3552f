from dpcore import rng


def test_streams_repeat_and_differ_by_seed_name_and_round():
    def first(*key):
        return rng.stream(*key).integers(2**62)

    keys = [(1, "a", 1), (1, "a", 2), (1, "b", 1), (2, "a", 1)]
    assert [first(*key) for key in keys] == [first(*key) for key in keys]
    assert len({first(*key) for key in keys}) == 4
