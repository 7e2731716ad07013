"""Campaigns by e-mail, SMS and chat that go only to people who said yes.

Five rooms and two doors; tests/test_architecture.py holds who may import whom.
"""

__version__ = "0.1.0"
