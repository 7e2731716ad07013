"""Strict stand-ins for providers and mail servers: for the demo, the tests and trying out. Imports core only."""
