"""The content of conversations, kept in files beside the audit log, where it can be erased."""
