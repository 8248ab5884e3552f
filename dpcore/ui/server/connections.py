"""How many connections a server takes, of one address and in all: so that nobody shuts it for the others.

A tab has one WebSocket, and now and then some requests. Who opens a WebSocket and asks for nothing is let go of after a
while, and so is who connects without sending a whole request. Whoever is refused gets a plain status.
"""

import asyncio
import resource
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from uvicorn.protocols.http import auto

from dpcore.hosting import is_loopback

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SILENT_SECONDS = 15.0
_MOST_SILENT = 50  # of one address: a page asks at once for what it shows
_GIVES_WAY_SECONDS = 2.0  # after so long, who has asked for nothing gives way to somebody new
_MORE_THAN_PLACES = 20  # who finds no place is told so on a page, by a WebSocket as well; and pages are loaded anew
_FILES_A_TAB = 8  # a WebSocket has several descriptors in this process, and a page is loaded by several requests
_FILES_OF_OUR_OWN = 300
_MOST_FILES = 65_536


def most_tabs(places: int) -> int:
    """Returns how many WebSockets there may be, once this process may have as many files open as the system allows.

    Args:
        places: How many tabs are let in.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > _MOST_FILES:
        hard = max(soft, _MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return max(1, min(2 * places + _MORE_THAN_PLACES, (hard - _FILES_OF_OUR_OWN) // _FILES_A_TAB))


class Door:
    """An ASGI application that passes on to another one, WebSockets only as many as there may be.

    Args:
        app: The other one.
        most: WebSockets in all.
        places: How many tabs are let in. Of one address there may be some more; those of this machine are a proxy's, and
            only counted in all.
    """

    def __init__(self, app: Any, most: int, places: int):
        self._app, self._most, self._most_of_one = app, most, places + _MORE_THAN_PLACES
        self._open: Counter[str] = Counter()
        self._silent: defaultdict[str, list[_Listener]] = defaultdict(list)  # the oldest first

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        if self._open.total() >= self._most:
            await _refuse(send, 503, b"Too many connections")
        elif not self._takes(address):
            await _refuse(send, 429, b"Too many connections of one address")
        else:
            silent = self._silent[address]
            listener = _Listener(receive, send, silent)
            self._open[address] += 1
            try:
                await self._app(scope, listener.hear, send)
            finally:
                listener.is_no_longer_silent()
                self._open -= Counter([address])
                if not silent:
                    self._silent.pop(address, None)

    def _takes(self, address: str) -> bool:
        if not is_loopback(address) and self._open[address] >= self._most_of_one:
            return False
        silent = self._silent.get(address, [])
        return len(silent) < min(_MOST_SILENT, self._most) or silent[0].gives_way()


class _Listener:
    """What receives for an application, but ends a connection by which nothing is said for long from the beginning."""

    def __init__(self, receive: Receive, send: Send, silent: "list[_Listener]"):
        self._receive, self._send, self._silent = receive, send, silent
        self._now = asyncio.get_running_loop().time
        self._began = self._now()
        self._until = self._began + SILENT_SECONDS
        self._waits: asyncio.Timeout | None = None
        silent.append(self)

    async def hear(self) -> Message:
        if self not in self._silent:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until) as self._waits:
                message = await self._receive()
        except TimeoutError:
            await self._send({"type": "websocket.close", "code": 1008, "reason": "Nothing was asked for"})
            return {"type": "websocket.disconnect", "code": 1008}
        if message["type"] == "websocket.receive":
            self.is_no_longer_silent()
        return message

    def gives_way(self) -> bool:
        """Ends the connection, if it has had the time to say something; whether it does."""
        if self._waits is None or self._now() < self._began + _GIVES_WAY_SECONDS:
            return False
        self.is_no_longer_silent()
        self._waits.reschedule(self._now())
        return True

    def is_no_longer_silent(self) -> None:
        if self in self._silent:
            self._silent.remove(self)


async def _refuse(send: Send, status: int, reason: bytes) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(reason)).encode())]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": reason})


def bound_requests(most: int) -> None:
    """Lets this process's server have only so many connections, and none that does not come to ask for anything."""

    installed: Any = auto.AutoHTTPProtocol  # one of two

    class Bounded(installed):
        """uvicorn's, which waits for a request for ever."""

        _patience: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > most:
                transport.write(
                    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                )
                transport.close()
                return
            self._be_patient()

        def data_received(self, data: bytes) -> None:
            if self._patience is None:
                self._be_patient()
            super().data_received(data)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._patience is not None:
                self._patience.cancel()
            super().connection_lost(exc)

        def _be_patient(self) -> None:
            self._patience = self.loop.call_later(SILENT_SECONDS, self._lose_patience)

        def _lose_patience(self) -> None:
            self._patience = None
            asks = self.cycle is not None and not self.cycle.response_complete
            if not asks and self.transport.get_protocol() is self:  # else it has become a WebSocket
                self.transport.close()

    auto.AutoHTTPProtocol = Bounded  # Streamlit takes uvicorn's default, and offers no other way in
