"""Real servers on loopback ports, started by the tests: web servers, a mirror, object storage."""
