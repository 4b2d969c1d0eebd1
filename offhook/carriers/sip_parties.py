"""What an INVITE says about who calls whom, and how ours says it."""

from __future__ import annotations

import re
from dataclasses import replace

from offhook.carriers.trunks import Trunk
from offhook.line.leg import About, Target
from offhook.model.numbers import withheld
from offhook.sip.grammar import BadSip, legible
from offhook.sip.hop import Hop
from offhook.sip.message import Field, Message, Request
from offhook.sip.uri import Address, Uri, parse_address, parse_uri

ANONYMOUS = "anonymous"
_SEPARATORS = re.compile(r"[\s().-]")
_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_USER = re.compile(r"[^A-Za-z0-9+\-_.]")
_MEDIA_KEY = re.compile(r"(inline:|a=ice-pwd:)[A-Za-z0-9+/=|:^]+")
_AUTHORIZATION = re.compile(
    r"^((?:proxy-)?authorization[ \t]*:)[^\r\n]*(?:\r\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
# Headers that a sip: URI or a <Sip> noun may set besides X-...  reference: the Sip noun.
SETTABLE = {
    *("user-to-user", "remote-party-id", "p-preferred-identity", "p-called-party-id"),
    "replaces",
}
API_VERSION = "2010-04-01"


def party(address: Address) -> str:
    """A number where the user part can be one, `anonymous`, else the whole URI."""
    uri = address.parsed
    user = uri.user.partition(";")[0]
    digits = _SEPARATORS.sub("", user)
    if _NUMBER.fullmatch(digits):
        return digits
    if ANONYMOUS in (user.lower(), uri.host.lower().partition(".")[0]):
        return ANONYMOUS
    return legible(str(Uri(uri.scheme, uri.user, uri.host, uri.port)))


def whole(address: Address) -> str:
    """The URI, for calls to a domain: its phones have names and not numbers."""
    uri = address.parsed
    return legible(str(Uri(uri.scheme, uri.user, uri.host, uri.port)))


def called(request: Request, trunk: Trunk | None = None) -> str:
    """Whom the Request-URI names; where that is only the name we registered as, To."""
    uri = parse_uri(request.uri)
    ours = trunk is not None and trunk.register and uri.user == trunk.username
    return party(request.to if ours else Address(request.uri))


def caller(request: Request, trunk: Trunk | None) -> str:
    """A number, a URI, or `anonymous` for one who wants to be nobody."""
    return ANONYMOUS if _private(request, trunk) else party(_caller(request, trunk))


def _private(request: Request, trunk: Trunk | None) -> bool:
    """Whether the caller is to be known to the network alone (RFC 3323, 3325, and what came before
    in Remote-Party-ID)."""
    if privacy := request.get("privacy"):
        wanted = privacy.lower().replace(",", ";").split(";")
        if {"id", "user", "header"} & {each.strip() for each in wanted}:
            return True
    if not trunk or trunk.caller_id_header != "Remote-Party-ID":
        return False
    return any("privacy=full" in each.lower() for each in _listed(request, "remote-party-id"))


def _caller(request: Request, trunk: Trunk | None) -> Address:
    """From, or the field that this trunk's word is taken for: there may be a name of the caller's
    beside his number (RFC 3325 section 9.1)."""
    name = trunk.caller_id_header if trunk else "From"
    listed = _listed(request, name.lower()) if name != "From" else []
    stated = [address for each in listed if (address := _readable(each))]
    if not stated:
        return request.from_
    chosen = next((each for each in stated if _NUMBER.fullmatch(party(each))), stated[0])
    return replace(chosen, display=chosen.display or stated[0].display)


def about_call(request: Request, source: Hop, trunk: Trunk | None) -> About:
    """What a call in brought along.  reference: request parameters, SIP-originated requests."""
    params = [("SipCallId", legible(request.call_id)), ("SipDomain", parse_uri(request.uri).host)]
    return About(
        forwarded_from=_forwarded_from(request, called(request, trunk)),
        caller_name="" if _private(request, trunk) else legible(_caller(request, trunk).display),
        params=(*params, ("SipSourceIp", source.host), *_brought(request)),
    )


def about_answer(answer: Message, source: Hop) -> About:
    """What the answer to a call out brought along."""
    params = (
        ("SipCallId", legible(answer.call_id)),
        ("SipDomain", answer.to.parsed.host or source.host),
        ("SipSourceIp", source.host),
    )
    return About(params=(*params, *_brought(answer)))


def _brought(message: Message) -> tuple[Field, ...]:
    return tuple(
        (f"SipHeader_{name}", legible(value))
        for name, value in message.fields
        if name[0] in "XxUu"  # few others are looked at twice
        and ((key := name.lower()).startswith("x-") or key == "user-to-user")
    )


def about_refusal(refusal: Message) -> tuple[Field, ...]:
    """What the refusal of a call out brought along, as request parameters."""
    return (("SipCallId", legible(refusal.call_id)), *_brought(refusal))


def _forwarded_from(request: Request, to: str) -> str:
    """Who sent the call on: the newest Diversion (RFC 5806), or the entry of History-Info before
    the present target (RFC 7044). Never the one who is called: a proxy that looks up where he is
    writes him down twice."""
    history = _listed(request, "history-info")[-2::-1]
    stated = map(_readable, _listed(request, "diversion") or history)
    parties = (party(address) for address in stated if address)
    return next((each for each in parties if each.lstrip("+") != to.lstrip("+")), "")


def _listed(request: Request, name: str) -> list[str]:
    """The values of a field that the call can do without: none when they cannot be read."""
    try:
        return request.all(name)
    except BadSip:
        return []


def _readable(text: str) -> Address | None:
    try:
        address = parse_address(text)
        parse_uri(address.uri)
    except BadSip:
        return None
    return address


def number_at(trunk: Trunk, number: str) -> Uri:
    """The Request-URI for a number. The transport parameter stays, for proxies behind the trunk."""
    uri = trunk.uri
    user = number if trunk.plus else number.removeprefix("+")
    return Uri("sip", user, uri.host, uri.port, uri.params)


def from_field(target: Target, trunk: Trunk | None, host: str) -> str:
    """The From of a call out, without tag."""
    shown = _shown(target, trunk)
    if shown == ANONYMOUS:
        return str(Address("sip:anonymous@anonymous.invalid", "Anonymous"))
    return str(Address(f"sip:{shown}@{host}", _one_line(target.from_name)))


def _shown(target: Target, trunk: Trunk | None) -> str:
    """The user part that stands for the caller: a number, a client's or a SIP user's name."""
    if withheld(target.from_):
        return ANONYMOUS
    number = target.from_
    if number.startswith(("sip:", "sips:")):
        number = number.partition(":")[2].partition("@")[0]
    number = number.removeprefix("client:")
    return _USER.sub("", trunk.shown(number) if trunk else number) or ANONYMOUS


def call_fields(target: Target, trunk: Trunk | None, uri: Uri, host: str) -> tuple[Field, ...]:
    """The fields of an INVITE that are the call's own, not the protocol's."""
    fields: list[Field] = [
        ("X-Twilio-CallSid", target.call_sid),
        ("X-Twilio-AccountSid", target.account_sid),
        ("X-Twilio-ApiVersion", API_VERSION),
    ]
    if _shown(target, trunk) == ANONYMOUS:
        fields.append(("Privacy", "id"))  # RFC 3325 section 9.3
    elif trunk and trunk.caller_id_header != "From":
        end = ";party=calling;privacy=off" if trunk.caller_id_header == "Remote-Party-ID" else ""
        fields.append((trunk.caller_id_header, f"<sip:{_shown(target, trunk)}@{host}>{end}"))
    for name, value in (*uri.headers, *target.headers):
        if name.lower().startswith("x-") or name.lower() in SETTABLE:
            fields.append((_one_line(name), _one_line(value)))
    return tuple(fields)


def traced(data: bytes) -> str:
    """A message as it may be shown: the answers to challenges are left out, and media keys."""
    text = data.decode("utf-8", "replace")
    if "authorization" in text.lower():  # few have one, and to look for it well takes long
        text = _AUTHORIZATION.sub(r"\1 (not shown)", text)
    if "inline:" in text or "a=ice-pwd:" in text:
        text = _MEDIA_KEY.sub(r"\1(not shown)", text)
    return text


def _one_line(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())
