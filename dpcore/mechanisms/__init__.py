"""The parts of a plan that answer for themselves: who takes part, how updates are bounded, what noise is added, the cost.

They know NumPy and no plan. A kind is a frozen class and a place in the tuple of its module; whoever needs to know what
a kind does asks the value, and nobody else looks at its class (`tests/test_architecture.py`).
"""
