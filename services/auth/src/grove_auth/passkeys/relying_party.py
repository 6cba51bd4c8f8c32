"""The two ceremonies of WebAuthn (level 3, section 7) for one relying party: ours."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    encode_cbor,
    options_to_json_dict,
    parse_cbor,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from grove_auth.models import Passkey, User
from grove_auth.passkeys.cbor import check_plain
from grove_auth.passkeys.challenges import LIFETIME
from grove_auth.passkeys.schemas import Assertion, NewCredential
from grove_auth.settings import AuthSettings

ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
TRANSPORTS = frozenset(transport.value for transport in AuthenticatorTransport)
MAX_CREDENTIAL_ID = 1023
FIXED_DATA = 37
"""Bytes of authenticator data before what varies: hash of the domain, flags, counter."""
NAMED_CREDENTIAL = 0x40
"""The flag of authenticator data that a credential follows."""
_TIMEOUT_MS = int(LIFETIME.total_seconds() * 1000)


class NotProven(Exception):
    """The answer does not prove what was asked. Its text is for logs."""


class RelyingParty:
    """Makes options, and checks what authenticators answer."""

    def __init__(self, settings: AuthSettings) -> None:
        self._id = settings.passkey_rp_id or urlsplit(settings.public_url).hostname or ""
        self._name = settings.passkey_rp_name
        self._origins = [settings.public_url, settings.public_auth_url, *settings.cors_origins]
        self._verification = UserVerificationRequirement(settings.passkey_user_verification)

    def to_register(self, user: User, known: Sequence[Passkey], challenge: bytes) -> dict[str, Any]:
        """Options for a passkey of the user on a device that has none of the known ones."""
        options = webauthn.generate_registration_options(
            rp_id=self._id,
            rp_name=self._name,
            user_id=user.id.bytes,
            user_name=user.email,
            user_display_name=user.name,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=self._verification
            ),
            exclude_credentials=_descriptors(known),
            supported_pub_key_algs=ALGORITHMS,
        )
        return options_to_json_dict(options)

    def to_prove(
        self, challenge: bytes, known: Sequence[Passkey] = (), *, verification: bool = False
    ) -> dict[str, Any]:
        """Options for an answer by one of the known passkeys, or by any of this site."""
        options = webauthn.generate_authentication_options(
            rp_id=self._id,
            challenge=challenge,
            timeout=_TIMEOUT_MS,
            allow_credentials=_descriptors(known),
            user_verification=UserVerificationRequirement.REQUIRED if verification else self._verification,
        )
        return options_to_json_dict(options)

    def check_new(self, credential: NewCredential, challenge: bytes) -> VerifiedRegistration:
        """The credential that a device made. Raises NotProven.

        Attestation is not asked for; where it comes all the same it is left out, so that its parsers are out of reach.
        """
        try:
            _check_top_page(credential.response.client_data_json)
            attestation = base64url_to_bytes(credential.response.attestation_object)
            check_plain(attestation)
            data = parse_cbor(attestation)["authData"]
            _check_data(data)
            answer = credential.model_dump(by_alias=True)
            bare = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
            answer["response"]["attestationObject"] = bytes_to_base64url(bare)
            made = webauthn.verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=self._id,
                expected_origin=self._origins,
                require_user_verification=self._verification is UserVerificationRequirement.REQUIRED,
                supported_pub_key_algs=ALGORITHMS,
            )
            decoded_public_key_to_cryptography(decode_credential_public_key(made.credential_public_key))
            if bytes_to_base64url(made.credential_id) != credential.id or len(made.credential_id) > MAX_CREDENTIAL_ID:
                raise NotProven("the credential's id is another one, or too long")
        except Exception as error:  # noqa: BLE001 - whatever a hostile answer makes of the parsers, it proves nothing
            raise NotProven(_reason(error)) from None
        return made

    def check_answer(
        self, credential: Assertion, challenge: bytes, passkey: Passkey, *, verification: bool = False
    ) -> VerifiedAuthentication:
        """What a passkey signed. Raises NotProven. The counter is left to who stores it, in one step."""
        try:
            _check_top_page(credential.response.client_data_json)
            _check_data(base64url_to_bytes(credential.response.authenticator_data))
            return webauthn.verify_authentication_response(
                credential=credential.model_dump(by_alias=True),
                expected_challenge=challenge,
                expected_rp_id=self._id,
                expected_origin=self._origins,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=0,
                require_user_verification=verification or self._verification is UserVerificationRequirement.REQUIRED,
            )
        except Exception as error:  # noqa: BLE001 - as above
            raise NotProven(_reason(error)) from None


def credential_id(credential: Assertion) -> bytes | None:
    """Which passkey answered, None when the id is none."""
    return _octets(credential.raw_id)


def user_handle(credential: Assertion) -> bytes | None:
    """Whose it says it is; None when it does not say."""
    return _octets(credential.response.user_handle)


def _octets(encoded: str | None) -> bytes | None:
    try:
        return base64url_to_bytes(encoded) if encoded else None
    except ValueError:
        return None


def _check_top_page(client_data: str) -> None:
    """Only a page of ours asks, never one of ours inside a stranger's."""
    if parse_client_data_json(base64url_to_bytes(client_data)).cross_origin:
        raise NotProven("asked for by a page inside another site's")


def _check_data(data: bytes) -> None:
    """The parts of authenticator data that are CBOR are harmless."""
    at = FIXED_DATA
    if data[32] & NAMED_CREDENTIAL:
        at += 18 + int.from_bytes(data[at + 16 : at + 18], "big")
    check_plain(data[at:])


def _descriptors(passkeys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=passkey.credential_id, transports=[AuthenticatorTransport(name) for name in passkey.transports]
        )
        for passkey in passkeys
    ]


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
