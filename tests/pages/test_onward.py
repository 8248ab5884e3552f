"""From a plan on the Accountant onwards: other plans, a training, a rehearsal."""

from urllib.parse import parse_qsl

from tests.pages import test_pages as pages

home = pages.home


def links(test):
    """The links of a page by their words, each with the query that it leads to."""
    found = [one.proto for one in test.main if one.type == "page_link"]
    return {one.label: dict(parse_qsl(one.query_string)) for one in found}


def test_the_accountant_leads_on_to_other_plans_and_to_a_training(home):
    found = links(pages.page("accountant", rounds="80"))
    (more,) = [query for words, query in found.items() if words.startswith("Ten times the users: epsilon ")]
    assert (more["population"], more["rounds"], more.get("lang", "en")) == ("33830", "80", "en")
    (fewer,) = [query for words, query in found.items() if words.startswith("Half the rounds: epsilon ")]
    assert (fewer["rounds"], fewer["population"]) == ("40", "3383")
    (twice,) = [query for words, query in found.items() if words.startswith("Twice the clients")]
    assert (twice["clients_per_round"], twice["noise_multiplier"]) == ("240", "2.4")
    for words, query in found.items():
        if ": epsilon " in words:
            assert pages.metric(pages.page("accountant", **query), "Epsilon by PLD") == words.rsplit(" ", 1)[-1]
    train = pages.page("train", **found["Train this plan on writers"])
    assert pages.metric(train, "Epsilon of the plan") == pages.metric(
        pages.page("accountant", rounds="80"), "Epsilon by PLD"
    )


def test_what_is_solved_for_is_what_is_trained_and_what_ifs_begin_there(home):
    found = links(pages.page("accountant", solve="clients"))
    assert found["Train this plan on writers"]["clients_per_round"] == "104"
    (fewer,) = [query for words, query in found.items() if words.startswith("Half the rounds")]
    assert (fewer["clients_per_round"], fewer.get("solve", "epsilon")) == ("104", "epsilon")


def test_a_plan_for_other_users_is_rehearsed_and_never_called_as_private(home):
    numbers = {"population": "2000000", "clients_per_round": "4000", "noise_multiplier": "8", "rounds": "100"}
    assert not [
        words for words in links(pages.page("accountant", **numbers)) if words.startswith("Train this plan")
    ]
    test = pages.page("accountant", **numbers)
    test.session_state["rehearse"] = True  # opened
    test.run()
    assert not test.exception
    said = " ".join(one.value for one in test.markdown)
    assert "Carries over: the noise on the average update (0.002 clip norms" in said
    assert "Does not carry over: the guarantee (epsilon" in said
    assert "No forecast yet" in said
    query = links(test)["Rehearse it on writers"]
    assert (query["clients_per_round"], query["noise_multiplier"], query["dataset"]) == ("100", "0.2", "writers")
