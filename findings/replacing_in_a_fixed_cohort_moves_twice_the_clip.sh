#!/bin/sh
# dp-accounting 0.6.0, RdpAccountant: the noise of a SampledWithoutReplacementDpEvent is over what a *replacement* moves.
#
# For replace-one, 50 rounds of 100 of 1,000 at noise multiplier 1, it says 9.428; and so do frameworks that hand it their
# noise multiplier (fl4health 0.4.2's accountant for cohorts of a fixed size). A noise multiplier is noise over the clip norm
# C, and replacing a user moves a sum by 2 C: noise 1/2 is what has to go in, and 47.03 comes out. That 9.428 is no bound for
# noise over C is seen without any accountant: let all others send -C and one user +C, or be replaced by one who sends -C.
# The sum is then a mixture of two Gaussians 2 C apart against one of them, which is Poisson sampling at noise 1/2: over fifty
# rounds, 22.62 is attained.
#
# Seen: as the last lines of this file have it. What to do: halve the noise multiplier before it goes into the event.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "dp-accounting==0.6.0"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' > "$folder/seen" 2> "$folder/said"
import dp_accounting
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant


def epsilon(noise):
    event = dp_accounting.SampledWithoutReplacementDpEvent(1000, 100, dp_accounting.GaussianDpEvent(noise))
    accountant = RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
    return accountant.compose(event, 50).get_epsilon(1e-5)


def attained():
    """What the mixture of 0.9 N(0, 1) and 0.1 N(2, 1) against N(0, 1) attains: it is Poisson sampling at noise 1/2."""
    event = dp_accounting.PoissonSampledDpEvent(0.1, dp_accounting.GaussianDpEvent(0.5))
    return PLDAccountant().compose(event, 50).get_epsilon(1e-5)


print(f"noise 1: {epsilon(1.0):.3f}; noise 1/2: {epsilon(0.5):.2f}")
print(f"attained by constant updates: {attained():.2f}")
PYTHON
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
noise 1: 9.428; noise 1/2: 47.03
attained by constant updates: 22.62
SEEN
