"""Records that frameworks wrote in real runs, and what they guarantee."""

import json
import math
import re
from pathlib import Path

import pytest

from dpcore.elsewhere import account, reading
from dpcore.elsewhere.answers import Answers, answered, open_questions
from dpcore.errors import InvalidValueError

RECORDS = Path(__file__).with_name("records")
LOG = (RECORDS / "flower" / "run.log").read_text()
FLOWER = Answers(weights="equal", optimizer_inside="none")


def record(path, **how):
    return reading.read((RECORDS / path).read_bytes(), **how)


def read(text, form=None, **how):
    return reading.read(text.encode() if isinstance(text, str) else json.dumps(text).encode(), form, **how)


def holds(log, answers=None):
    verdict = account.verdict(answered(log, answers or Answers()))
    assert verdict.because == ()
    found = {}
    for one in verdict.holds:
        found[one.adjacency] = min(one.epsilon, found.get(one.adjacency, math.inf))
    return found


def because(log, answers=None):
    verdict = account.verdict(answered(log, answers or Answers()))
    assert not verdict.guarantee
    return " ".join(verdict.because)


def test_flowers_log_says_all_but_weights_and_optimiser():
    log = record("flower/run.log")
    assert open_questions(log) == ["weights", "optimizer-inside"]
    assert [(one.sampled, one.online, one.replied, one.released) for one in log.rounds] == [(6, 12, 6, True)] * 3
    assert (log.noise.multiplier, log.clipping.norm, log.average.configured) == (1.0, 1.0, 6)
    (claim,) = log.claimed
    assert (claim.epsilon, claim.delta) == (9.009959, 1e-5)
    assert log.also_released == ("metrics of training and evaluation, without noise",)
    assert "weigh the same" in because(log)


def test_flowers_state_says_the_same_as_its_log():
    state = record("flower/accountant_state.json")
    assert holds(state, FLOWER) == holds(record("flower/run.log"), FLOWER)
    assert state.claimed[0].epsilon == pytest.approx(9.009958991683897, rel=1e-12)
    assert state.claimed[0].adjacency == "add-or-remove-one"


def flower_log(rounds=50, *, sampled=100, online=1000, replied=100, stdev="0.0100", multiplier="1.0", ended=True):
    """The log of a longer run, in the lines of the real one."""
    head = LOG[: LOG.index("INFO :      [ROUND 1/3]")].replace(
        "Noise multiplier: 1.0", f"Noise multiplier: {multiplier}"
    )
    one = (
        "INFO :      [ROUND {number}/{rounds}]\n"
        f"INFO :      configure_train: Sampled {sampled} nodes (out of {online})\n"
        f"INFO :      aggregate_train: Received {replied} results and 0 failures\n"
        f"INFO :      aggregate_fit: central DP noise with {stdev} stdev added\n"
    )
    body = "".join(one.format(number=number, rounds=rounds) for number in range(1, rounds + 1))
    head = head.replace("Number of rounds: 3", f"Number of rounds: {rounds}")
    return head + body + ("INFO :      Strategy execution finished in 1.00s\n" if ended else "")


def test_the_run_of_the_documents_in_flowers_log():
    found = holds(read(flower_log()), FLOWER)
    assert found["add-or-remove-one"] == pytest.approx(22.62, rel=5e-4)
    assert found["replace-one"] == pytest.approx(47.03, rel=5e-4)


def test_half_of_the_replies_have_half_the_noise():
    found = holds(read(flower_log(replied=50)), FLOWER)
    assert found["add-or-remove-one"] == pytest.approx(110.27, rel=5e-4)


def test_digits_that_a_log_lacks_are_taken_the_safe_way():
    """Clip norm 1, and a deviation of 0.0033: the cohort may be 299 to 307, and its largest has the least noise."""
    log = read(flower_log(5, sampled=300, online=3000, replied=300, stdev="0.0033"))
    assert log.average.configured == 307
    nothing = read(flower_log(5, sampled=20_000, online=30_000, replied=20_000, stdev="0.0000"))
    assert "no noise to speak of" in because(nothing, FLOWER)


def test_a_round_that_was_skipped_is_not_released():
    text = flower_log(3).replace(
        "Received 100 results and 0 failures\nINFO :      aggregate_fit: central DP noise with 0.0100 stdev added\n",
        "Received 99 results and 1 failures\n",
        1,
    )
    log = read(text)
    assert [one.released for one in log.rounds] == [False, True, True]
    assert holds(log, FLOWER) == holds(read(flower_log(2)), FLOWER)


def test_a_round_without_its_line_of_noise_has_none():
    text = flower_log(3).replace("INFO :      aggregate_fit: central DP noise with 0.0100 stdev added\n", "", 1)
    assert "round 1 has no noise to speak of" in because(read(text), FLOWER)


def test_flower_without_its_wrapper_has_no_noise():
    text = re.sub(r".*central DP noise.*\n", "", LOG)
    assert "no noise is added" in because(read(text), FLOWER)


def test_flowers_older_log_is_read_too():
    text = flower_log(2).replace(
        "configure_train: Sampled 100 nodes", "configure_fit: strategy sampled 100 clients"
    )
    text = text.replace("aggregate_train: Received", "aggregate_fit: received")
    coloured = text.replace("INFO :", "\x1b[92mINFO \x1b[0m:")
    assert read(coloured) == read(flower_log(2))


def test_flowers_adaptive_clipping_has_no_guarantee():
    text = LOG.replace(
        "Clipping norm: 1.0", "Clipping norm: 1.0\nINFO :      	│	├── Target clipped quantile: 0.5"
    )
    assert "Flower's adaptive clipping" in because(read(text), FLOWER)


def test_noise_on_the_device_is_local():
    text = re.sub(r"aggregate_fit: central DP noise.*", "done", LOG)
    text = text.replace(
        "aggregate_fit: parameters are clipped by value: 1.0000.",
        "LocalDpMod: parameters are clipped by value: 1.0000.\nINFO :  LocalDpMod: local DP noise with 4.8448 "
        "stddev added to parameters",
    )
    log = read(text)
    assert log.noise.where == "client"
    assert open_questions(log) == []
    assert set(holds(log)) == {"zero-out", "replace-one"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (flower_log(5, ended=False), "breaks off"),
        (flower_log(5)[: flower_log(5).index("[ROUND 3/5]")], "breaks off"),
        (flower_log(2) + flower_log(2), "several runs"),
        (flower_log(3).replace("[ROUND 2/3]", ""), "several runs, or damaged"),
        (flower_log(1).replace("Sampled", "Smpld"), "who was sampled"),
        (flower_log(2, stdev="0.4000"), "several settings, or damaged"),
        (
            flower_log(1).replace(
                "0.0100 stdev added", "0.0100 stdev added\ncentral DP noise with 0.0100 stdev added"
            ),
            "twice",
        ),
        (LOG.replace("(out of 12)", "(out of 5)"), "at most 5 sampled"),
    ],
)
def test_a_log_that_is_not_of_one_whole_run_is_refused(text, word):
    with pytest.raises(InvalidValueError, match=word):
        account.verdict(read(text, "flower"))


def test_a_log_that_breaks_off_is_read_where_somebody_says_that_the_run_did():
    text = flower_log(5)
    text = text[: text.index("[ROUND 4/5]")]
    assert len(read(text, rounds=3).rounds) == 3
    with pytest.raises(InvalidValueError, match="breaks off"):
        read(text, rounds=4)


def test_a_real_run_in_which_clients_failed():
    """Round 1 had 2 of 5, as its nodes were only connecting; round 2 was skipped, as some clients raised errors."""
    log = record("flower/run_failing.log")
    rounds = [(one.sampled, one.replied, one.released) for one in log.rounds]
    assert rounds == [(2, 2, True), (5, None, False), (5, 5, True)]
    assert holds(log, FLOWER)["add-or-remove-one"] == pytest.approx(31.63, rel=1e-3)


def test_a_real_run_with_half_of_the_cohort_that_the_noise_is_for():
    log = record("flower/run_fewer.log")
    assert log.average.configured == 10
    assert [(one.sampled, one.replied, one.released) for one in log.rounds] == [(5, 5, True)] * 3
    assert holds(log, FLOWER)["add-or-remove-one"] == pytest.approx(47.28, rel=1e-3)


def test_a_real_run_with_an_optimiser_inside_says_so_itself():
    log = record("flower/run_fedadam.log")
    assert open_questions(log) == ["weights"]
    assert "server optimiser FedOpt" in because(log, Answers(weights="equal"))
    with pytest.raises(InvalidValueError, match="other than the record's, FedOpt"):
        answered(log, FLOWER)


def test_pfls_table_of_metrics_is_read_as_its_record():
    answers = Answers(weights="equal", population=200, sampling="round-robin")
    log = record("pfl/metrics.csv")
    assert [one.sampled for one in log.rounds] == [20] * 5
    assert holds(log, answers) == pytest.approx({"zero-out": 4.377, "replace-one": 9.997}, rel=1e-3)
    text = (RECORDS / "pfl" / "metrics.csv").read_text().splitlines()
    every_second = read("\n".join([text[0], *text[1::2]]))
    assert sum(one.count for one in every_second.rounds) == 6


def test_three_real_rounds_of_nvflares_filter():
    log = record("nvflare/three_rounds.json")
    assert open_questions(log) == []
    assert holds(log) == pytest.approx({"replace-one": 27.3, "zero-out": 27.3})
    assert log.claimed[0].epsilon == pytest.approx(27.3)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ("round-robin", {"zero-out": 4.377, "replace-one": 9.997}),
        (None, {"zero-out": 11.48, "replace-one": 28.37}),
    ],
)
def test_pfls_samplers_are_not_what_its_accountant_assumes(sampling, expected):
    log = record("pfl/run.json")
    assert open_questions(log) == ["weights", "sampling", "population"]
    found = holds(log, Answers(weights="equal", population=1000, sampling=sampling))
    assert found == pytest.approx(expected, rel=5e-4)
    assert log.claimed[0].epsilon < min(found.values())
    assert any("norm before clipping" in one for one in log.also_released)


def test_the_run_of_the_documents_in_pfls_metrics():
    values = json.loads((RECORDS / "pfl" / "run.json").read_text())
    values["metrics"] = values["metrics"][:1] * 50
    values["accountant"]["num_compositions"] = 50
    found = holds(read(values), Answers(weights="equal", population=1000, sampling="round-robin"))
    assert found == pytest.approx({"zero-out": 11.48, "replace-one": 28.37}, rel=5e-4)


def test_pfls_noise_scale_is_less_noise_than_configured():
    values = json.loads((RECORDS / "pfl" / "run.json").read_text())
    for one in values["metrics"]:
        one["Central DP | DP noise std. dev. on summed stats"] = 0.5
    assert "less noise than was configured" in because(read(values), Answers(weights="equal"))


def test_rounds_that_pfl_planned_and_has_no_metrics_of_count():
    values = json.loads((RECORDS / "pfl" / "run.json").read_text())
    short = read(values | {"metrics": values["metrics"][:2]})
    answers = Answers(weights="equal", population=1000, sampling="fixed-size")
    assert holds(short, answers) == holds(read(values), answers)


def test_nvflares_scalars_leave_nothing_and_its_ledger_adds_up():
    log = record("nvflare/svt_meta.json")
    assert "scalars" in because(log)
    assert log.claimed[0].epsilon == pytest.approx(10.2)
    values = json.loads(
        (RECORDS / "nvflare" / "svt_meta.json")
        .read_text()
        .replace('_passthrough": true', '_passthrough": false')
        .replace("scalar passthrough", "-")
    )
    assert holds(read(values)) == pytest.approx({"replace-one": 10.2, "zero-out": 10.2})
    values["ledger"] *= 3
    assert holds(read(values)) == pytest.approx({"replace-one": 30.6, "zero-out": 30.6})
    del values["ledger"]
    values["meta"]["svt_privacy_accountant"] |= {"epsilon_total": 51.0, "calls": 5, "note": ""}
    assert holds(read(values)) == pytest.approx({"replace-one": 51.0, "zero-out": 51.0})


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ("poisson", {"zero-out": 5.148, "add-or-remove-one": 5.148}),
        ("round-robin", {"zero-out": 11.48}),
        ("fixed-size", {"add-or-remove-one": 22.62, "replace-one": 47.03}),
        (None, {"zero-out": 54.38, "replace-one": 159.44}),
    ],
)
def test_opacus_history_is_worth_what_its_loader_did(sampling, expected):
    log = record("opacus/accountant_state.json")
    assert open_questions(log) == ["unit", "sampling"]
    found = holds(log, Answers(sampling=sampling))
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=5e-4)


def test_what_opacus_says_of_its_history():
    claimed = {name: record("opacus/accountant_state.json", run=name).claimed for name in ("rdp", "prv", "gdp")}
    assert claimed["rdp"][0].epsilon == pytest.approx(5.881, abs=1e-3)
    assert claimed["gdp"][0].epsilon == pytest.approx(4.010, abs=1e-3)
    assert claimed["prv"] is None


def test_an_example_is_no_user():
    assert "unit is an example" in because(record("opacus/accountant_state.json"), Answers(unit="example"))


def test_jax_privacys_event_is_read_as_a_text():
    assert holds(record("jax-privacy/dp_event.json", run="bands=1"))["zero-out"] == pytest.approx(5.148, rel=5e-4)
    with pytest.raises(InvalidValueError, match="--run, of"):
        record("jax-privacy/dp_event.json")
    text = json.loads((RECORDS / "jax-privacy" / "dp_event.json").read_text())["bands=1"]["dp_event"]
    assert read(text) == record("jax-privacy/dp_event.json", run="bands=1")
    assert read(json.dumps(text)[1:-1], "jax-privacy") == read(text)


def test_tffs_event_is_of_one_round_without_sampling():
    log = record("tff/dp_event.json", run="gaussian_adaptive")
    assert log.noise.multiplier == pytest.approx(1.0, rel=1e-6)
    assert open_questions(log) == ["rounds", "sampling", "population", "clients-per-round"]
    assert "how many rounds" in because(log)
    answers = Answers(rounds=50, sampling="poisson", population=1000, clients_per_round=100)
    assert holds(log, answers)["zero-out"] == pytest.approx(5.148, rel=5e-4)
    assert "correlated" in because(record("tff/dp_event.json", run="tree_aggregation"), Answers(rounds=5))


@pytest.mark.parametrize(
    "text",
    [
        "SelfComposedDpEvent(GaussianDpEvent(1.0), 50)",
        "dp_accounting.SelfComposedDpEvent(event=GaussianDpEvent(noise_multiplier=np.float32(1.0)), count=50)",
        "ComposedDpEvent(events=[SelfComposedDpEvent(event=GaussianDpEvent(noise_multiplier=1), count=25), "
        "SelfComposedDpEvent(event=GaussianDpEvent(noise_multiplier=1), count=25),])",
    ],
)
def test_whole_numbers_and_other_floats_cost_what_they_are(text):
    assert holds(read(text))["zero-out"] == pytest.approx(54.38, rel=5e-4)


def test_several_gaussians_of_one_sampled_round_are_one():
    inner = "ComposedDpEvent(events=[GaussianDpEvent(noise_multiplier=2.0)" + ", GaussianDpEvent(2.0)" * 3 + "])"
    both = f"SelfComposedDpEvent(PoissonSampledDpEvent(0.1, {inner}), 50)"
    assert holds(read(both))["zero-out"] == pytest.approx(5.148, rel=5e-4)


def test_draws_without_replacement_take_half_the_noise():
    text = "SelfComposedDpEvent(SampledWithoutReplacementDpEvent(1000, 100, GaussianDpEvent(1.0)), 50)"
    assert holds(read(text))["replace-one"] == pytest.approx(47.03, rel=5e-4)


def test_a_table_of_rounds_asks_all_else():
    log = read(
        "round,sampled,online,replied,multiplier\n"
        + "".join(f"{number},100,1000,100,1.0\n" for number in range(50))
    )
    assert open_questions(log) == ["unit", "weights", "optimizer-inside", "sampling"]
    answers = Answers(weights="equal", optimizer_inside="none", sampling="fixed-size")
    assert holds(log, answers)["add-or-remove-one"] == pytest.approx(22.62, rel=5e-4)


def test_noise_without_a_clip_norm_is_asked_for_and_of_a_sum_until_said():
    log = read("sampled,online,replied,noise\n100,1000,100,1.0\n")
    asked = open_questions(log)
    assert {"clip-norm", "noise-of"} <= set(asked)
    answers = Answers(weights="equal", optimizer_inside="none", sampling="fixed-size", clip_norm=1.0)
    as_sum = holds(log, answers)
    averaged = Answers(
        weights="equal",
        optimizer_inside="none",
        sampling="fixed-size",
        clip_norm=1.0,
        noise_of="average",
        divisor="replies",
    )
    assert holds(log, averaged)["add-or-remove-one"] < as_sum["add-or-remove-one"]


def test_an_answer_that_the_record_contradicts_is_refused():
    log = record("flower/run.log")
    with pytest.raises(InvalidValueError, match="other than the record's"):
        answered(log, Answers(sampling="poisson"))
    with pytest.raises(InvalidValueError, match="at most 5 online"):
        account.verdict(answered(log, Answers(population=5)))
    assert answered(log, Answers(population=12, sampling="fixed-size")) == answered(log, Answers())
    assert holds(answered(log, Answers(population=10**6)), FLOWER) == holds(
        log, FLOWER
    )  # drawn from who was online
