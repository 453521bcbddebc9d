"""A scripted realtime provider on loopback, for the SDKs to talk to. It keeps what it sent and received, as bytes."""

import json
import threading
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

SESSION = {"id": "sess_kiosk_7", "type": "realtime", "object": "realtime.session", "model": "gpt-realtime"}


def response(events: list[str]) -> list[dict[str, Any]]:
    """Return the events of a spoken response, one for each of `events` as its transcript."""
    head: dict[str, Any] = {
        "id": "resp_7",
        "object": "realtime.response",
        "status": "in_progress",
        "output": [],
        "usage": None,
    }
    part = {"response_id": "resp_7", "item_id": "item_7", "output_index": 0, "content_index": 0}
    usage = {"total_tokens": 9, "input_tokens": 4, "output_tokens": 5}
    return [
        {"type": "response.created", "response": head},
        *({"type": "response.output_audio_transcript.delta", "delta": text, **part} for text in events),
        {"type": "response.done", "response": {**head, "status": "completed", "usage": usage}},
    ]


class Provider:
    """Says `session.created`, answers two events, and closes after `close_after` responses."""

    def __init__(self, close_after: int | None = None) -> None:
        self.sent: list[str] = []
        self.received: list[str] = []
        self._close_after = close_after
        self._number = 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._port}"

    def __enter__(self) -> "Provider":
        self._server = serve(self._handle, "127.0.0.1", 0)
        self._port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def _handle(self, connection: ServerConnection) -> None:
        try:
            self._say(connection, {"type": "session.created", "session": SESSION})
            for message in connection:
                text = message if isinstance(message, str) else message.decode()
                self.received.append(text)
                self._answer(connection, json.loads(text))
        except ConnectionClosed:
            pass

    def _answer(self, connection: ServerConnection, event: dict[str, Any]) -> None:
        if event["type"] == "session.update":
            self._say(connection, {"type": "session.updated", "session": {**SESSION, **event["session"]}})
        elif event["type"] == "response.create":
            for one in response(["Guten ", "Tag, Zoë"]):
                self._say(connection, one)
            if self._close_after is not None:
                self._close_after -= 1
                if not self._close_after:
                    connection.close(4000, "session is over")

    def _say(self, connection: ServerConnection, event: dict[str, Any]) -> None:
        self._number += 1
        # Spaces and order as no encoder of ours would write them: the tap has to keep the bytes.
        text = json.dumps({"event_id": f"event_{self._number}", **event}, ensure_ascii=False, indent=1)
        self.sent.append(text)
        connection.send(text)
