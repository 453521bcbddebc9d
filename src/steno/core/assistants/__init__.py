"""The assistants family: threads with their runs, steps and messages."""
