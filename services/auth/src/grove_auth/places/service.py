"""The rules of known devices and places: a sign-in from a new one is told.

A device is a browser and a system, a place is a city or a country, and a network. A sign-in from a known network is
not from a new place, whatever the database of places says today.
"""

from datetime import datetime, timedelta
from typing import Literal

from pymongo.asynchronous.client_session import AsyncClientSession

from grove.contracts.auth import LoginSuspicious
from grove.core.clock import now
from grove_auth.alerts.service import AlertService
from grove_auth.models import KnownPlaces, Session, User
from grove_auth.models.known_places import Seen
from grove_auth.one_time_tokens import token_hash
from grove_auth.places.geo import Place
from grove_auth.places.repository import PlaceRepository
from grove_auth.resources import Resources

KEPT = 30
"""Devices, and places, that are remembered of an account."""

Reason = Literal["new_device", "new_place", "new_device_and_place"]


class PlaceService:
    """Remembers, and tells what is new."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._places = PlaceRepository()
        self._alerts = AlertService(resources)
        self._forget_after = timedelta(days=resources.settings.known_place_days)

    async def watch(self, transaction: AsyncClientSession, user: User, session: Session) -> None:
        """Remember where `session` started; tell the user when that is new. Call it after `facts.add`."""
        reason = await self._remember(transaction, user, session)
        if reason is None:
            return
        fact = LoginSuspicious(
            user_id=user.id,
            session_id=session.id,
            reason=reason,
            device_name=session.device_name,
            browser=session.browser,
            os=session.os,
            ip=session.ip,
            city=session.city,
            country=session.country,
            signed_in_at=session.created_at,
        )
        await self._resources.facts.add(transaction, user.id, fact)
        await self._resources.audit.add(
            "login.suspicious", user.id, transaction, actor_id=user.id, session=session.id, reason=reason
        )
        place = str(Place(session.city, session.country))
        await self._alerts.add(transaction, user, "new_sign_in", **session.device, place=place, ip=session.ip)

    async def _remember(self, transaction: AsyncClientSession, user: User, session: Session) -> Reason | None:
        moment = now()
        known = await self._places.get(user.id, transaction)
        devices = self._still_known(known.devices if known else [], moment)
        places = self._still_known(known.places if known else [], moment)
        device, found = _device(user, session), _places(user, session)
        first = not devices and moment - user.created_at < self._forget_after  # later, it only was away for long
        new_device = device not in {seen.key for seen in devices}
        new_place = bool(found) and not set(found) & {seen.key for seen in places}
        stored = KnownPlaces(
            id=user.id,
            devices=_with(devices, [device], moment),
            places=_with(places, found, moment),
            expires_at=moment + self._forget_after,
        )
        await self._places.store(stored, first=known is None, transaction=transaction)
        if first or not (new_device or new_place):
            return None
        if new_device and new_place:
            return "new_device_and_place"
        return "new_device" if new_device else "new_place"

    def _still_known(self, seen: list[Seen], moment: datetime) -> list[Seen]:
        return [one for one in seen if moment - one.seen_at < self._forget_after]


def _with(seen: list[Seen], keys: list[bytes], moment: datetime) -> list[Seen]:
    """`keys` and what was seen before, newest first."""
    fresh = [Seen(key=key, seen_at=moment) for key in keys]
    return [*fresh, *(one for one in seen if one.key not in keys)][:KEPT]


def _device(user: User, session: Session) -> bytes:
    return token_hash(f"{user.id} device {session.device_type} {session.browser} {session.os}")


def _places(user: User, session: Session) -> list[bytes]:
    """The network, and the place if it is known; hashed with the account, so that accounts can't be compared."""
    place = str(Place(session.city, session.country))
    return [
        token_hash(f"{user.id} {kind} {name}") for kind, name in (("network", session.ip), ("place", place)) if name
    ]
