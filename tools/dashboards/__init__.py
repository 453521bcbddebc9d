"""The dashboards of deploy/grafana as tables, and the program that writes them: `make dashboards`."""
