"""Tables that pages show and draw."""

import numpy as np
import pandas as pd
import streamlit as st

from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.runs.store import Round

_POINTS = 100


@st.cache_data(max_entries=1000, show_spinner=False)
def epsilon_by_round(plan: PrivacyPlan) -> pd.DataFrame:
    """Columns `round` and `epsilon`: at most a hundred rounds, from 0 to the last of the plan."""
    rounds = np.unique(np.linspace(0, plan.rounds, min(plan.rounds, _POINTS) + 1).round().astype(int)).tolist()
    epsilons = accounting.epsilon_by_round(plan, rounds)
    return pd.DataFrame({"round": rounds, "epsilon": [epsilon.value for epsilon in epsilons]})


def rounds(rows: list[Round]) -> pd.DataFrame:
    """One row a round, columns as in the store."""
    return pd.DataFrame([vars(row) for row in rows], columns=list(Round.__dataclass_fields__))
