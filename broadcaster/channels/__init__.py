"""The network: one file per provider, one contract, one HTTP transport. Imports core, never storage."""
