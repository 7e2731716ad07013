"""Every error a caller may want to catch, as one tree.

BroadcasterError                what went wrong, in words for a user; never an address, a text or a credential
├── InvalidInput                a value is not acceptable: field, place and what to do are named  (exit 3, HTTP 422)
├── NotFound                    no such thing, or not yours to see                                 (exit 4, HTTP 404)
├── Conflict                    the thing is not in a state that allows this                       (exit 5, HTTP 409)
├── Refused                     consent or policy says no                                          (exit 6, HTTP 403)
├── Unavailable                 a part we need does not answer now; try again                      (exit 7, HTTP 503)
├── IntegrityFailure            the log or a stored value does not verify                          (exit 8, HTTP 500)
├── Misconfigured               a setting, key or credential is missing or wrong                   (exit 3, HTTP 500)
├── UntracedChange              an audited table changed without a log event: a mistake of ours        (exit 70)
└── ChannelError                the wire side
    ├── BadSignature            a webhook is not from whom it claims to be                             (HTTP 401)
    └── MessageRejected         this message cannot be expressed on this channel
"""

from __future__ import annotations


class BroadcasterError(Exception):
    """Something went wrong that a user can be told about."""

    exit_code = 70
    status = 500
    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class InvalidInput(BroadcasterError):
    """A value is not acceptable.

    ``field`` names it, ``line`` and ``column`` say where in a file or template it stands (both from 1).
    """

    exit_code = 3
    status = 422
    code = "invalid"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.field = field
        self.line = line
        self.column = column


class NotFound(BroadcasterError):
    """There is no such thing."""

    exit_code = 4
    status = 404
    code = "not_found"


class Conflict(BroadcasterError):
    """The thing is not in a state that allows this."""

    exit_code = 5
    status = 409
    code = "conflict"


class Refused(BroadcasterError):
    """Consent, a role or a policy says no."""

    exit_code = 6
    status = 403
    code = "refused"


class Unavailable(BroadcasterError):
    """A part that is needed does not answer now; trying again later may help."""

    exit_code = 7
    status = 503
    code = "unavailable"


class IntegrityFailure(BroadcasterError):
    """The log or a stored value does not verify."""

    exit_code = 8
    status = 500
    code = "integrity"


class Misconfigured(BroadcasterError):
    """A setting, a key or a credential is missing or wrong."""

    exit_code = 3
    status = 500
    code = "misconfigured"


class UntracedChange(BroadcasterError):
    """An audited table was changed and no log event says so."""

    code = "untraced_change"


class ChannelError(BroadcasterError):
    """The wire side of a channel failed."""

    code = "channel"


class BadSignature(ChannelError):
    """A webhook is not from whom it claims to be."""

    status = 401
    code = "bad_signature"


class MessageRejected(ChannelError):
    """This message cannot be expressed on this channel: too long, media not carried, and so on."""

    exit_code = 3
    status = 422
    code = "message_rejected"
