"""What a User-Agent tells about a device."""

from dataclasses import dataclass
from typing import Literal

from ua_parser import parse

DeviceType = Literal["browser", "mobile", "api_client"]
_MOBILE_SYSTEMS = {"iOS", "Android"}


@dataclass(frozen=True, slots=True)
class Device:
    """A guess for people to recognise their sessions by; never used to decide anything but the idle lifetime."""

    name: str
    type: DeviceType
    browser: str
    os: str


def describe(user_agent: str, name: str | None) -> Device:
    """The device behind a User-Agent; `name` is what its user calls it."""
    parsed = parse(user_agent).with_defaults()
    browser = "" if parsed.user_agent.family == "Other" else parsed.user_agent.family
    system = "" if parsed.os.family == "Other" else parsed.os.family
    kind: DeviceType = "api_client"
    if "Mozilla/" in user_agent:
        kind = "browser"
    elif system in _MOBILE_SYSTEMS or "Darwin" in user_agent or "okhttp" in user_agent:
        kind = "mobile"
    guess = (
        " on ".join(part for part in (browser, system) if part) or user_agent.split("/", 1)[0][:60] or "Unknown device"
    )
    return Device(name or guess, kind, browser, system)
