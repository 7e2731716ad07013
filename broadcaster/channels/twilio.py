"""SMS through Twilio: form posts, basic authentication, signed callbacks.

Facts: ``docs/channels.md``. Twilio has no idempotency key; our reference travels in the status callback's URL and comes
back in every receipt, so a call whose answer was lost is settled by its receipt.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

from broadcaster.channels.contract import (
    AccountConfig,
    Capabilities,
    CheckResult,
    Field,
    WebhookAnswer,
    WebhookRequest,
)
from broadcaster.channels.evidence import HttpSender, request_once
from broadcaster.channels.payload import header_safe, json_object
from broadcaster.channels.transport import HttpCall, HttpResult
from broadcaster.channels.twilio_callbacks import outcome_of, read_callback, verified_form
from broadcaster.core import addresses
from broadcaster.core.deliveries import Idempotency, Outcome
from broadcaster.core.errors import MessageRejected, Misconfigured
from broadcaster.core.messages import CallResult, ChannelEvent, MediaKind, Outbound

BASE_URL = "https://api.twilio.com"
MEDIA_MAX = 10
_FORM = "Content-Type: application/x-www-form-urlencoded"
_TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


def read_answer(result: HttpResult) -> CallResult | None:
    """Map an answer to our words. Raises ValueError if it cannot be read."""
    answer = json_object(result.body)
    status = result.status or 0
    if 200 <= status < 300:
        sid = answer.get("sid")
        if not isinstance(sid, str) or not sid:
            return None
        if answer.get("status") in ("failed", "undelivered"):
            code = answer.get("error_code")
            return CallResult(outcome_of(code) or Outcome.MESSAGE_REJECTED, sid, _code(code))
        return CallResult(Outcome.ACCEPTED, sid)
    outcome = outcome_of(answer.get("code"))
    return None if outcome is None else CallResult(outcome, provider_code=_code(answer.get("code")))


def _code(value: object) -> str | None:
    return str(value) if isinstance(value, int) else None


class Twilio:
    """SMS and MMS; the provider is Twilio, the channel is ``sms``."""

    capabilities = Capabilities(
        channel="sms",
        address_kind="phone",
        address_scope="global",
        text_max=1600,
        media=frozenset(MediaKind),
        idempotency=Idempotency.REFERENCED,
        receipts=True,
        webhook=True,
        rate_per_second=10.0,
    )
    fields: Sequence[Field] = (
        Field("account_sid", "Account SID", help="AC and 32 hexadecimal digits."),
        Field("sender", "Sender", help="A number (+15550100), a name, or a messaging service (MG...)."),
        Field("auth_token", "Auth token", secret=True, help="Signs the callbacks; also signs in without an API key."),
        Field("auth_token_previous", "Previous auth token", secret=True, required=False),
        Field("api_key_sid", "API key SID", required=False),
        Field("api_key_secret", "API key secret", secret=True, required=False),
        Field(
            "stop_handling",
            "Who answers STOP",
            default="twilio",
            choices=("twilio", "us"),
            help="twilio: its own opt-out handling is on, as by default; us: it was switched off for this sender.",
        ),
    )

    def normalise(self, address: str, *, region: str | None = None) -> str:
        """Return the number in E.164. Raises InvalidInput."""
        return addresses.normalise_phone(address, region=region)

    def sender(self, account: AccountConfig) -> HttpSender:
        """Return an open line to the account. Raises Misconfigured."""
        url = f"{_account_url(account)}/Messages.json"
        headers = (_FORM, _authorization(account))
        origin = account.settings.get("sender", "").strip()
        if not origin:
            raise Misconfigured("the setting sender is empty")

        def build(outbound: Outbound) -> HttpCall:
            body = urlencode(message_form(outbound, origin, account.public_url))
            return HttpCall("POST", url, headers, body.encode())

        host = (account.base_url or BASE_URL).rstrip("/") + "/"
        return HttpSender(build=build, read=read_answer, warm_url=host, concurrency=account.concurrency)

    def check(self, account: AccountConfig) -> CheckResult:
        """Sign in and ask for the account's state."""
        try:
            call = HttpCall("GET", f"{_account_url(account)}.json", (_authorization(account),))
        except Misconfigured as error:
            return CheckResult(False, problems=(error.message,))
        answered = request_once(call)
        if answered.status in (401, 403, 404):
            return CheckResult(False, problems=("Twilio does not accept the account SID with this credential",))
        try:
            state = str(json_object(answered.body).get("status"))
        except ValueError:
            state = ""
        if answered.status != 200 or answered.error is not None or not state:
            return CheckResult(False, problems=(f"Twilio did not answer ({answered.status or answered.error})",))
        problems = [] if state == "active" else ["the account is not active"]
        if not account.public_url:
            problems.append("without a public URL neither replies (STOP) nor receipts reach us")
        return CheckResult(not problems, "signed in", tuple(problems))

    def parse_webhook(self, account: AccountConfig, request: WebhookRequest) -> Sequence[ChannelEvent]:
        """Verify X-Twilio-Signature over the configured URL and the form, then read it. Raises BadSignature."""
        return read_callback(account, request, verified_form(account, request))

    def webhook_answer(self, account: AccountConfig, events: Sequence[ChannelEvent]) -> WebhookAnswer:
        """Return empty TwiML: replies go out as messages of their own."""
        return WebhookAnswer(200, _TWIML, "text/xml; charset=utf-8")

    def poll(self, account: AccountConfig, cursor: str) -> tuple[Sequence[ChannelEvent], str]:
        """Return nothing: Twilio pushes."""
        return (), cursor


def message_form(outbound: Outbound, sender: str, public_url: str) -> list[tuple[str, str]]:
    """Return the fields of the post. Raises MessageRejected for what an SMS cannot carry."""
    limit = Twilio.capabilities.text_max
    if len(outbound.text) > limit:
        raise MessageRejected(f"the text has more than {limit} characters")
    if not outbound.text.strip() and not outbound.media:
        raise MessageRejected("the message is empty")
    if outbound.buttons:
        raise MessageRejected("an SMS has no buttons")
    if len(outbound.media) > MEDIA_MAX:
        raise MessageRejected(f"there are more than {MEDIA_MAX} attachments")
    if not all(media.url.startswith("https://") for media in outbound.media):
        raise MessageRejected("attachments need an https address")
    origin = "MessagingServiceSid" if sender.startswith("MG") and len(sender) == 34 else "From"
    form = [("To", outbound.to), (origin, sender)]
    if outbound.text:
        form.append(("Body", outbound.text))
    form += [("MediaUrl", media.url) for media in outbound.media]
    if public_url:
        joint = "&" if "?" in public_url else "?"
        form.append(("StatusCallback", f"{public_url}{joint}ref={quote(outbound.reference, safe='')}"))
    return form


def _account_url(account: AccountConfig) -> str:
    sid = header_safe(account.settings.get("account_sid", ""), "account_sid")
    return f"{(account.base_url or BASE_URL).rstrip('/')}/2010-04-01/Accounts/{quote(sid, safe='')}"


def _authorization(account: AccountConfig) -> str:
    user, password = _credential(account.settings, account.secrets)
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _credential(settings: Mapping[str, str], secrets: Mapping[str, str]) -> tuple[str, str]:
    if settings.get("api_key_sid"):
        key = header_safe(settings["api_key_sid"], "api_key_sid")
        return key, header_safe(secrets.get("api_key_secret", ""), "api_key_secret")
    account_sid = header_safe(settings.get("account_sid", ""), "account_sid")
    return account_sid, header_safe(secrets.get("auth_token", ""), "auth_token")
