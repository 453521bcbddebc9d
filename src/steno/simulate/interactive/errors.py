"""Why a client event has no effect. The session answers with an `error` event, and goes on."""

from typing import Any


class EventRefusedError(Exception):
    """A client event that has no effect, with the members of the `error` event that says so."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        """Refuse for the reason `code`; `param` is the path of the member that is wrong."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param

    def members(self, event_id: str | None = None) -> dict[str, Any]:
        """Return the `error` object. `event_id` is that of the client event."""
        return {
            "type": "invalid_request_error",
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": event_id,
        }


def invalid_value(path: str, message: str) -> EventRefusedError:
    """Return the error for a member whose value is of the right type, and is not allowed."""
    return EventRefusedError("invalid_value", message, path)


def missing(path: str) -> EventRefusedError:
    """Return the error for a member that has to be there."""
    return EventRefusedError("missing_required_parameter", f"'{path}' is required.", path)
