"""steno, the stenographer of AI conversations.

A daemon that reads the websocket streams which voice agents and assistants already speak, keeps the exact
state of every conversation, and reports what happened as Prometheus metrics and as an audit log that can be
proved. `docs/architecture.md` follows a frame through the package.
"""

__version__ = "0.1.0"
