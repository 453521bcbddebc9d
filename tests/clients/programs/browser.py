"""A page in headless Chromium, which is given as the argument. The page is served from here, and reports to here."""

import os
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

PAGE = Path(__file__).with_name("page.html").read_bytes()
OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
)


class Site(BaseHTTPRequestHandler):
    """The page, and where it reports."""

    report = ""

    def do_GET(self):
        """Serve the page."""
        found = self.path.startswith("/page")
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE if found else b"")

    def do_POST(self):
        """Take the report."""
        Site.report = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


def main():
    """Open the page, and wait for its report."""
    site = HTTPServer(("127.0.0.1", 0), Site)
    url = f"http://127.0.0.1:{site.server_port}/page?base={os.environ['STENO_CLIENT_WS']}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [sys.argv[1], *OPTIONS, f"--user-data-dir={profile}", url]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as chromium:
            try:
                while not Site.report:
                    site.handle_request()
            finally:
                chromium.terminate()
    print(Site.report)
    sys.exit("realtime " not in Site.report or " 1000 true" not in Site.report)


main()
