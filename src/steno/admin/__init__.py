"""The HTTP face: metrics for Prometheus, health and readiness for whoever runs the daemon."""
