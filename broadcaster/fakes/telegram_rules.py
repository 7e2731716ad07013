"""What Telegram refuses, in its statuses and words."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from broadcaster.fakes.server import Reply, Request

PARTS = {"sendPhoto": "photo", "sendVideo": "video", "sendAudio": "audio", "sendDocument": "document"}


class RefusedError(Exception):
    """A request the API refuses; carries the answer."""

    def __init__(self, code: int, description: str, **hints: object) -> None:
        super().__init__(description)
        self.reply = error(code, description, **hints)


def error(code: int, description: str, **hints: object) -> Reply:
    """Return an error answer; *hints* become its ``parameters``."""
    body: dict[str, object] = {"ok": False, "error_code": code, "description": description}
    headers: tuple[str, ...] = ()
    if hints:
        body["parameters"] = hints
    if "retry_after" in hints:
        headers = (f"Retry-After: {hints['retry_after']}",)
    return Reply(code, json.dumps(body).encode(), headers)


def parameters(request: Request) -> dict[str, Any]:
    """Return a call's parameters from JSON or a form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not request.body:
        return {}
    if kind == "application/json":
        try:
            fields = json.loads(request.body)
        except ValueError:
            raise RefusedError(400, "Bad Request: can't parse request parameters as a JSON object") from None
        if isinstance(fields, dict):
            return fields
        raise RefusedError(400, "Bad Request: can't parse request parameters as a JSON object")
    return dict(parse_qsl(request.body.decode("utf-8", "replace")))


def chat_id_of(fields: dict[str, Any]) -> int:
    """Return the recipient."""
    try:
        chat_id = int(fields["chat_id"])
    except (KeyError, ValueError, TypeError):
        raise RefusedError(400, "Bad Request: chat_id is empty") from None
    if chat_id == 0:
        raise RefusedError(400, "Bad Request: chat not found")
    return chat_id


def check_content(method: str, fields: dict[str, Any]) -> None:
    """Refuse what the API refuses in a message."""
    if method == "sendMessage":
        text = str(fields.get("text", "")).strip()
        if not text:
            raise RefusedError(400, "Bad Request: message text is empty")
        if len(text) > 4096:
            raise RefusedError(400, "Bad Request: message is too long")
    else:
        url = str(fields.get(PARTS[method], ""))
        if not url:
            raise RefusedError(400, f"Bad Request: there is no {PARTS[method]} in the request")
        if not url.startswith(("https://", "http://")):
            raise RefusedError(400, "Bad Request: wrong file identifier/HTTP URL specified")
        if len(str(fields.get("caption", ""))) > 1024:
            raise RefusedError(400, "Bad Request: message caption is too long")
    if (markup := fields.get("reply_markup")) is not None:
        _check_markup(markup)


def _check_markup(markup: object) -> None:
    if not isinstance(markup, dict):
        raise RefusedError(400, "Bad Request: can't parse reply keyboard markup JSON object")
    for row in [*markup.get("inline_keyboard", []), *markup.get("keyboard", [])]:
        for button in row:
            if not str(button.get("text", "")).strip():
                raise RefusedError(400, "Bad Request: text buttons are unallowed to be empty")
            if len(str(button.get("callback_data", "")).encode()) > 64:
                raise RefusedError(400, "Bad Request: BUTTON_DATA_INVALID")
            if "url" in button and not str(button["url"]).startswith(("https://", "http://", "tg://")):
                raise RefusedError(400, "Bad Request: BUTTON_URL_INVALID")
    for row in markup.get("inline_keyboard", []):
        if not all({"url", "callback_data"} & button.keys() for button in row):
            raise RefusedError(400, "Bad Request: can't parse inline keyboard button: Text buttons are unallowed")
