"""A whole round on one line, above every screen of the lesson: the part that the screen is about is lit."""

import streamlit as st

from dpcore.language import N_, _

# Who, what happens there, and the screen about it.
PARTS = (
    (N_("Devices"), N_("client sampling"), "sampling"),
    (N_("Devices"), N_("local updates"), "update"),
    (N_("Trusted server"), N_("clipping"), "clipping"),
    (N_("Trusted server"), N_("noisy aggregation"), "noise"),
    (N_("Trusted server"), N_("noise over rounds"), "correlated"),
    (N_("Released"), N_("model"), "tradeoff"),
    (N_("Released"), N_("leakage"), "game"),
)


def show(current: str) -> None:
    """Shows the line; `current` is the key of the screen."""
    name, places = _("One round"), dict[str, list[str]]()
    for place, what, screen in PARTS:
        lit = ' aria-current="step"' if screen == current else ""
        places.setdefault(_(place), []).append(f"<li{lit}>{_(what)}</li>")
    line = "".join(f"<span><b>{place}</b><ul>{''.join(items)}</ul></span>" for place, items in places.items())
    st.html(f'<div class="epsilon-lab-round" role="group" aria-label="{name}">{line}</div>')
