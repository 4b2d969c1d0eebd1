"""Which carrier takes a call or a text."""

from __future__ import annotations

from offhook.errors import CarrierError
from offhook.exchange.exchange import Exchange
from offhook.line.leg import Carrier
from offhook.model.numbers import is_emergency

NO_ROUTE, FORBIDDEN = 404, 403


def carrier_for(exchange: Exchange, to: str) -> Carrier:
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
