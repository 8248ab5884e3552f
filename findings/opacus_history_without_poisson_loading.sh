#!/bin/sh
# Opacus 1.6.0, PrivacyEngine: the accountant says the same whether batches are drawn by coins or dealt out in turn.
#
# Its accountants assume Poisson sampling, which `make_private` arranges by default. With `poisson_sampling=False` the loader
# goes on to deal all rows out, batch by batch, and nothing is drawn in secret; but history and `get_epsilon` stay what they
# were: 5.881 for 50 steps at noise 1, a tenth of the rows each. Each row is then in exactly 5 known steps: one Gaussian of
# noise 1 / sqrt(5), whose exact epsilon for leaving a row's gradient out is 11.48. The number is too small by half.
#
# Seen: as the last lines of this file have it. What to do: account for what the loader did; a state alone does not tell.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "opacus==1.6.0"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' > "$folder/seen" 2> "$folder/said"
import math

import torch
from opacus import PrivacyEngine
from scipy import optimize, stats
from torch.utils.data import DataLoader, TensorDataset


def trained(poisson):
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rows = TensorDataset(torch.zeros(1000, 4), torch.zeros(1000, dtype=torch.long))
    engine = PrivacyEngine(accountant="rdp")
    model, optimizer, loader = engine.make_private(
        module=model,
        optimizer=optimizer,
        data_loader=DataLoader(rows, batch_size=100),
        noise_multiplier=1.0,
        max_grad_norm=1.0,
        poisson_sampling=poisson,
    )
    sizes = set()
    for _epoch in range(5):
        for features, labels in loader:
            sizes.add(len(features))
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(features), labels).backward()
            optimizer.step()
    return engine.accountant.state_dict()["history"], engine.get_epsilon(1e-5), sizes == {100}


def gaussian(noise):  # Balle and Wang (2018), theorem 8
    def delta(epsilon):
        far = epsilon * noise
        return stats.norm.cdf(0.5 / noise - far) - math.exp(epsilon) * stats.norm.cdf(-0.5 / noise - far)

    return optimize.brentq(lambda epsilon: delta(epsilon) - 1e-5, 0, 100)


for poisson in (True, False):
    history, epsilon, alike = trained(poisson)
    print(f"poisson_sampling={poisson}: history {history}, epsilon {epsilon:.3f}, all batches of 100: {alike}")
print(f"5 known steps: epsilon {gaussian(5**-0.5):.2f}")
PYTHON
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
poisson_sampling=True: history [(1.0, 0.1, 50)], epsilon 5.881, all batches of 100: False
poisson_sampling=False: history [(1.0, 0.1, 50)], epsilon 5.881, all batches of 100: True
5 known steps: epsilon 11.48
SEEN
