"""A door: Flask, with admin pages, public pages, webhooks and the REST API. Never imports workers."""
