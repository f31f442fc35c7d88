"""The daemon's HTTP side: the status page, the API, health and metrics, on a Unix socket and on loopback."""
