"""The manifest of canaries: all that an auditor needs to audit a final model alone, in one file of JSON.

Its coins are the auditor's until training has ended: whoever trains is given those canaries that take part, as users.
Directions stand in it as they are, coordinate by coordinate, and not as a seed: what a seed draws depends on the version
of NumPy, and what a run without a seed draws from gives away its noise.
"""

import base64
import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore import limits, strict_json
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.learning import canaries
from dpcore.learning.directions import MOST, Directions
from dpcore.limits import refusal
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan

MOST_BYTES = 1 << 24  # of a manifest: a million coordinates take 6 MB
MOST_COORDINATES = 1 << 28  # of a model: 1 GiB of float32
_VERSION = 1
_MOST_LAYERS = 4096
_LEAST_BYSTANDERS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Manifest:
    """What canaries of a training are, and what is claimed of it.

    Attributes:
        layers: The shape of each array of weights by its name, in the order in which coordinates are counted.
        places: Coordinates of the directions' columns, int64 [used].
        signs: Of the columns, 1 or -1, float32 [used].
        coins: Which canaries take part, bool [canaries]: canary i sends along direction i.
        senders: How many directions, from the first, somebody sends along; the others are bystanders.
        length: Of what a canary sends, in clip norms.
        plan: What is claimed.

    Raises:
        InvalidValueError: If these do not fit each other, or no audit can be held against them.
    """

    layers: dict[str, tuple[int, ...]]
    places: NDArray[np.int64]
    signs: NDArray[np.float32]
    coins: NDArray[np.bool_]
    senders: int
    length: float
    plan: PrivacyPlan

    def __post_init__(self) -> None:
        check_layers(self.layers)
        used = len(self.places)
        if not used or used & (used - 1):
            message = _("Expected the manifest to have a power of two of places, found {value}.")
            raise refusal("places", message, used)
        if len(np.unique(self.places)) < used or self.places.min() < 0 or self.places.max() >= self.size:
            message = _("Expected the manifest's places to be different coordinates of its {size:,}, found others.")
            raise InvalidValueError("places", message.format(size=self.size))
        limits.CANARIES.check(len(self.coins))
        most = min(used, MOST) - _LEAST_BYSTANDERS
        if type(self.senders) is not int or not len(self.coins) <= self.senders <= most:
            message = _(
                "Expected the manifest's senders to be {canaries:,}, its canaries, to {most:,}, found {value}."
            )
            words = message.format(canaries=len(self.coins), most=most, value=limits.excerpt(self.senders))
            raise InvalidValueError("senders", words)
        canaries.check_claim(self.plan)

    @property
    def size(self) -> int:
        """How many coordinates the model has."""
        return sum(map(math.prod, self.layers.values()))

    @property
    def directions(self) -> Directions:
        """All of them: the canaries' first."""
        return Directions(self.places, self.signs, self.size)

    def to_json(self) -> str:
        """The manifest as JSON."""
        plan = json.loads(Plan(privacy=self.plan).to_json())
        del plan["training"]  # of which nothing is claimed
        values = {
            "version": _VERSION,
            "layers": [[name, list(shape)] for name, shape in self.layers.items()],
            "places": base64.b64encode(self.places.astype("<i4").tobytes()).decode(),
            "signs": base64.b64encode(np.packbits(self.signs > 0).tobytes()).decode(),
            "coins": "".join("01"[coin] for coin in self.coins.tolist()),
            "senders": self.senders,
            "length": self.length,
            "plan": plan,
        }
        return json.dumps(values, indent=1)

    @classmethod
    def from_json(cls, content: bytes) -> "Manifest":
        """Reads what `to_json` wrote, checking all of it.

        Raises:
            InvalidValueError: If it is something else.
        """
        try:
            read = strict_json.loads(content.decode())
        except ValueError as err:
            message = _("Expected the JSON of a canaries' manifest: {reason}")
            raise InvalidValueError("manifest", message.format(reason=err)) from err
        _version, values = strict_json.versioned(read, "manifest", _VERSION)
        values = strict_json.fields_of(cls, values, "manifest")
        places = _bytes(values, "places")
        signs = np.unpackbits(np.frombuffer(_bytes(values, "signs"), np.uint8))
        used = len(places) // 4
        if len(places) % 4 or len(signs) != -(-used // 8) * 8:
            message = _("Expected the manifest's places as 32 bits each, its signs as one, found {value} bytes.")
            raise refusal("places", message, (len(places), len(signs) // 8))
        return cls(
            layers=_layers(values["layers"]),
            places=np.frombuffer(places, "<i4").astype(np.int64),
            signs=np.where(signs[:used], 1, -1).astype(np.float32),
            coins=_coins(values["coins"]),
            senders=values["senders"],
            length=_length(values["length"]),
            plan=_plan(values["plan"]),
        )


def check_layers(layers: dict[str, tuple[int, ...]]) -> None:
    """Refuses a model that has no coordinates, or more than are looked at here.

    Raises:
        InvalidValueError: If it does.
    """
    size = sum(map(math.prod, layers.values()))
    if not 0 < size <= MOST_COORDINATES:
        message = _("Expected layers with 1 to {most:,} numbers in all, found {size:,}.")
        raise InvalidValueError("layers", message.format(most=MOST_COORDINATES, size=size))


def _layers(values: Any) -> dict[str, tuple[int, ...]]:
    message = _(
        "Expected the manifest's layers to be a list of names, each once, with their shapes, found {value}."
    )
    if not isinstance(values, list) or not 0 < len(values) <= _MOST_LAYERS:
        raise refusal("layers", message, values)
    found: dict[str, tuple[int, ...]] = {}
    for one in values:
        match one:
            case [str(name), list(shape)] if name and name not in found:
                if not all(type(side) is int and 0 < side <= MOST_COORDINATES for side in shape):
                    raise refusal("layers", message, one)
                found[name] = tuple(shape)
            case _:
                raise refusal("layers", message, one)
    return found


def _bytes(values: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(values[name], validate=True)
    except (TypeError, ValueError):
        message = _("Expected the manifest's {name} to be in Base64, found {value}.")
        raise refusal(name, message, values[name]) from None


def _coins(values: Any) -> NDArray[np.bool_]:
    if not isinstance(values, str) or set(values) - {"0", "1"}:
        message = _("Expected the manifest's coins to be a text of 0 and 1, one for each canary, found {value}.")
        raise refusal("coins", message, values)
    return np.array([coin == "1" for coin in values], bool)


def _length(value: Any) -> float:
    if type(value) not in (int, float) or not 1 <= value <= 1e6:
        message = _("Expected the manifest's length to be at least 1 clip norm, found {value}.")
        raise refusal("length", message, value)
    return float(value)


def _plan(values: Any) -> PrivacyPlan:
    if not isinstance(values, dict) or "training" in values:
        message = _("Expected the manifest's plan to have a version and its privacy, found {value}.")
        raise refusal("plan", message, values)
    return Plan.from_values(values | {"training": asdict(TrainingPlan())}).privacy
