"""STUN and TURN servers, with credentials for a time.  reference: Tokens.

The credentials are those of the TURN REST API (draft-uberti-behave-turn-rest): the user name begins
with the second of the epoch that they end at, the password is its HMAC-SHA1 with the secret shared
with the TURN server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from offhook import clock, sids
from offhook.api.formats import Rendering
from offhook.api.forms import whole
from offhook.api.rendering import date
from offhook.api.resource import VERSION, At, Resource
from offhook.frozen import frozen

tokens = Resource(f"/{VERSION}/Accounts/{{account_sid}}/Tokens", element="Token", key="tokens")

DAY = 86_400


@frozen
class Create:
    ttl: int = whole(DAY, 1, 7 * DAY)


@tokens.create(Create)
async def create(at: At, form: Create) -> Rendering:
    now, ice = clock.utc(), at.exchange.rules.ice
    username = f"{int(now.timestamp()) + form.ttl}:{sids.random_hex()}"
    signed = hmac.new(ice.secret.encode(), username.encode(), hashlib.sha1)
    password = base64.b64encode(signed.digest()).decode()
    login = {"username": username, "credential": password}
    servers = [{"url": url, "urls": url} for url in ice.stun]
    servers += [{"url": url, "urls": url} | login for url in ice.turn]
    return {
        "account_sid": at.account.sid,
        "date_created": date(now),
        "date_updated": date(now),
        "ice_servers": servers,
        "password": password,
        "ttl": str(form.ttl),
        "username": username,
    }
