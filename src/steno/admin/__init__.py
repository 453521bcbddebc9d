"""The HTTP face of the daemon: metrics for Prometheus, health and readiness for whoever operates it."""
