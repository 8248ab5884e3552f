import pytest

from dpcore import hosting, limits
from dpcore.errors import InvalidValueError, NotAllowedError
from dpcore.plan import Plan

ROOM = {"own": 0, "all_visitors": 0, "free_bytes": limits.LEAST_FREE_BYTES}
RULES = hosting.Rules(most_rounds=100, most_clients=120, most_queued=3, most_minutes=20, data=("writers",))


@pytest.mark.parametrize("address", ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1"])
def test_these_addresses_are_of_this_machine_only(address):
    assert hosting.is_loopback(address)


@pytest.mark.parametrize(
    "address", [None, "", "0.0.0.0", "::", "192.168.1.5", "class.example", "localhost.example"]
)
def test_these_may_be_reached_by_others(address):
    assert not hosting.is_loopback(address)


def test_the_rules_take_what_is_just_within_them():
    RULES.check([Plan()], **ROOM)
    RULES.check([Plan()] * 2, **ROOM | {"own": 1, "all_visitors": limits.MOST_QUEUED_BY_ALL - 2})


@pytest.mark.parametrize(("field", "value"), [("rounds", 101), ("clients_per_round", 121)])
def test_a_plan_that_is_too_large_is_named_by_its_field(with_privacy, field, value):
    with pytest.raises(InvalidValueError, match=rf"at most {value - 1} .* found {value}\. Lower it") as refused:
        RULES.check([Plan(), with_privacy(Plan(), **{field: value})], **ROOM)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("plans", "changed", "words"),
    [
        (4, {}, "at most 3 runs of one visitor .* found 0 and 4 more"),
        (1, {"own": 3}, "found 3 and 1 more"),
        (1, {"all_visitors": limits.MOST_QUEUED_BY_ALL}, "of all visitors"),
        (1, {"free_bytes": limits.LEAST_FREE_BYTES - 1}, "at least 2 GB of free disk"),
    ],
)
def test_more_than_a_share_is_refused(plans, changed, words):
    with pytest.raises(NotAllowedError, match=words):
        RULES.check([Plan()] * plans, **ROOM | changed)


def test_rules_are_read_back_and_checked():
    assert hosting.Rules.from_json(RULES.to_json()) == RULES
    assert hosting.Rules.from_json('{"most_rounds": 7, "of a newer version": 1}') == hosting.Rules(most_rounds=7)
    with pytest.raises(InvalidValueError, match="most_queued"):
        hosting.Rules(most_queued=0)


def test_who_has_no_owner_is_never_out_of_time():
    rules = hosting.Rules(most_minutes=2)
    assert rules.out_of_time(owner="somebody", seconds=120)
    assert not rules.out_of_time(owner="somebody", seconds=119)
    assert not rules.out_of_time(owner="", seconds=1e9)


def test_the_default_share_has_room_for_the_tutorials_study():
    hosting.Rules().check([Plan()] * 5, **ROOM)


def test_a_visitor_is_a_hash_and_what_is_no_id_is_nobody():
    secret = "0123456789abcdef" * 4
    owner = hosting.owner_by_browser(secret)
    assert len(owner) == 64
    assert owner != secret
    assert owner == hosting.owner_by_browser(secret)
    for forged in (None, "", "x", secret[:-1], secret + "0", secret.upper(), owner[:-1] + "\n", 7, [secret]):
        assert hosting.owner_by_browser(forged) == ""
    assert hosting.owner_by_browser(owner) != owner  # who reads the store cannot become its visitors


def test_people_of_different_providers_are_different_and_no_browser_is_one_of_them():
    names = {
        hosting.owner_by_login("https://one", "1"),
        hosting.owner_by_login("https://two", "1"),
        hosting.owner_by_login("https://on", "e1"),
        hosting.owner_by_browser("1" * 64),
        hosting.owner_by_login("browser", "1" * 64),
    }
    assert len(names) == 5
    for issuer, subject in ((None, "1"), ("https://one", None), ("", ""), ("https://one", "")):
        assert hosting.owner_by_login(issuer, subject) == ""
