"""What needs a browser, a Prometheus or other programs of an operator's runs by `make test-operations` alone."""

import os

collect_ignore_glob = [] if os.environ.get("STENO_OPERATIONS") == "all" else ["test_*.py"]
