import json
import logging

import structlog

from grove.core.context import RequestContext, use_context
from grove.core.ids import new_id
from grove.core.settings import ProcessSettings
from grove.observability.logging import configure_logging, redact


def test_secrets_never_reach_the_log():
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl"
    event = redact(
        None,
        "info",
        {
            "password": "hunter2",
            "headers": {"Authorization": f"Bearer {token}"},
            "note": f"sent {token} to amqps://user:pass@host",
            "keys": ["grv_abcdefghijkl", "fine"],
        },
    )
    shown = json.dumps(event)
    for secret in ("hunter2", token, "pass@", "grv_abcdefghijkl"):
        assert secret not in shown
    assert "fine" in shown


def test_lines_are_json_with_their_request(capsys):
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    try:
        configure_logging(ProcessSettings(instance="i-1", log_level="INFO"))
        user = new_id()
        with use_context(RequestContext("req-1", user_id=user)):
            structlog.get_logger().info("hello", answer=42)
            logging.getLogger("library").warning("from a library")
            logging.getLogger("uvicorn.error").info('"WebSocket /stream?ticket=secret" [accepted]')
    finally:
        root.handlers, root.level = handlers, level
        structlog.configure(**before)
    first, second = (json.loads(line) for line in capsys.readouterr().out.strip().splitlines())
    assert (first["event"], first["answer"], first["request_id"]) == ("hello", 42, "req-1")
    assert first["user_id"] == str(user)
    assert (second["event"], second["instance"]) == ("from a library", "i-1")
