"""The realtime family: voice sessions, their turns, items and responses."""
