"""Verbs: a transaction, a rule, a write, a log event. The only place where a rule, a row and a provider meet."""
