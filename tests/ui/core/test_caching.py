"""What pages remember of a plan is of that plan alone: Streamlit compares the fields of its parts, not their types."""

import itertools
from contextlib import suppress

import streamlit as st

from dpcore.errors import InvalidValueError
from dpcore.mechanisms.clipping import CLIPPINGS
from dpcore.mechanisms.noise import NOISES
from dpcore.mechanisms.participation import ADJACENCIES, PARTICIPATIONS
from dpcore.plan import PrivacyPlan


@st.cache_data
def remembered(value):
    return value


def test_no_two_plans_are_remembered_as_one():
    plans = []
    for clipping, noise, participation in itertools.product(CLIPPINGS, NOISES, PARTICIPATIONS):
        for adjacency, clients in itertools.product(ADJACENCIES, (20, 500)):
            with suppress(InvalidValueError):
                plans.append(
                    PrivacyPlan(
                        population=500,
                        clients_per_round=clients,
                        clipping=clipping(),
                        noise=noise(),
                        participation=participation(),
                        adjacency=adjacency,
                    )
                )
    assert len(plans) > 20
    assert [remembered(plan) for plan in plans] == plans
