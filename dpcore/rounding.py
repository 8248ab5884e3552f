"""Numbers of privacy as people read them: the one place that rounds them, each in its safe direction.

What was given (a delta, the rate or the prior that a bound is for) is written in full. What was computed is rounded so
that nobody reads a promise that is not kept: epsilon and what attacks achieve up, noise that was added down, noise that
is needed up. What arithmetic is done here is exact, on the shortest decimal that is that float.
"""

import math
from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

UNKNOWN = "–"
# Room for every product here to be exact; a quotient or a difference that is not is rounded the safe way.
_UP, _DOWN = (Context(prec=60, rounding=rounding) for rounding in (ROUND_CEILING, ROUND_FLOOR))
LEAST_P = 1e-300  # of a p-value that is told: smaller ones are said to be at most that, and never to be nothing
_NO_GUARANTEE = 1e15  # an epsilon above is none to anybody


def given(value: float) -> str:
    """Returns a number with all its digits, as somebody gave it.

    >>> given(1e-05), given(8.0), given(0.0100001)
    ('1e-05', '8', '0.0100001')
    """
    return "∞" if math.isinf(value) else repr(float(value)).removesuffix(".0")


def given_percent(fraction: float) -> str:
    """Returns a fraction that somebody gave (a false-positive rate, a prior), in full.

    >>> given_percent(0.0100001), given_percent(0.016), given_percent(0.5)
    ('1.00001%', '1.6%', '50%')
    """
    return f"{_written(_hundred(fraction))}%"


def epsilon(value: float) -> str:
    """Returns an epsilon, never below what it is.

    >>> epsilon(1.98801), epsilon(69.4569), epsilon(math.inf)
    ('1.989', '69.5', '∞')
    """
    if not value < _NO_GUARANTEE:
        return "∞"
    return f"{_exact(value).quantize(Decimal('0.001' if value < 10 else '0.1'), context=_UP):,}"


def epsilon_left(budget: float, spent: float) -> str:
    """Returns what an epsilon leaves of a budget, never above what that is; nothing, where it is exceeded.

    >>> epsilon_left(8.0, 7.0004), epsilon_left(8.0, math.inf)
    ('0.999', '0.000')
    """
    if not spent < budget:
        return "0.000"
    return f"{_DOWN.subtract(_exact(budget), _exact(spent)).quantize(Decimal('0.001'), context=_DOWN)}"


def percent(fraction: float) -> str:
    """Returns what an attack achieves at most (a true-positive rate, an advantage, a posterior), never below what it is.

    >>> percent(0.026225), percent(0.5), percent(1.0)
    ('2.63%', '50%', '100%')
    """
    return f"{_written(min(_rounded(_hundred(fraction), 3, ROUND_CEILING), Decimal(100)))}%"


def down_percent(fraction: float) -> str:
    """Returns what is reached without an attack, never above what it is.

    >>> down_percent(1 - 0.41)
    '59%'
    """
    return f"{_written(_rounded(_hundred(fraction), 3, ROUND_FLOOR))}%"


def noise(noise_multiplier: float) -> str:
    """Returns the noise that is, or was, added: as it is, and never above that.

    >>> noise(1.2), noise(1.0), noise(1.2060453783105)
    ('1.2', '1', '1.20604537831')
    """
    return down(noise_multiplier, 12)


def noise_needed(noise_multiplier: float) -> str:
    """Returns the noise that something takes, never below what that is.

    >>> noise_needed(1.10842)
    '1.109'
    """
    return up(noise_multiplier, 4)


def ratio(noise_multiplier: float, clients: float) -> str:
    """Returns noise over clients, never above what it is.

    >>> ratio(0.7, 70), ratio(1.2, 110)
    ('0.01', '0.0109')
    """
    return _written(_rounded(_DOWN.divide(_exact(noise_multiplier), _exact(clients)), 3, ROUND_FLOOR))


def probability(clients: int, population: int) -> str:
    """Returns with which probability a user is sampled, never below what it is.

    >>> probability(120, 3383)
    '0.0355'
    """
    return _written(_rounded(_UP.divide(_exact(clients), _exact(population)), 3, ROUND_CEILING))


def delta_multiple(delta: float, population: int) -> str:
    """Returns how many times 1 / population a delta is, never below what that is.

    >>> delta_multiple(1e-05, 3383)
    '0.0339'
    """
    return _written(_rounded(_UP.multiply(_exact(delta), _exact(population)), 3, ROUND_CEILING))


def up(value: float, digits: int = 3) -> str:
    """Returns what something is at most, or at least has to be, in so many digits.

    >>> up(0.0302001), up(12)
    ('0.0303', '12')
    """
    return _computed(value, digits, ROUND_CEILING)


def down(value: float, digits: int = 3) -> str:
    """Returns what something is at least, in so many digits.

    >>> down(0.0309999), down(12)
    ('0.0309', '12')
    """
    return _computed(value, digits, ROUND_FLOOR)


def p_value(value: float) -> str:
    """Returns how probable something is at most, never nothing.

    >>> p_value(0.01234), p_value(1e-300), p_value(0.0)
    ('0.013', '< 1e-300', '< 1e-300')
    """
    return up(value, 2) if value > LEAST_P else f"< {given(LEAST_P)}"


def short(values: Iterable[float], digits: int = 3) -> list[float]:
    """Returns the nearest numbers with so few digits that they are written in full: where a chart has its points.

    >>> short([0.123456, 7])
    [0.123, 7.0]
    """
    return [float(f"{value:.{digits}g}") for value in values]


def _computed(value: float, digits: int, rounding: str) -> str:
    if not math.isfinite(value):
        return UNKNOWN if math.isnan(value) else "∞"
    return _written(_rounded(_exact(value), digits, rounding))


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def _hundred(fraction: float) -> Decimal:
    return _UP.multiply(_exact(fraction), Decimal(100))


def _rounded(value: Decimal, digits: int, rounding: str) -> Decimal:
    return Context(prec=digits, rounding=rounding).create_decimal(value)


def _written(value: Decimal) -> str:
    """All digits of a number, and no zeros behind them; by powers of ten where it is very large or small."""
    value = _UP.plus(value).normalize(_UP)  # no minus before a zero
    if not value or -5 < value.adjusted() < 16:
        return f"{value:f}"
    as_float = repr(float(value))  # "1e-05", as plans and options have it
    return as_float if Decimal(as_float) == value else f"{value:e}"
