"""The HTTP face of the daemon: metrics for Prometheus, health and readiness, and requests that act.

    http.py            the application, and the socket that the daemon binds
    server.py          uvicorn on that socket, with TLS by tls_face.py, as a file says that web_config.py
                       understands and web_config_file.py reads
    connections.py     how many clients there may be, and what ends one that is of no use
    hosts.py           whom a request asks for: another host than this daemon is refused
    guard.py           who asks: it stands before all routes
    authorization.py   what a request shows of who asks; sessions.py and attempts.py are part of that
    operations.py      a route with its description, of which openapi.py makes a document
    segments.py        keys in paths
    headers.py         what every response has
    page.py            the page: its files and their headers
    views.py           what the page and programs are shown; streaming.py tells what changes
    probe.py           the client for health checks

A path goes through them in this order: headers, hosts, the path as it was sent, the guard, the routes.
"""
