"""The promises against real processes. `./run prove` runs the faults of `faults.py`; the `test_*` files are quick."""
