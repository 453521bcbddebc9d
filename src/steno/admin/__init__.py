"""The HTTP face of the daemon: metrics for Prometheus, health and readiness for whoever operates it.

    http.py          the application, and uvicorn on a socket that the daemon has bound
    connections.py   how many clients there may be, and what ends one that is of no use
    hosts.py         whom a request asks for: another host than this daemon is refused
    page.py          the page: its files and their headers
    probe.py         the client for health checks

Nothing can be changed there, and nobody is asked for a password.
"""
