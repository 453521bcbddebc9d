"""Programs that a benchmark runs as processes of their own: what sends, and what steno is measured against."""
