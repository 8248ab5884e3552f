#!/bin/sh
# Streamlit 1.67.0, cache_data: two values that differ only in the class of a part get one answer.
#
# An argument that is a dataclass is hashed by `dataclasses.asdict`. That turns the dataclasses inside it into dictionaries
# of their fields: which class they were is lost. So variants of one idea that have the same fields, or none (a usual way to
# write a tagged union in Python), share an entry, and the first answer is given for all of them, with no warning. At the
# top the class does count: a test that passes the parts themselves sees nothing wrong.
#
# Here two plans, unequal by ==, differ in how users are sampled. The second is answered with the first one's number, which
# for a privacy budget is the unsafe direction if the first was the better one.
#
# Seen: as the last lines of this file have it. What to do: give each class a field that names it (`field(default=...,
# init=False)`), or pass `hash_funcs` for the outer class.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install "streamlit==1.67.0"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' > "$folder/seen" 2> "$folder/said"
from dataclasses import dataclass, field

import streamlit as st


@dataclass(frozen=True)
class Secret:
    """Users are sampled in secret."""


@dataclass(frozen=True)
class Known:
    """Everybody knows who is sampled."""


@dataclass(frozen=True)
class NamedKnown:
    name: str = field(default="known", init=False)


@dataclass(frozen=True)
class Plan:
    rounds: int
    sampling: object


@st.cache_data
def epsilon(plan):
    return 1.7 if isinstance(plan.sampling, Secret) else 69.5


@st.cache_data
def epsilon_of_part(sampling):
    return 1.7 if isinstance(sampling, Secret) else 69.5


print("equal:", Plan(100, Secret()) == Plan(100, Known()))
print("secret:", epsilon(Plan(100, Secret())))
print("known:", epsilon(Plan(100, Known())), "of", epsilon.__wrapped__(Plan(100, Known())))
print("known, with a field that names it:", epsilon(Plan(100, NamedKnown())))
print("the parts alone:", epsilon_of_part(Secret()), epsilon_of_part(Known()))
PYTHON
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
equal: False
secret: 1.7
known: 1.7 of 69.5
known, with a field that names it: 69.5
the parts alone: 1.7 69.5
SEEN
