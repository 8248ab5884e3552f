"""The parts of a JSON file one after the other, so that memory holds one of them and not the file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from dpcore.errors import DatasetError
from dpcore.language import _

_CHARACTERS = 1 << 20  # read at a time
_LARGEST = 1 << 28  # characters of one value
_BLANK = " \t\r\n"
_DECODER = json.JSONDecoder()


class JsonStream:
    """A cursor in a file of JSON. What it reads is checked as far as it goes."""

    def __init__(self, file: TextIO, path: Path):
        self._file, self._path = file, path
        self._text, self._place, self._ended = "", 0, False
        self._line, self._column = 1, 1  # where `_text` begins
        self._longest = 0  # characters of a value so far
        self.characters = 0  # read so far

    def peek(self) -> str:
        """Returns the next character that is no blank; at the end an empty one."""
        while True:
            while self._place < len(self._text) and self._text[self._place] in _BLANK:
                self._place += 1
            if self._place < len(self._text) or not self._more(_CHARACTERS):
                return self._text[self._place : self._place + 1]

    def expect(self, characters: str) -> str:
        """Takes the next character, which must be one of some."""
        found = self.peek()
        if not found or found not in characters:
            raise self._broken(_("expected {expected}").format(expected=" or ".join(characters)))
        self._place += 1
        return found

    def value(self) -> Any:
        """Takes the next value, whole."""
        self.peek()
        if len(self._text) - self._place < self._longest:
            self._more(max(_CHARACTERS, 2 * self._longest))  # or most values would be tried twice
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._place)
                if end < len(self._text) or self._ended:  # a number may go on
                    self._longest = max(self._longest, end - self._place)
                    self._place = end
                    return found
            except RecursionError as err:
                raise self._broken(_("lists in lists in lists, too deep")) from err
            except json.JSONDecodeError as err:
                if self._ended:
                    self._place = err.pos
                    raise self._broken(err.msg if self.peek() else _("it ends in the middle of a value")) from err
            except ValueError as err:  # a number of thousands of digits
                raise self._broken(str(err).partition(":")[0]) from err
            if len(self._text) - self._place > _LARGEST:
                raise self._broken(_("one value of more than {most:,} characters").format(most=_LARGEST))
            self._more(max(_CHARACTERS, len(self._text) - self._place))

    def items(self) -> Iterator[str]:
        """Yields the names of an object; who iterates takes the value after each."""
        self.expect("{")
        if self.peek() == "}":
            self._place += 1
            return
        while True:
            name = self.value()
            if not isinstance(name, str):
                raise self._broken(_("expected a name in quotes"))
            self.expect(":")
            yield name
            if self.expect(",}") == "}":
                return

    def elements(self) -> Iterator[Any]:
        """Yields the values of a list."""
        self.expect("[")
        if self.peek() == "]":
            self._place += 1
            return
        while True:
            yield self.value()
            if self.expect(",]") == "]":
                return

    def values(self) -> Iterator[Any]:
        """Yields all values to the end of the file, as JSON lines have them."""
        while self.peek():
            yield self.value()

    def end(self) -> None:
        """Takes nothing more, which must be all."""
        if self.peek():
            raise self._broken(_("expected the end"))

    def _more(self, count: int) -> bool:
        """Reads on; false at the end of the file."""
        self._line, self._column = self._where()
        self._text, self._place = self._text[self._place :], 0
        try:
            read = self._file.read(count)
        except UnicodeDecodeError as err:
            raise self._broken(_("it is not UTF-8; save it as UTF-8")) from err
        self._text += read
        self.characters += len(read)
        self._ended = not read
        return bool(read)

    def _where(self) -> tuple[int, int]:
        """Returns line and column of the next character."""
        lines = self._text.count("\n", 0, self._place)
        if not lines:
            return self._line, self._column + self._place
        return self._line + lines, self._place - self._text.rfind("\n", 0, self._place)

    def _broken(self, reason: str) -> DatasetError:
        line, column = self._where()
        message = _("{file} is no JSON that can be read: {reason}, in line {line:,} at character {column:,}.")
        return DatasetError(message.format(file=self._path.name, reason=reason, line=line, column=column))
