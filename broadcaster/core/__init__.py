"""Rules: pure values and functions. No clock, no database, no network, no framework; time is an argument."""
