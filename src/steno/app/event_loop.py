"""The event loop of the commands that run until they are stopped."""

from importlib.util import find_spec


def event_loop_options() -> dict[str, bool]:
    """Return the options that anyio runs the event loop with: uvloop where it is installed."""
    return {"use_uvloop": True} if find_spec("uvloop") else {}
