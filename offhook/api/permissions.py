"""What an API key may do.  reference: REST conventions section 2, numbers and accounts section 8.

The policy of a restricted key allows permissions such as `/twilio/voice/calls/read`: a product, a
resource, and `create`, `read`, `list`, `update`, `delete` or `*`. A resource that no permission is
known for is closed to such keys, and so are accounts, which show their auth token.
"""

from __future__ import annotations

import re

from offhook.api.resource import VERSION, Action
from offhook.model.owned import ApiKey

_SIP = "voice/sip."
_RESOURCES = {
    "/Addresses": "phone-numbers/address-service",
    "/Applications": "voice/twiml.apps",
    "/Calls": "voice/calls",
    "/Calls/*/Events": "voice/request-inspector",
    "/Calls/*/Notifications": "voice/calls.notifications",
    "/Calls/*/Recordings": "voice/calls.recordings",
    "/Conferences": "voice/conferences",
    "/Conferences/*/Participants": "voice/conferences.participants",
    "/Conferences/*/Recordings": "voice/conferences.recordings",
    "/Keys": "iam/api-keys",
    "/Messages": "messaging/messages",
    "/Messages/*/Feedback": "messaging/messages.feedback",
    "/Messages/*/Media": "messaging/messages",
    "/OutgoingCallerIds": "voice/outgoing-caller-ids",
    "/Queues": "voice/queues",
    "/Queues/*/Members": "voice/queues.member",
    "/Recordings": "voice/recordings",
    "/Recordings/*/AddOnResults": "voice/recordings.add-ons",
    "/Recordings/*/AddOnResults/*/Payloads": "voice/recordings.add-ons.payload",
    "/Recordings/*/AddOnResults/*/Payloads/*/Data": "voice/recordings.add-ons.payload.data",
    "/Recordings/*/Transcriptions": "voice/recordings.transcriptions",
    "/SIP/CredentialLists": f"{_SIP}credential-lists",
    "/SIP/CredentialLists/*/Credentials": f"{_SIP}credential-lists.credentials",
    "/SIP/Domains": f"{_SIP}domains",
    "/SIP/Domains/*/Auth/Calls/CredentialListMappings": (
        f"{_SIP}domains.auth.calls.credential-list-mappings"
    ),
    "/SIP/Domains/*/Auth/Calls/IpAccessControlListMappings": (
        f"{_SIP}domains.auth.calls.ip-acl-mappings"
    ),
    "/SIP/Domains/*/Auth/Registrations/CredentialListMappings": (
        f"{_SIP}domains.auth.registrations.credential-list-mappings"
    ),
    "/SIP/Domains/*/CredentialListMappings": f"{_SIP}credential-list-mappings",
    "/SIP/Domains/*/IpAccessControlListMappings": f"{_SIP}ip-acl-mappings",
    "/SIP/IpAccessControlLists": f"{_SIP}ip-acls",
    "/SIP/IpAccessControlLists/*/IpAddresses": f"{_SIP}ip-acls.ip-addresses",
    "/SMS/Messages": "messaging/messages",
    "/Transcriptions": "voice/transcriptions",
}
_FAMILIES = {
    "/AvailablePhoneNumbers": "phone-numbers/available-numbers",
    "/IncomingPhoneNumbers": "phone-numbers/active-numbers",
    "/Usage/Records": "billing/usage",
}
_READ_ALONE = {"billing/usage", "phone-numbers/address-service", "voice/request-inspector"}
_LISTED_ALONE = {"phone-numbers/available-numbers"}


def allows(key: ApiKey | None, action: Action) -> bool:
    """Whether these credentials may do it: an auth token and a main key may do everything."""
    if key is None or key.role == "main":
        return True
    if key.role == "standard":
        return not action.manages
    needed = permission(action)
    return bool({needed, f"{needed.rpartition('/')[0]}/*"} & set(key.allow)) if needed else False


def permission(action: Action) -> str:
    """The one that an action needs, "" when there is none that would open it."""
    resource = _resource(re.sub(r"\{\w+\}", "*", action.path))
    if not resource:
        return ""
    verb = {"GET": "list", "POST": "create", "DELETE": "delete"}[action.method]
    if action.is_instance:
        verb = {"list": "read", "create": "update"}.get(verb, verb)
    if action.method == "GET" and resource in _READ_ALONE:
        verb = "read"
    if action.method == "GET" and resource in _LISTED_ALONE:
        verb = "list"
    return f"/twilio/{resource}/{verb}"


def _resource(path: str) -> str:
    collection = path.removesuffix("/*")
    if collection == "/v1/Keys":
        return "iam/api-keys"
    below = collection.removeprefix(f"/{VERSION}/Accounts/*")
    of_family = (each for prefix, each in _FAMILIES.items() if below.startswith(prefix))
    return _RESOURCES.get(below, "") or next(of_family, "")
