"""What the address of a page may name, and how each text in it is read. Knows no page and no session.

A link is written by people and by other versions too: what it holds is taken only if the control could show it, and every
other part of it is told of by a sentence.
"""

import difflib
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from dpcore import language, limits
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.limits import Knob
from dpcore.mechanisms import choices, clipping
from dpcore.plan import ADJACENCIES, MODELS
from dpcore.privacy import accounting, calibration
from dpcore.runs.store.run_rows import ACTIVE, ENDED
from dpcore.runs.studies import ready_made
from dpcore.runs.studies.study import BASELINES
from dpcore.ui.core.markdown import plain

LANGUAGE, VERSION, ANEW = "lang", "version", "anew"
EPSILON = "epsilon"  # what is solved for where nothing is
DRAW = Knob(name="draw", minimum=0, maximum=10**10 - 1, default=0, integer=True, help="")
_AXES = re.compile(r"axis_[a-z0-9_-]{1,63}")  # one for each data set
_SIMPLE = re.compile(r"[-+]?[0-9.]+(e[-+]?[0-9]+)?|[A-Za-z0-9]+(_[A-Za-z0-9]+)*")  # is no Markdown, and no address
_HALF = re.compile("[\ud800-\udfff]")  # of a character: JSON can name one, and no address holds it
MOST_CHARACTERS = 200  # of a text
_EVERYBODY = "everybody"  # as links have said of full participation
_SHOWN = 40  # characters of a name or a value in a sentence
_MOST_PARTS = 100


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A part of an address.

    Attributes:
        name: What addresses call it; its control has this key.
        pages: The pages that have it, as their files are called.
        read: Makes a value of a text, or raises `InvalidValueError`.
        default: What stands in the control where no address says anything, if that is always the same.
        several: Whether commas part its values.
    """

    name: str
    pages: frozenset[str]
    read: Callable[[str], Any]
    default: Any = None
    several: bool = False


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What an address says.

    Attributes:
        values: What it sets to something else than the default, by name.
        given: Every name of a parameter in it, also of those that are not taken.
        refusals: A sentence for each part that is not taken, in the language that is spoken.
        anew: Whether every control that it does not name is to be at its default.
    """

    values: dict[str, Any] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    anew: bool = False


def written(value: Any) -> str:
    """Returns a value as addresses have it.

    >>> written(160.0), written(1e-5), written(True), written(["finished", "stopped"])
    ('160', '1e-05', 'true', 'finished,stopped')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(value)
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return str(int(value)) if whole else str(value)


def quoted(text: str) -> str:
    """Returns Markdown that reads as what somebody has written into an address, shortened.

    >>> quoted("10.5"), quoted("[more](//evil.example)"), quoted("1" * 5000)[-3:]
    ('10.5', '\\\\[more\\\\]\\\\(\\\\/\\\\/evil\\\\.example\\\\)', '1 …')
    """
    if not text.strip():
        return _("nothing")
    if len(text) > _SHOWN:
        return f"{quoted(text[:_SHOWN])} …"
    if _SIMPLE.fullmatch(text):
        return text
    return plain(
        "".join(char if char.isprintable() or char.isspace() else "\N{REPLACEMENT CHARACTER}" for char in text)
    )


def of_page(page: str, names: Collection[str]) -> list[str]:
    """Returns those of the names that the address of a page may have, in the order in which it has them."""
    order = [*_PARAMETERS, *sorted(filter(_AXES.fullmatch, names))]
    found = ((name, _find(name, page)) for name in order if name in names)
    return [name for name, parameter in found if parameter is not None and page in parameter.pages]


def read(page: str, given: Mapping[str, list[str]]) -> Reading:
    """Returns what an address says to a page: every value that its controls can take, and why the others are not taken.

    Args:
        page: The file of the page, without its ending.
        given: The texts in the address by their names; a name may stand there several times.
    """
    reading = Reading(anew=ANEW in given)
    texts_of = {name: list(texts) for name, texts in given.items() if name not in (ANEW, VERSION)}
    for text in given.get(ANEW, []):
        for name, value in _unpacked(text, reading.refusals):
            texts_of.setdefault(name, []).append(value)
    if len(texts_of) > _MOST_PARTS:
        reason = _("Expected at most {most} names in the link, found {count}; the first are taken.")
        reading.refusals.append(reason.format(most=_MOST_PARTS, count=len(texts_of)))
    for name, texts in itertools.islice(texts_of.items(), _MOST_PARTS):
        parameter = _find(name, page)
        if parameter is None:
            reading.refusals.append(_unknown(name))
            continue
        reading.given.append(name)
        if len(set(texts)) > 1:
            reason = _("Expected {name} once in the link, found it {count} times with different values.")
            reading.refusals.append(_refusal(parameter, reason.format(name=name, count=len(texts))))
        else:
            _take(parameter, texts[0], reading)
    if _EVERYBODY in reading.given:
        _read_everybody(reading)
    return reading


def _read_everybody(reading: Reading) -> None:
    """What is said of full participation by a switch, is said by a kind of participation."""
    reading.given.remove(_EVERYBODY)
    everybody = reading.values.pop(_EVERYBODY, False)
    if "participation" not in reading.given:
        reading.given.append("participation")
        if everybody:
            reading.values["participation"] = "full"


def not_here(page: str, name: str, value: str) -> str:
    """Returns the sentence about a value that could stand in the address of a page, were it there."""
    parameter = _find(name, page)
    if parameter is None or parameter.default is None:
        gone = _("The link names {name}, which is not here: in the bin, removed, or of another dashboard.")
        return gone.format(name=quoted(value))
    reason = _("Expected {name} to be one of those that are offered here, found {value}.")
    return _refusal(parameter, reason.format(name=name, value=quoted(value)))


def _take(parameter: Parameter, text: str, reading: Reading) -> None:
    parts = list(dict.fromkeys(filter(None, text.split(",")))) if parameter.several else [text]
    taken, reasons = [], []
    for part in parts[:_MOST_PARTS]:
        try:
            taken.append(parameter.read(part))
        except InvalidValueError as err:
            reasons.append(str(err))
    if len(parts) > _MOST_PARTS:
        reason = _("Expected {name} to have at most {most:,} parts, found {count:,}; the first are taken.")
        reasons.append(reason.format(name=parameter.name, most=_MOST_PARTS, count=len(parts)))
    if taken and taken[0] != parameter.default:
        reading.values[parameter.name] = taken if parameter.several else taken[0]
    reading.refusals.extend(reason if taken else _refusal(parameter, reason) for reason in reasons)


def _unpacked(text: str, refusals: list[str]) -> list[tuple[str, str]]:
    """Returns the names and texts of a link that one parameter holds as JSON."""
    try:
        packed = json.loads(text, object_pairs_hook=tuple)  # a name that stands there twice is told of
    except (ValueError, RecursionError):
        packed = None
    if not isinstance(packed, tuple):
        reason = _("Expected {name} to be a JSON object of names and values, found {value}. It is left out.")
        refusals.append(reason.format(name=ANEW, value=quoted(text)))
        return []
    texts = []
    for name, value in packed:
        if isinstance(value, str | int | float) and not _HALF.search(written(value)):
            texts.append((name, written(value)))
        else:
            reason = _("Expected {name} to be a text, a number, true or false. It is left out.")
            refusals.append(reason.format(name=quoted(name)))
    return texts


def _unknown(name: str) -> str:
    reason = _("Expected names that a page knows, found {name}.").format(name=quoted(name))
    known = [*_PARAMETERS, LANGUAGE, VERSION]
    likely = difflib.get_close_matches(name.lower().replace("-", "_")[: 2 * _SHOWN], known, n=1, cutoff=0.8)
    meant = [_("Perhaps {name} is meant.").format(name=likely[0])] if likely else []
    return " ".join([reason, *meant, _("It is left out.")])


def _refusal(parameter: Parameter, reason: str) -> str:
    if parameter.default is None:
        return f"{reason} " + _("It is left out.")
    return f"{reason} " + _("Its default is used: {value}.").format(value=written(parameter.default))


def _find(name: str, page: str) -> Parameter | None:
    if _AXES.fullmatch(name):
        return _choice(name, "frontier", options=_axes, default=EPSILON)
    kinds = _PARAMETERS.get(name, [])
    return next((kind for kind in kinds if page in kind.pages), kinds[0] if kinds else None)


class _Verbatim(str):
    """A text that stands in a sentence as it is."""

    __slots__ = ()
    __repr__ = str.__str__


def _knob(setting: Knob, *pages: str) -> Parameter:
    def number(text: str) -> float:
        try:
            return setting.check(float(text))
        except (ValueError, InvalidValueError):
            return setting.check(_Verbatim(quoted(text)))  # is no number: this raises, with what the address says

    return Parameter(name=setting.name, pages=frozenset(pages), read=number, default=setting.default)


def _optional(setting: Knob, *pages: str) -> Parameter:
    """A knob whose number follows from others where none is given."""
    return replace(_knob(setting, *pages), default=None)


def _switch(name: str, *pages: str, default: bool = False) -> Parameter:
    def switch(text: str) -> bool:
        if text.lower() in ("true", "false"):
            return text.lower() == "true"
        reason = _("Expected {name} to be true or false, found {value}.")
        raise InvalidValueError(name, reason.format(name=name, value=quoted(text)))

    return Parameter(name=name, pages=frozenset(pages), read=switch, default=default)


def _choice(
    name: str,
    *pages: str,
    options: Callable[[], Iterable],
    default: Any = None,
    several: bool = False,
    refused: Mapping[str, str] = MappingProxyType({}),
) -> Parameter:
    """Options are looked up when somebody names one: what lists them may take a while to import.

    `refused` are known and no options, with the reason.
    """

    def choice(text: str) -> Any:
        by_text = {written(option): option for option in options()}
        if text in by_text:
            return by_text[text]
        if text in refused:
            raise InvalidValueError(name, _(refused[text]))
        reason = _("Expected {name} to be one of {choices}, found {value}.")
        raise InvalidValueError(name, reason.format(name=name, choices=", ".join(by_text), value=quoted(text)))

    return Parameter(name=name, pages=frozenset(pages), read=choice, default=default, several=several)


def _text(name: str, *pages: str, least: int = 1, most: int = MOST_CHARACTERS, several: bool = False) -> Parameter:
    """What only a page can judge, as the name of a run."""

    def text_of(text: str) -> str:
        if least <= len(text) <= most:
            return text
        reason = _("Expected {name} to have {least} to {most:,} characters, found {count:,}.")
        raise InvalidValueError(name, reason.format(name=name, least=least, most=most, count=len(text)))

    return Parameter(name=name, pages=frozenset(pages), read=text_of, several=several)


def _screens() -> Iterable[str]:
    from dpcore.ui.lesson import guide

    return guide.SCREENS


def _claims() -> Iterable[str]:
    from dpcore.lesson import mistakes

    return [claim.name for claim in mistakes.CLAIMS]


def _game_noise() -> Iterable[float]:
    from dpcore.ui.lesson import game

    return game.NOISE


def _accepted() -> Iterable[float]:
    from dpcore.ui.lesson import tradeoff

    return tradeoff.ACCEPTED


def _breaks() -> Iterable[str]:
    from dpcore.runs.audit import demo

    return (demo.NONE, *demo.BREAKS)


def _curves() -> Iterable[str]:
    from dpcore.ui.accountant import curves

    return curves.CHOICES


def _axes() -> Iterable[str]:
    from dpcore.charts import studies

    return studies.AXES


def _run_axes() -> Iterable[str]:
    from dpcore.charts import compared

    return compared.AXES


_PARAMETERS: dict[str, list[Parameter]] = {}
for _parameter in (
    _choice("screen", "learn", options=_screens, default="update"),
    _switch("lecture", "learn"),
    replace(_knob(DRAW, "learn"), default=None),  # some screens draw at random
    _knob(limits.WRITER, "learn"),
    _knob(limits.INITIAL_CLIP_NORM, "learn", "train", "study"),
    _knob(limits.BANDS, "learn"),
    _choice("game_noise", "learn", options=_game_noise, default=1.2),
    _choice("tradeoff_accepted", "learn", options=_accepted, default=2.0),
    _choice("lesson_claim", "learn", options=_claims),
    _choice("solve", "accountant", options=lambda: (EPSILON, *calibration.UNKNOWNS), default=EPSILON),
    _knob(limits.NOISE_MULTIPLIER, "accountant", "train", "learn"),
    _switch(_EVERYBODY, "accountant"),
    _choice(
        *("participation", "accountant", "train"),
        options=lambda: choices.PARTICIPATION_BY_KIND,
        default="poisson",
        refused=choices.REFUSED,
    ),
    _optional(limits.MIN_SEPARATION, "accountant", "train"),
    _optional(limits.MAX_PARTICIPATIONS, "accountant", "train"),
    _choice("noise", "accountant", "train", options=lambda: choices.NOISE_BY_KIND, default="independent"),
    _optional(limits.BANDS, "accountant", "train"),
    _knob(limits.CLIENTS_PER_ROUND, "accountant", "train", "learn"),
    _knob(limits.ROUNDS, "accountant", "train", "frontier"),
    _knob(limits.POPULATION, "accountant"),
    _knob(limits.DELTA, "accountant", "train", "study", "frontier"),
    _choice("adjacency", "accountant", "train", options=lambda: ADJACENCIES, default=ADJACENCIES[0]),
    _choice("clipping", "accountant", "train", "study", options=lambda: clipping.BY_KIND, default="adaptive"),
    _knob(limits.CLIP_NORM, "accountant", "train", "study"),
    _knob(limits.TARGET_UNCLIPPED_QUANTILE, "train", "study"),
    _knob(limits.CLIP_LEARNING_RATE, "train", "study"),
    *(
        _knob(setting, "train")
        for setting in (
            limits.CLIENT_LEARNING_RATE,
            limits.LOCAL_EPOCHS,
            limits.SERVER_LEARNING_RATE,
            limits.SERVER_MOMENTUM,
        )
    ),
    _knob(limits.BATCH_SIZE, "train", "study"),
    _knob(limits.TARGET_EPSILON, "accountant", "study", "frontier"),
    _knob(limits.NOISE_TO_CLIENTS_RATIO, "accountant", "data"),
    _choice("accountant", "accountant", options=lambda: accounting.ACCOUNTANTS, default="pld"),
    _choice("accountant", "study", options=lambda: accounting.ACCOUNTANTS, default="rdp"),
    _choice("against", "accountant", options=_curves, default="rounds"),
    _knob(limits.FALSE_POSITIVE_RATE, "accountant"),
    _knob(limits.PRIOR, "accountant"),
    _knob(limits.TRUE_POSITIVE_RATE, "accountant"),
    _switch("way_back", "accountant"),
    _text("dataset", "data", "train", "study", "frontier", "ledger"),
    _choice("model", "train", "study", options=lambda: MODELS, default=MODELS[0]),
    _knob(limits.SEED, "train"),
    _knob(limits.EVAL_EVERY, "train"),
    _switch("unseeded", "train"),
    _switch("zeroing", "train"),
    _switch("stop_when_diverging", "train"),
    _switch("audit", "train", "study"),
    _knob(limits.CANARIES, "train"),
    _text("run", "train"),
    _text("audited", "audit"),
    _text("beside", "audit"),
    _choice("break", "audit", options=_breaks, default="none"),
    _text("study", "study"),
    _choice("ready_made", "study", options=lambda: ready_made.STUDIES),
    _choice(
        *("participations", "study"),
        options=lambda: choices.PARTICIPATION_BY_KIND,
        several=True,
        refused=choices.REFUSED,
    ),
    _choice("noise_kinds", "study", options=lambda: choices.NOISE_BY_KIND, several=True),
    _text("mechanism", "frontier"),
    *(
        _text(name, "study", least=0, most=limits.MOST_GRID_TEXT)
        for name in (
            *("noises", "cohorts", "lengths", "rates"),
            *("server_rates", "momenta", "epochs", "clip_norms"),
        )
    ),
    _knob(limits.SEEDS, "study"),
    _choice("baseline", "study", options=lambda: BASELINES, default=BASELINES[0]),
    _switch("final", "study", default=True),
    _knob(limits.TOLERANCE, "study"),
    _text("find", "runs", least=0),
    _choice("status", "runs", options=lambda: (*ACTIVE, *ENDED), several=True),
    _text("runs", "runs", several=True),
    _text("pinned", "train", "runs"),
    _choice("x_axis", "runs", options=_run_axes, default="round"),
    _knob(limits.SMOOTHING, "runs"),
    _text("record", "elsewhere", most=limits.MOST_RECORD_TEXT),
    _choice(LANGUAGE, options=lambda: language.LANGUAGES),
):
    _PARAMETERS.setdefault(_parameter.name, []).append(_parameter)
