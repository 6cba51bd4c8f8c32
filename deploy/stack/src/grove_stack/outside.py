"""The outside world of a stack: what the sandbox is told of its clients, and how provider-sync reaches it."""

from grove_stack.layout import Layout


def sandbox_environment(layout: Layout, port: int, api_url: str) -> dict[str, str]:
    """The sandbox's settings: its clients' secrets, and where its bank's webhooks go."""
    secrets = {
        "SANDBOX_CLIENT_SECRET": ("provider-sync", "sandbox_client_secret"),
        "SANDBOX_WEBHOOK_SECRET": ("provider-sync", "sandbox_webhook_secret"),
        "SANDBOX_SCHWAB_CLIENT_SECRET": ("provider-sync", "schwab_client_secret"),
        "SANDBOX_PLAID_SECRET": ("provider-sync", "plaid_secret"),
        "SANDBOX_SMS_TOKEN": ("auth", "sms_token"),
        "SANDBOX_SIGN_IN_CLIENT_SECRET": ("auth", "oauth_sandbox_client_secret"),
    }
    return {name: layout.secret(service, secret) for name, (service, secret) in secrets.items()} | {
        "SANDBOX_PORT": str(port),
        "SANDBOX_WEBHOOK_URL": _webhooks("sandbox", api_url),
        "SANDBOX_WEBHOOK_CA_FILE": str(layout.edge_ca.certificate_file),
    }


def provider_environment(sandbox_url: str, api_url: str) -> dict[str, str]:
    """Settings of provider-sync: every provider that the sandbox plays is offered."""
    return {
        "SANDBOX_URL": sandbox_url,
        "SCHWAB_URL": f"{sandbox_url}/schwab",
        "SCHWAB_CLIENT_ID": "grove",
        "PLAID_URL": f"{sandbox_url}/plaid",
        "PLAID_CLIENT_ID": "grove",
        "PLAID_WEBHOOK_URL": _webhooks("plaid", api_url),
    }


def _webhooks(provider: str, api_url: str) -> str:
    return f"{api_url}/api/v1/providers/{provider}/webhooks"
