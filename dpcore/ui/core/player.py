"""What the controls below a figure that has frames are called; `assets/player.js` says how they work."""

from dpcore.language import _


def labels() -> dict[str, str]:
    """Returns the label of each control."""
    return {
        "player": _("Play the figure"),
        "play": _("Play"),
        "pause": _("Pause"),
        "back": _("Step back"),
        "forward": _("Step forward"),
        "frame": _("Frame shown"),
    }
