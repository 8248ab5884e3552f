"""Runs side by side have workers to themselves; more runs than workers share them all."""

import pytest

from dpcore.cluster.members import Member
from dpcore.cluster.shares import Shares


def members(count):
    return [
        Member(address=f"tls://a:{number}", name=str(number), slots=1, state="ready") for number in range(count)
    ]


def names(share, able):
    return {member.name for member in share.assigned(able)}


def test_a_run_alone_has_all_and_gives_half_away_when_another_begins(tmp_path):
    running, able = [1], members(4)
    first, second = (Shares(tmp_path, lambda place=place: (place, running[0])) for place in range(2))
    assert len(names(first, able)) == 4
    running[0] = 2
    mine, theirs = names(first, able), names(second, able)
    assert len(mine) == len(theirs) == 2
    assert not mine & theirs
    first.close()
    second._place = lambda: (0, 1)
    assert len(names(second, able)) == 4
    second.close()


@pytest.mark.parametrize(("workers", "parts"), [(4, [2, 1, 1]), (9, [3, 2, 2, 2]), (5, [3, 2])])
def test_each_has_some_to_itself_where_they_cannot_all_have_the_same(tmp_path, workers, parts):
    shares = [Shares(tmp_path, lambda place=place: (place, len(parts))) for place in range(len(parts))]
    able = members(workers)
    mine = [names(share, able) for share in shares]
    assert list(map(len, mine)) == parts
    assert len(set().union(*mine)) == workers
    for share in shares:
        share.close()


def test_a_lost_worker_is_let_go_and_a_late_joiner_is_taken(tmp_path):
    share = Shares(tmp_path, lambda: (0, 1))
    able = members(3)
    assert len(names(share, able[:2])) == 2
    assert names(share, able[1:]) == {"1", "2"}
    share.close()


def test_more_runs_than_workers_use_them_together(tmp_path):
    able = members(1)
    shares = [Shares(tmp_path, lambda place=place: (place, 3)) for place in range(3)]
    assert [names(share, able) for share in shares] == [{"0"}] * 3
    for share in shares:
        share.close()
