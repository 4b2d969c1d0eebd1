"""The kinds of values that settings have. What a value must be is said in its error."""

from __future__ import annotations

import re
from dataclasses import field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import phonenumbers
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from offhook import sids
from offhook.frozen import frozen


@frozen
class Address:
    """Where to listen; port 0 is any free one. `given`: somebody chose it, it is no default."""

    host: str
    port: int
    given: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """True when only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"


def _address(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(_HOST + r":(\d{1,5})", value)
    if not found or int(found[2]) > 65535:
        raise ValueError("write HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    return Address(found[1].strip("[]"), int(found[2]), given=True)


def _ports(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", value)
    if not found or not 0 < int(found[1]) < int(found[2]) < 65536:
        raise ValueError("write LOW-HIGH, such as 10000-19999")
    return range(int(found[1]), int(found[2]) + 1)


def _sip_host(value: str) -> str:
    if value and not re.fullmatch(_HOST + r"(:\d{1,5})?", value):
        raise ValueError("write a host or HOST:PORT, such as sip.example.com or 192.0.2.1:5080")
    return value


def _parts(value: Any) -> Any:
    """A list may be one text with commas, as it must be in a variable."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise ValueError("write a network, such as 10.0.0.0/8, or an address") from None


def _number(value: str) -> str:
    if not re.fullmatch(r"\+[1-9]\d{1,14}", value):
        raise ValueError("write the number in full, such as +15550001111")
    return value


def _number_or_none(value: str) -> str:
    return _number(value) if value else value


def _short_code(value: str) -> str:
    if not re.fullmatch(r"\d{5,6}", value):
        raise ValueError("write five or six digits, such as 12345")
    return value


def _ice_url(value: str) -> str:
    if not re.fullmatch(r"(stun|turn)s?:[^\s?]+(\?transport=(udp|tcp))?", value):
        raise ValueError("write a URL such as stun:HOST:3478 or turn:HOST:3478?transport=tcp")
    return value


def _ip_address(value: Any) -> Any:
    try:
        return ip_address(value)
    except ValueError:
        raise ValueError("write an IP address, such as 203.0.113.7") from None


def _prefix(value: str) -> str:
    if not re.fullmatch(r"\+\d{0,14}", value):
        raise ValueError('write how the numbers begin, such as "+49", or "+" for all of them')
    return value


def _region(value: str) -> str:
    if value.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("write the two letters of a country, such as US or DE")
    return value.upper()


def _url(value: str) -> str:
    if value and not re.fullmatch(r"https?", urlsplit(value).scheme):
        raise ValueError("write a URL, such as https://phone.example.com")
    if value and not urlsplit(value).hostname:
        raise ValueError("write a URL with a host, such as https://phone.example.com")
    return value.rstrip("/")


def _account_sid(value: str) -> str:
    if value and not sids.is_sid(value, "AC"):
        raise ValueError("write AC and 32 hexadecimal digits")
    return value


def _filled(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("it must not be empty")
    return value


def _word(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _yes_no_auto(value: Any) -> Any:
    meant = {"true": True, "false": False, "auto": "auto", True: True, False: False}
    if _word(value) not in meant:
        raise ValueError("write true, false or auto")
    return meant[_word(value)]


_Lower = BeforeValidator(_word)
_Parts = BeforeValidator(_parts)

Price = Annotated[float, Field(ge=0, le=1000)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
Behaviour = Literal["answers", "busy", "no-answer", "rejects", "unreachable", "voicemail", "echo"]
Listen = Annotated[Address, NoDecode, BeforeValidator(_address)]
ListenOrNot = Annotated[Address | None, NoDecode, BeforeValidator(_address)]
Ports = Annotated[range, NoDecode, BeforeValidator(_ports)]
SipHost = Annotated[str, AfterValidator(_sip_host)]
Number = Annotated[str, AfterValidator(_number)]
NumberOrNone = Annotated[str, AfterValidator(_number_or_none)]
IpAddress = Annotated[IPv4Address | IPv6Address, BeforeValidator(_ip_address)]
Numbers = Annotated[tuple[Number, ...], NoDecode, _Parts]
ShortCodes = Annotated[tuple[Annotated[str, AfterValidator(_short_code)], ...], NoDecode, _Parts]
IceUrls = Annotated[tuple[Annotated[str, AfterValidator(_ice_url)], ...], NoDecode, _Parts]
Prefixes = Annotated[tuple[Annotated[str, AfterValidator(_prefix)], ...], NoDecode, _Parts]
PricesByPrefix = dict[Annotated[str, AfterValidator(_prefix)], Price]
Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, _Parts]
Region = Annotated[str, AfterValidator(_region)]
Url = Annotated[str, AfterValidator(_url)]
AccountSid = Annotated[str, AfterValidator(_account_sid)]
Secret = Annotated[SecretStr, AfterValidator(_filled)]
File = Annotated[Path, AfterValidator(Path.expanduser)]
Folder = Annotated[Path, AfterValidator(Path.expanduser)]
Transport = Annotated[Literal["udp", "tcp", "tls"], _Lower]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], _Lower]
LogFormat = Annotated[Literal["console", "json"], _Lower]
YesNoAuto = Annotated[Literal["auto", True, False], BeforeValidator(_yes_no_auto)]
