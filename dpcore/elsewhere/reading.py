"""A record of any framework, from the bytes of a file: which one it is, and the round log that it says.

Nothing is executed, unpickled or fetched: texts are matched, JSON is read, and all else is refused with one sentence.
"""

from typing import Any

from dpcore import strict_json
from dpcore.elsewhere import log
from dpcore.elsewhere.adapters import csv_rounds, events, flower, nvflare, opacus, pfl
from dpcore.elsewhere.log import RoundLog
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.limits import check_choice, excerpt

FORMS = ("log", "flower", "pfl", "nvflare", "opacus", "tff", "jax-privacy", "csv")
MOST_BYTES = 32 * 2**20
_JSON = {
    "flower": (flower.is_state, flower.from_state),
    "pfl": (pfl.is_record, pfl.from_record),
    "nvflare": (nvflare.is_record, nvflare.from_record),
    "opacus": (opacus.is_record, opacus.from_record),
}


def read(content: bytes, form: str | None = None, *, run: str | None = None, rounds: int | None = None) -> RoundLog:
    """Returns the round log that the content of a file says.

    Args:
        content: The file.
        form: One of `FORMS`; `None` finds out.
        run: Of several runs in one file, the name of the one that is meant.
        rounds: How many rounds were run, by whoever knows.

    Raises:
        InvalidValueError: If it is too large, damaged, or nothing that is known here.
    """
    if form is not None:
        check_choice("as", form, FORMS)
    text = _text(content)
    if text.lstrip()[:1] in ("{", "["):
        return _of_json(_loaded(text), form, run, rounds)
    if form in (None, "flower") and (form or flower.is_log(text)):
        return _log(flower.from_log(text, rounds))
    if form in (None, "tff", "jax-privacy") and (form or events.is_event(text)):
        return _log(events.from_text(text, form or _printed_by(text)))
    if form in (None, "pfl") and pfl.is_table(text):
        return _log(pfl.from_table(text))
    if form in (None, "csv") and (form or csv_rounds.is_table(text)):
        return _log(csv_rounds.from_table(text))
    if form is None:
        raise _foreign(text)
    message = _("Expected a record of {form} as JSON, found a text that begins with {found}.")
    raise InvalidValueError("file", message.format(form=form, found=excerpt(text[:40])))


def _text(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        message = _("Expected a file of at most {most} MB, found {found:,} bytes.")
        raise InvalidValueError("file", message.format(most=MOST_BYTES // 2**20, found=len(content)))
    try:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = content.decode("utf-16")
        else:
            text = content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        message = _("Expected a text in UTF-8, found other bytes: pickles and archives are never opened here.")
        raise InvalidValueError("file", message) from err
    if not text.strip() or "\0" in text:
        raise InvalidValueError(
            "file", _("Expected a record of a run, found an empty file or bytes that are no text.")
        )
    return text


def _loaded(text: str) -> Any:
    try:
        return strict_json.loads(text)
    except ValueError as err:
        message = _("Expected a file of JSON, found one that breaks off or is damaged: {reason}.")
        raise InvalidValueError("file", message.format(reason=str(err)[:200])) from err


def _of_json(values: Any, form: str | None, run: str | None, rounds: int | None) -> RoundLog:
    if run is not None or not _is_known(values):
        values = _chosen(values, run)
    if isinstance(values, str) and (events.is_event(values) or form in ("tff", "jax-privacy")):
        return _log(events.from_text(values, form or _printed_by(values)))
    if isinstance(values, str) and flower.is_log(values):
        return _log(flower.from_log(values, rounds))
    if form is None:
        form = _form_of(values)
    if form == "log":
        return log.from_values(values)
    if form in _JSON:
        return _log(_JSON[form][1](values))
    if form in ("tff", "jax-privacy") and isinstance(values, dict) and isinstance(values.get("dp_event"), str):
        return _log(events.from_text(values["dp_event"], form))
    raise InvalidValueError("file", _("Expected a record of {form}, found other JSON.").format(form=form))


def _is_known(values: Any) -> bool:
    return isinstance(values, dict) and (
        "version" in values or "dp_event" in values or any(is_record(values) for is_record, _from in _JSON.values())
    )


def _chosen(values: Any, run: str | None) -> Any:
    """One of several runs that an object has by their names; that of all where they are the same run."""
    if not isinstance(values, dict) or not values:
        return values
    if run is not None:
        if run in values:
            return values[run]
        message = _("Expected run to be one of {names}, found {found}.")
        raise InvalidValueError("run", message.format(names=excerpt(list(values)), found=excerpt(run)))
    if all(opacus.is_record(one) for one in values.values()):
        if len({str(one["history"]) for one in values.values()}) == 1:
            return next(iter(values.values()))
    elif not all(_is_known(one) or (isinstance(one, str) and events.is_event(one)) for one in values.values()):
        return values
    if len(values) == 1:
        return next(iter(values.values()))
    message = _("Expected the record of one run, found {count}: choose one by --run, of {names}.")
    raise InvalidValueError("run", message.format(count=len(values), names=excerpt(list(values))))


def _form_of(values: Any) -> str:
    for form, (is_record, _from) in _JSON.items():
        if is_record(values):
            return form
    if isinstance(values, dict) and isinstance(values.get("dp_event"), str):
        return _printed_by(values["dp_event"])
    if isinstance(values, dict) and "version" in values:
        return "log"
    raise _foreign(str(values))


def _printed_by(text: str) -> str:
    return "tff" if "NamedTupleWrapper" in text else "jax-privacy"


def _log(values: dict[str, Any]) -> RoundLog:
    return log.from_values({"version": log.VERSION, "rounds": None, **values})


def _foreign(text: str) -> InvalidValueError:
    message = _(
        "Expected a round log, or a record of Flower, pfl, NVFlare, Opacus, TFF or jax-privacy, found something else "
        "that begins with {found}. Say with --as what it is."
    )
    return InvalidValueError("file", message.format(found=excerpt(text[:40])))
