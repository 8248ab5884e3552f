"""Runs side by side have workers to themselves; more runs than workers share them all."""

from dpcore.cluster.members import Member
from dpcore.cluster.shares import Shares


def members(count):
    return [
        Member(address=f"tls://a:{number}", name=str(number), slots=1, state="ready") for number in range(count)
    ]


def names(share, able):
    return {member.name for member in share.mine(able)}


def test_a_run_alone_has_all_and_gives_half_away_when_another_begins(tmp_path):
    running, able = [1], members(4)
    first, second = (Shares(tmp_path, lambda: running[0]) for _ in range(2))
    assert len(names(first, able)) == 4
    running[0] = 2
    mine, theirs = names(first, able), names(second, able)
    assert len(mine) == len(theirs) == 2
    assert not mine & theirs
    running[0] = 1
    first.close()
    assert len(names(second, able)) == 4
    second.close()


def test_a_lost_worker_is_let_go_and_a_late_joiner_is_taken(tmp_path):
    share = Shares(tmp_path, lambda: 1)
    able = members(3)
    assert len(names(share, able[:2])) == 2
    assert names(share, able[1:]) == {"1", "2"}
    share.close()


def test_more_runs_than_workers_use_them_together(tmp_path):
    able = members(1)
    shares = [Shares(tmp_path, lambda: 3) for _ in range(3)]
    assert [names(share, able) for share in shares] == [{"0"}] * 3
    for share in shares:
        share.close()
