"""Add-ons of a number: there are none to be had, so the lists are empty.  reference: 1, add-ons."""

from __future__ import annotations

from offhook.api.formats import Rendering
from offhook.api.forms import sid
from offhook.api.paging import whole
from offhook.api.reach import fetched
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.frozen import frozen
from offhook.store import records

add_ons = Resource(
    f"/{VERSION}/Accounts/{{account_sid}}/IncomingPhoneNumbers/{{number_sid}}/AssignedAddOns",
    element="AssignedAddOn",
    key="assigned_add_ons",
)
extensions = Resource(
    f"{add_ons.path}/{{add_on_sid}}/Extensions", element="Extension", key="extensions"
)


@frozen
class Assign:
    installed_add_on_sid: str = sid("XE", bad=20001)


@add_ons.get()
async def list_add_ons(at: At) -> Listed:
    await fetched(at, records.numbers, at.names["number_sid"])
    return whole(at, list[Rendering](), dict)


@add_ons.create(Assign)
async def create(at: At, form: Assign) -> Rendering:
    """Nothing is installed that could be assigned."""
    await fetched(at, records.numbers, at.names["number_sid"])
    raise ApiError(20404)


@add_ons.get("/{sid}")
@add_ons.delete()
@extensions.get()
@extensions.get("/{sid}")
async def unknown(at: At) -> Rendering:
    raise ApiError(20404)
