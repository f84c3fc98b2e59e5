"""Requests of other sites' pages are held back before they reach the application."""

import asyncio

import pytest

from viewer.headers import SecurityHeaders


def opened(headers):
    """What a server is told when a WebSocket is asked for, and whether the application saw it."""
    seen, told = [], []

    async def application(scope, receive, send):
        seen.append(scope["path"])
        await receive()
        await send({"type": "websocket.accept"})

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        told.append(message["type"])

    scope = {
        "type": "websocket",
        "path": "/events",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(SecurityHeaders(application)(scope, receive, send))
    return told, bool(seen)


@pytest.mark.parametrize(
    "headers", [{"origin": "http://elsewhere"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_a_page_of_another_site_may_not_open_a_websocket(headers):
    assert opened({"host": "node", **headers}) == (["websocket.close"], False)


@pytest.mark.parametrize("headers", [{}, {"origin": "http://node"}, {"sec-fetch-site": "same-origin"}])
def test_own_pages_and_programs_may_open_a_websocket(headers):
    assert opened({"host": "node", **headers}) == (["websocket.accept"], True)
