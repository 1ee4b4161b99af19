"""How long the server waits for what somebody sends: who connects and says nothing, or stops in the middle, must not
keep a place for ever."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD_S = 30.0
"""Until the first request of a connection has been told."""
PAUSE_S, BODY_S = 60.0, 900.0
"""Between two pieces of what is sent with a request, and until all of it is there."""


class TooSlow(Exception):  # noqa: N818  (the fault of who sends)
    """A request was not sent to its end in time."""


class Patience:
    """ASGI middleware: a request whose content does not come is answered by 408."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        end_s, is_whole, has_answered = time.monotonic() + BODY_S, False, False

        async def in_time() -> Message:
            nonlocal is_whole
            if is_whole:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), min(PAUSE_S, end_s - time.monotonic()))
            except TimeoutError:
                raise TooSlow from None
            is_whole = not message.get("more_body", False)
            return message

        async def sent(message: Message) -> None:
            nonlocal has_answered
            has_answered = True
            await send(message)

        try:
            await self.app(scope, in_time, sent)
        except TooSlow:
            if not has_answered:
                said = {"error": "The request did not arrive in time. Send it again."}
                await JSONResponse(said, status_code=408, headers={"Connection": "close"})(scope, receive, send)


def see_to_connections() -> None:
    """uvicorn waits for ever for the first request of a connection; from now on for ``HEAD_S``.

    And what it writes leaves at once: Streamlit's own listening socket does not say that it is one of TCP, so asyncio
    leaves Nagle's algorithm on, with which the content of an answer waits 40 ms for the receipt of its head.
    """
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    protocol: Any = AutoHTTPProtocol
    made = protocol.connection_made

    def connection_made(self: Any, transport: asyncio.Transport) -> None:
        made(self, transport)
        with suppress(OSError):  # closed already, or none of TCP
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.loop.call_later(HEAD_S, _end_if_silent, self)

    protocol.connection_made = connection_made


def _end_if_silent(protocol: Any) -> None:
    if protocol.cycle is None and protocol.transport.get_protocol() is protocol:  # no request yet, and no socket of one
        protocol.transport.close()
