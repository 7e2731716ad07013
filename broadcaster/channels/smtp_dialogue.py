"""The SMTP conversation: sign in, then one mail after the other (RFC 5321, 2920, 3207, 4954, 6531).

The evidence for the outcome of a mail is kept here: how far the call had come when the line broke. What ends before
the kernel has taken the last octet of the final dot was not delivered; afterwards nobody knows.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field

from broadcaster.channels.contract import boottime
from broadcaster.channels.smtp_replies import ProtocolError, Reply, Stage, refusal
from broadcaster.channels.smtp_wire import Access, Line, Step
from broadcaster.core.deliveries import Outcome
from broadcaster.core.messages import CallResult

#: Faults of the line that an operator has to mend; all others pass.
_ACCOUNT_FAULTS = frozenset({"tls_certificate", "starttls_missing", "auth_missing", "auth_without_tls"})


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail ready for the wire: the envelope, and the body with dots doubled and the final dot."""

    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    data: bytes = field(repr=False)
    message_id: str = field(repr=False)
    size: int  #: octets as SIZE counts them (RFC 1870)
    utf8: bool = False


@dataclass(slots=True)
class Call:
    """A letter on its way."""

    ref: int
    letter: Letter
    deadline: float  #: by ``boottime()``; MAIL FROM is not written later
    retried: bool = False


class Connection(Line):
    """One signed-in line. The owner collects ``result`` (of ``call``) and ``failure`` (it never became ready)."""

    def __init__(self, access: Access, family: int, address: tuple[object, ...]) -> None:
        self.call: Call | None = None
        self.result: CallResult | None = None
        self.failure: CallResult | None = None
        self.features: dict[str, str] = {}
        self.was_ready = False
        self.served = 0
        self.errors = 0
        self.answered = False  #: a reply to the present call has been read
        self._refused: tuple[Reply, Stage] | None = None
        super().__init__(access, family, address)

    def collect(self) -> tuple[Call, CallResult] | None:
        """Return how the call ended and forget it; None while it is under way."""
        if self.call is None or self.result is None:
            return None
        ended = (self.call, self.result)
        self.call = self.result = None
        return ended

    def begin(self, call: Call) -> None:
        """Write MAIL FROM, unless the deadline has passed or this server cannot take the letter."""
        letter = call.letter
        limit = self.features.get("SIZE", "")
        self.call, self.result, self.answered, self._refused = call, None, False, None
        if letter.utf8 and "SMTPUTF8" not in self.features:
            self._end(CallResult(Outcome.MESSAGE_REJECTED, provider_code="smtputf8_missing"))
            return
        if limit.isascii() and limit.isdigit() and 0 < int(limit[:18]) < letter.size:
            self._end(CallResult(Outcome.MESSAGE_REJECTED, provider_code="size"))
            return
        mail = f"MAIL FROM:<{letter.sender}>"
        if "SIZE" in self.features:
            mail += f" SIZE={letter.size}"
        if letter.utf8:
            mail += " SMTPUTF8"
        pipelined = f"\r\nRCPT TO:<{letter.recipient}>\r\nDATA" if "PIPELINING" in self.features else ""
        octets = f"{mail}{pipelined}\r\n".encode()
        if boottime() >= call.deadline:
            self._end(CallResult(Outcome.NOT_STARTED))
            return
        self.step = Step.MAIL
        self.served += 1
        self._limit(self.access.command_seconds)
        self._write(octets)

    # -- a mail

    def _take(self, reply: Reply) -> None:
        if self.step is Step.IDLE:
            raise ProtocolError("a reply nobody asked for")  # mostly 421: the server closes an idle connection
        if self.call is not None and self.step is not Step.RESET:
            self._take_in_call(reply)
        elif self.step is Step.RESET:
            self._idle_or_leave(reply)
        else:
            self._take_signing_in(reply)

    def _take_in_call(self, reply: Reply) -> None:
        self.answered = True
        if self.step is Step.MAIL:
            self._note(reply, Stage.MAIL, Step.RCPT)
        elif self.step is Step.RCPT:
            self._note(reply, Stage.RCPT, Step.DATA)
        elif self.step is Step.DATA:
            self._begin_body(reply)
        else:
            self._take_verdict(reply, early=self.step is Step.BODY)

    def _take_verdict(self, reply: Reply, *, early: bool) -> None:
        """Read what became of the message; *early*: in its middle, so that the rest must not be read as commands."""
        assert self.call is not None
        if 300 <= reply.code < 400 or (early and reply.code < 300):
            self._end(CallResult(Outcome.UNKNOWN, provider_code=reply.label))
            raise ProtocolError("an answer out of place")
        if reply.code < 300:
            self._end(CallResult(Outcome.ACCEPTED, self.call.letter.message_id, reply.label))
            return
        self.errors += 1
        self._end(refusal(reply, Stage.DATA))
        if early or reply.code == 421:
            self.drop()

    def _note(self, reply: Reply, stage: Stage, following: Step) -> None:
        """Remember the first refusal; without pipelining write the next command, or stop."""
        if reply.code >= 300 and self._refused is None:
            self._refused = (reply, stage)
        if reply.code == 421:
            self._refused = (reply, stage)
            self._finish_refused(leave=True)
        elif "PIPELINING" in self.features:
            self.step = following
        elif self._refused is not None:
            self._finish_refused(leave=False)
        else:
            assert self.call is not None
            self.step = following
            command = "DATA" if following is Step.DATA else f"RCPT TO:<{self.call.letter.recipient}>"
            self._write(f"{command}\r\n".encode())

    def _begin_body(self, reply: Reply) -> None:
        if self._refused is None and reply.code == 354:
            assert self.call is not None
            self.step = Step.BODY
            self._limit(self.access.command_seconds)
            self._write(self.call.letter.data)
            return
        if self._refused is None:
            self._refused = (reply, Stage.DATA)
        # a server that now waits for a message without recipients: only leaving is certain to send nothing
        self._finish_refused(leave=reply.code == 354)

    def _finish_refused(self, *, leave: bool) -> None:
        assert self._refused is not None
        reply, stage = self._refused
        self.errors += 1
        self._end(refusal(reply, stage))
        if leave:
            self.drop()
        else:
            self.step = Step.RESET
            self._limit(self.access.command_seconds)
            self._write(b"RSET\r\n")

    def _idle_or_leave(self, reply: Reply) -> None:
        if reply.code != 250:
            raise ProtocolError("RSET was refused")
        self.step = Step.IDLE

    def _end(self, result: CallResult) -> None:
        self.result = result
        self.step = Step.IDLE

    def _lost(self, why: str) -> None:
        """Settle by evidence: with the final dot out nobody knows, before it nothing was taken."""
        if self.call is not None and self.result is None:
            outcome = Outcome.UNKNOWN if self.step is Step.FINAL else Outcome.TRANSIENT
            self.result = CallResult(outcome, provider_code=why)
        elif not self.was_ready and self.failure is None:
            fault = why in _ACCOUNT_FAULTS
            self.failure = CallResult(Outcome.CREDENTIAL if fault else Outcome.TRANSIENT, provider_code=why)
        self.drop()

    # -- signing in

    def _greet(self) -> None:
        self._ask(Step.EHLO, f"EHLO {self.access.helo}")

    def _ask(self, step: Step, command: str) -> None:
        self.step = step
        self._limit(self.access.connect_seconds)
        self._write(f"{command}\r\n".encode())

    def _take_signing_in(self, reply: Reply) -> None:
        expected = {Step.GREETING: 220, Step.EHLO: 250, Step.STARTTLS: 220, Step.AUTH: 235}.get(self.step, 334)
        if reply.code != expected:
            outcome = refusal(reply, Stage.SIGN_IN)
            signing_in = self.step in (Step.AUTH, Step.LOGIN_USER, Step.LOGIN_PASSWORD)
            refused = signing_in and reply.code >= 500
            self.failure = CallResult(Outcome.CREDENTIAL, provider_code=reply.label) if refused else outcome
            self.drop()
        elif self.step is Step.GREETING:
            self._greet()
        elif self.step is Step.EHLO:
            self._enter(reply)
        elif self.step is Step.STARTTLS:
            if self._in:
                raise ProtocolError("clear text after STARTTLS")  # injected, see CVE-2011-0411
            self._start_tls()
        elif self.step is Step.LOGIN_USER:
            self._ask(Step.LOGIN_PASSWORD, _base64(self.access.username))
        elif self.step is Step.LOGIN_PASSWORD:
            self._ask(Step.AUTH, _base64(self.access.password))
        else:
            self._ready()

    def _enter(self, reply: Reply) -> None:
        """Read what the server offers, and go on to TLS, to the sign-in, or to work."""
        self.features = _features(reply)
        if self.access.security == "starttls" and not self.encrypted:
            if "STARTTLS" in self.features:
                self._ask(Step.STARTTLS, "STARTTLS")
            else:
                self._lost("starttls_missing")  # perhaps stripped on the way: never go on in clear text
        elif self.access.username:
            self._sign_in(self.features.get("AUTH", "").upper().split())
        else:
            self._ready()

    def _sign_in(self, offered: list[str]) -> None:
        if not self.encrypted and not self.access.trusted_line:
            self._lost("auth_without_tls")
        elif "PLAIN" in offered:
            self._ask(Step.AUTH, "AUTH PLAIN " + _base64(f"\0{self.access.username}\0{self.access.password}"))
        elif "LOGIN" in offered:
            self._ask(Step.LOGIN_USER, "AUTH LOGIN")
        else:
            self._lost("auth_missing")

    def _ready(self) -> None:
        self.was_ready = True
        self.step = Step.IDLE


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")


def _features(reply: Reply) -> dict[str, str]:
    """Return what EHLO offers: keyword in upper case to parameters."""
    features: dict[str, str] = {}
    for line in reply.lines[1:]:
        keyword, _, rest = line.decode("ascii", "replace").strip().partition(" ")
        features[keyword.upper()] = rest.strip()
    return features
