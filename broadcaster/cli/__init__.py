"""The command line: calls actions, and is the one place that may start workers and web together."""
