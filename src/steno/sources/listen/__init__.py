"""`kind = "listen"`: applications and relays push frames to the daemon."""
