#!/bin/sh
# dp-accounting 0.4.3, RdpAccountant: two ends of Poisson-sampled Gaussians at which its RDP is no bound, or no number.
#
# 1. Hardly any sampling. log A(order) of a round is a float64 sum near 1, and what sampling leaves of it can be below the
#    rounding: it comes out as 0, and so does epsilon. A number of 0 claims that nothing can be learnt. Here the total
#    variation between the outputs with a user and without is 4.5e-5, more than twenty times the delta that was asked for,
#    so (0, delta) does not hold: whoever sees all rounds tells them apart by more than delta allows. PLD says 1.8e-4.
# 2. Much noise. The same sums cancel to less than nothing, and what the library thinks impossible is raised: from a noise
#    multiplier of 1e6 on, at a sampling probability of 0.03, nobody gets an answer, where 0 would be nearly right.
#
# Seen: as the last lines of this file have it. What to do: ask PLD as well, or add more than the rounding to each order.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "dp-accounting==0.4.3" "numpy==1.26.4" "scipy==1.11.4"
"$folder/venv/bin/python" - <<'PYTHON' > "$folder/seen"
import dp_accounting
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant
from scipy.stats import norm


def rounds(noise, probability, count):
    one = dp_accounting.PoissonSampledDpEvent(probability, dp_accounting.GaussianDpEvent(noise))
    return dp_accounting.SelfComposedDpEvent(one, count)


noise, probability, count, delta = 0.4255, 1.77e-9, 33_195, 2e-6
for name, accountant in (("RDP", RdpAccountant()), ("PLD", PLDAccountant())):
    print(f"{name}: epsilon {accountant.compose(rounds(noise, probability, count)).get_epsilon(delta):.2g}")
# In how many rounds one was is nearly always 0 or 1: then the variation is that of one round, times their number.
variation = count * probability * (2 * norm.cdf(0.5 / noise) - 1)
print(f"total variation {variation:.2g}, delta {delta:g}")
for noise in (1e5, 1e6, 1e8):
    try:
        epsilon = RdpAccountant().compose(rounds(noise, 0.03, 100)).get_epsilon(1e-5)
        print(f"noise {noise:g}: epsilon {epsilon:.2g}")
    except ValueError as error:
        print(f"noise {noise:g}: ValueError, {str(error).split('.')[0]}")
PYTHON
diff "$folder/seen" - <<'SEEN'
RDP: epsilon 0
PLD: epsilon 0.00018
total variation 4.5e-05, delta 2e-06
noise 100000: epsilon 0
noise 1e+06: ValueError, Renyi divergence cannot be negative
noise 1e+08: ValueError, The result of subtraction must be non-negative
SEEN
