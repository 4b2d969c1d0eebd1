"""Which carrier takes a call or a text."""

from __future__ import annotations

from offhook.errors import CarrierError
from offhook.exchange.exchange import Exchange
from offhook.line.leg import Carrier
from offhook.model.numbers import is_emergency
from offhook.store import owned
from offhook.store.store import Connection

NO_ROUTE, FORBIDDEN = 404, 403


async def carrier_for(exchange: Exchange, to: str) -> Carrier:
    """Ourselves for a number of ours, else as `route_for` says."""
    ours = await exchange.store.read(_ours, to)
    return exchange.internal if ours and exchange.internal else route_for(exchange, to)


def _ours(connection: Connection, number: str) -> bool:
    return owned.texted(connection, number) is not None


def route_for(exchange: Exchange, to: str) -> Carrier:
    """The first route that takes `to`. Raises CarrierError: nobody takes it, or it is an emergency
    number and no trunk is set up for those."""
    routes = [route for route in exchange.routes if route.takes(to)]
    if is_emergency(to, exchange.rules.region):
        routes = [route for route in routes if route.emergency(to)]
        if not routes:
            raise CarrierError(FORBIDDEN, f"{to} is an emergency number and no trunk may carry it")
    if not routes:
        raise CarrierError(NO_ROUTE, f"no trunk takes {to}")
    return routes[0].carrier
