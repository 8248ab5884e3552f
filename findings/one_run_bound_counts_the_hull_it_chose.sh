#!/bin/sh
# jax_privacy 2.0.0, CanaryScoreAuditor.epsilon_one_run: with its default strategy, "Bonferroni correction across all
# possible thresholds", a bound of 95% confidence is wrong more often than one time in twenty.
#
# The correction divides the significance by the number of thresholds that are left after the method has kept only the
# vertices of the convex hull of the same scores' ROC curve: six to eight, of 10,000. Which ones those are depends on the
# coins that the bound is about, so they were not fixed beforehand, and a union bound over them alone does not hold.
#
# Here the scores are drawn without a look at the coins. Nothing is leaked, epsilon is 0, and any bound above 0 is wrong. Of
# 1,500 audits some 75 may be; more than 100 come up once in several hundred times.
#
# Seen: as the last lines of this file have it. What to do: choose the threshold, or the number of guesses, before the
# scores are seen, or divide by the few that were fixed then.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install jax_privacy==2.0.0 jax==0.10.2 jaxlib==0.10.2 dp-accounting==0.6.0 numpy==2.4.6 scipy==1.17.1
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' > "$folder/seen" 2> "$folder/said"
import numpy as np
from jax_privacy import auditing

draw = np.random.default_rng(11)
audits, wrong = 1500, 0
for _ in range(audits):
    sent = draw.random(10_000) < 0.5
    scores = draw.normal(size=10_000)
    wrong += auditing.CanaryScoreAuditor(scores[sent], scores[~sent]).epsilon_one_run(0.05, 1e-12) > 0
print("audits:", audits, "may be wrong: 75", "more than 100 are:", wrong > 100)
print("wrong:", wrong)
PYTHON
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
audits: 1500 may be wrong: 75 more than 100 are: True
wrong: 138
SEEN
