"""What the portal's tests share."""

import pytest

from grove_gateway.settings import GatewaySettings
from grove_stack.pki.authority import Authority


@pytest.fixture
def settings(tmp_path) -> GatewaySettings:
    authority = Authority(tmp_path / "ca")
    authority.create("Test CA")
    authority.issue_identity("gateway", into=tmp_path / "identity.pem")
    return GatewaySettings(
        tls_identity_file=tmp_path / "identity.pem", tls_ca_file=authority.certificate_file, docs_public=True
    )
