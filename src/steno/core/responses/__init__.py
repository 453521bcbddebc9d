"""The responses family: chains of responses of the Responses API, by websocket or as server-sent events."""
