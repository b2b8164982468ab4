"""A system over HTTP (extra ``serve``): bodies, one thread that asks the networks, what is counted, the service."""
