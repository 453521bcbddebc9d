"""What facts are told to: metrics and the audit log. Thin: a table says what each does with each fact."""
