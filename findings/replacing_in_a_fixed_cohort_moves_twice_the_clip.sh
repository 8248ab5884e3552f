#!/bin/sh
# dp-accounting 0.6.0, RdpAccountant: the noise of a SampledWithoutReplacementDpEvent is over what a *replacement* moves.
#
# For replace-one, 50 rounds of 100 of 1,000 at noise multiplier 1, it says 9.428; and so do frameworks that hand it their
# noise multiplier (fl4health 0.4.2's accountant for cohorts of a fixed size). A noise multiplier is noise over the clip norm
# C, and replacing a user moves a sum by 2 C: noise 1/2 is what has to go in, and 47.03 comes out. That 9.428 is no bound for
# noise over C is seen without any accountant: let all others send -C and one user +C, or be replaced by one who sends -C.
# The sum is then a mixture of two Gaussians 2 C apart against one of them, and at epsilon 9.428 its exact delta after one
# round alone is already above 50 times the one asked for after fifty.
#
# Seen: as the last lines of this file have it. What to do: halve the noise multiplier before it goes into the event.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "dp-accounting==0.6.0"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' > "$folder/seen" 2> "$folder/said"
import math

import dp_accounting
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant
from scipy.stats import norm


def epsilon(noise):
    event = dp_accounting.SampledWithoutReplacementDpEvent(1000, 100, dp_accounting.GaussianDpEvent(noise))
    accountant = RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
    return accountant.compose(event, 50).get_epsilon(1e-5)


def attained():
    """What the mixture of 0.9 N(0, 1) and 0.1 N(2, 1) against N(0, 1) attains: it is Poisson sampling at noise 1/2."""
    event = dp_accounting.PoissonSampledDpEvent(0.1, dp_accounting.GaussianDpEvent(0.5))
    return PLDAccountant().compose(event, 50).get_epsilon(1e-5)


def delta_of_one_round(epsilon):
    where = (math.log((math.exp(epsilon) - 0.9) / 0.1) + 2) / 2  # the mixture is exp(epsilon) times as dense from here on
    with_user = 0.9 * norm.sf(where) + 0.1 * norm.sf(where - 2)
    return with_user - math.exp(epsilon) * norm.sf(where)


print(f"noise 1: {epsilon(1.0):.3f}; noise 1/2: {epsilon(0.5):.2f}")
print(f"attained by constant updates: {attained():.2f}")
print(f"delta of one round at 9.428: {delta_of_one_round(9.428):.1e}")
PYTHON
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
noise 1: 9.428; noise 1/2: 47.03
attained by constant updates: 22.62
delta of one round at 9.428: 0
SEEN
