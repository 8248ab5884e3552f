"""What accountants can answer, and by how much their arithmetic may be off."""

# The Renyi orders of the tutorial "Differential Privacy in TFF".
RDP_ORDERS = [1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0, 4.5, *range(5, 64), 128, 256, 512]

# log A(order) of a round is summed from float64 terms near 1. Where sampling makes it tiny, it carries an
# absolute error of up to some 1e-13 and can cancel to 0: `dp-accounting` 0.4.3 then answers epsilon 0 where
# 0.04 is right. Adding more than that keeps the answer an upper bound; it moves the tutorial's epsilon in
# the tenth digit. (Where log A is large, its error is relative, 1e-16.)
LOG_A_ERROR = 1e-12

# The library's PLD takes minutes and gigabytes for less noise, cuts off tails of 1e-15 a time, and sums exp(-loss), which
# underflows above 745. Beyond, `composition.py` answers: down to deltas whose tails a float still has.
PLD_LEAST_NOISE, PLD_LEAST_DELTA, PLD_MOST_EPSILON = 0.15, 1e-10, 700
COMPOSED_LEAST_DELTA = 1e-200

# Composing by FFT, the library's mass of a tail is off by up to 1.6e-16 a round in either direction (measured
# against 80-bit floats), and with a million rounds its epsilon comes out too small. Taking more than that off
# delta keeps the answer an upper bound.
FFT_ERROR = 1e-15
