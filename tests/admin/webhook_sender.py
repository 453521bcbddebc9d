"""Webhooks as the provider sends them, for plays: made from the text of the specification, not by the package."""

import base64
import hashlib
import hmac
import json
import time
from http.client import HTTPConnection
from typing import Any

PATH = "/v1/webhooks/openai"
ONE = "whsec_" + base64.b64encode(b"one secret of twenty-four").decode()
TWO = "whsec_" + base64.b64encode(b"another secret of as many").decode()


def event(call_id: str = "rtc_1", kind: str = "realtime.call.incoming", member: str = "call_id") -> bytes:
    headers = [{"name": "From", "value": "sip:+49300000000@carrier.example"}]
    data = {member: call_id, "sip_headers": headers}
    return json.dumps({"object": "event", "id": "evt_1", "type": kind, "created_at": 1, "data": data}).encode()


def signature(secret: str, body: bytes, delivery: str, at: str) -> str:
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    made = hmac.new(key, f"{delivery}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(made).decode()}"


def signed(body: bytes, delivery: str = "wh_1", secret: str = ONE, age: float = 0.0) -> dict[str, str]:
    """Return the headers of a webhook that is `age` seconds old."""
    at = str(int(time.time() - age))
    return {
        "webhook-id": delivery,
        "webhook-timestamp": at,
        "webhook-signature": signature(secret, body, delivery, at),
    }


def post(port: int, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    """Send a webhook, and return the status and the body of the response."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", PATH, body, {"content-type": "application/json", **headers})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()
