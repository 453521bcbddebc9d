"""Where frames come from: a websocket that the daemon opens, or a recording of one."""
