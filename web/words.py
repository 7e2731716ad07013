"""Labels of our vocabulary for screens, and errors in the reader's language."""

from __future__ import annotations

from broadcaster.core.errors import BroadcasterError
from web.language import _l
from web.sentences import said

ROLES = {
    "admin": _l("Administrator"),
    "marketer": _l("Marketer"),
    "agent": _l("Agent"),
    "auditor": _l("Auditor"),
}
ROLE_HELP = {
    "admin": _l("Sets everything up: senders, staff, settings. May do all that others may."),
    "marketer": _l("Imports contacts with proof of consent, writes and launches campaigns."),
    "agent": _l("Answers people, and records what they say about consent."),
    "auditor": _l("Reads everything, exports the consent log, changes nothing."),
}

#: Error code -> what to tell. A code that is not here shows the error's own English words.
PROBLEMS = {
    "bad_link": _l("This link is incomplete, has been used, or is too old."),
    "brand": _l("Choose a brand."),
    "campaign_cancelled": _l("This campaign has been cancelled."),
    "campaign_draft": _l("This campaign is a draft: make a dry run and launch it."),
    "campaign_finished": _l("This campaign has finished."),
    "campaign_paused": _l("This campaign is paused."),
    "campaign_running": _l("This campaign is running. Duplicate it to change it."),
    "campaign_scheduled": _l("This campaign is scheduled. Take it back to draft to change it."),
    "changed_meanwhile": _l("Somebody else changed this meanwhile."),
    "channel_not_ready": _l("A sender is paused, on hold or switched off."),
    "channel_twice": _l("Each channel can be chosen once."),
    "closed": _l("This page is closed."),
    "concurrency": _l("Between 1 and 2 000."),
    "control_character": _l("Line breaks and control characters are not allowed here."),
    "cost": _l("Between 0 and 1 000."),
    "country": _l("There is no such country."),
    "currency": _l("There is no such currency."),
    "email_invalid": _l("This is not an e-mail address."),
    "erase_first": _l("Erase the person, or say that it was refused and why."),
    "group_empty": _l("Nobody is in this group."),
    "closed_already": _l("These days are closed already."),
    "closed_too_far": _l("At most a year at once, and five years ahead."),
    "label_length": _l("Between 1 and 80 characters."),
    "closed_past": _l("These days are over."),
    "closed_range": _l("The last day is not before the first."),
    "in_the_past": _l("This moment lies in the past."),
    "language_code": _l("Write languages as codes: en, fr."),
    "language_unwritten": _l("Write the template in this language first."),
    "last_admin": _l("There must always be an administrator who can sign in."),
    "local_time_ambiguous": _l("This time comes twice on that day: clocks are put back. Say which one you mean."),
    "local_time_missing": _l("This time does not exist on that day: clocks are put forward. Choose another."),
    "moment": _l("This is not a day and a time."),
    "name_invalid": _l("Give a name of at most 100 characters."),
    "name_taken": _l("Another one has this name."),
    "not_for_data": _l("This request does not ask for data."),
    "no_template": _l("The template says nothing for this channel."),
    "nobody_to_send": _l("Nobody would get this message. The reasons below say why."),
    "not_own_address": _l("A test goes only to your own address."),
    "opted_out": _l("This address has said stop, or does not work."),
    "order": _l("“Not after” must be later than the start."),
    "own_role": _l("Nobody changes their own role or switches themselves off."),
    "password_common": _l("This password is easy to guess. Use several words, or a password manager."),
    "password_long": _l("This is too long to be a password."),
    "password_short": _l("Choose at least 10 characters."),
    "password_wrong": _l("This is not your password."),
    "purpose": _l("Choose a purpose people can agree to."),
    "rate": _l("Above 0, and at most 10 000 per second."),
    "required": _l("Please fill this in."),
    "role": _l("Your role does not allow this."),
    "set_up": _l("The first administrator exists already."),
    "sign_in": _l("E-mail address or password is wrong, or there were too many tries. Wait a little and try again."),
    "roles": _l("At most 200 roles, of at most 80 characters each."),
    "source_missing": _l("Say on whose word: a rule needs its source."),
    "stop_no_row": _l("There is no row of the law to switch off here: give a day."),
    "staff_exists": _l("Somebody with this e-mail address works here already."),
    "staff_inactive": _l("This person is switched off."),
    "theirs": _l("Only the person can change this, on the page behind the link in their messages."),
    "too_far": _l("This is more than two years away."),
    "domain_rates": _l("Write a domain and messages a minute, such as gmail.com = 600; * is any other domain."),
    "domain_rates_mail": _l("Only e-mail has domains."),
    "warm_up": _l("Write a number for each day, or the first day, the growth and the days: 200 x 1.5 x 14."),
    "unknown_choice": _l("Choose one of the list."),
    "word_length": _l("A word has at least one letter, and at most 40."),
    "word_taken": _l("This word says something already: a stop, a start, a call for help or a courtesy."),
    "wording_mixed": _l("One wording of each purpose, all of one brand."),
    "word_twice": _l("This channel has this word already."),
    "window_invalid": _l("Open before closing, on the same day, and on at least one day."),
    "recurrence": _l("Repeat by day, week or month, such as FREQ=WEEKLY;BYDAY=MO;COUNT=10."),
    "no_date": _l("The rule has no date ahead."),
    "frequency": _l("Between 0 and 1,000 messages, 365 days or 744 hours."),
    "frequency_incomplete": _l("Say both how many messages and in how many days."),
    "window_too_wide": _l("These hours are wider than allowed there (France: Monday to Saturday, 08:00 to 22:00)."),
    "zone": _l("There is no such time zone."),
}

#: pydantic's kind of error -> what to tell.
FIELD_PROBLEMS = {
    "missing": _l("Please fill this in."),
    "string_too_short": _l("Please fill this in."),
    "string_too_long": _l("This is too long."),
    "literal_error": _l("Choose one of the list."),
    "enum": _l("Choose one of the list."),
    "too_short": _l("Choose at least one."),
    "int_parsing": _l("This is not a whole number."),
    "float_parsing": _l("This is not a number."),
    "greater_than": _l("This number is too small."),
    "greater_than_equal": _l("This number is too small."),
    "less_than": _l("This number is too large."),
    "less_than_equal": _l("This number is too large."),
    "control_character": _l("Line breaks and control characters are not allowed here."),
    "date_from_datetime_parsing": _l("This is not a day."),
    "date_from_datetime_inexact": _l("This is not a day."),
    "url_parsing": _l("This is not a web address."),
}
_FIELD_OTHER = _l("This is not valid.")

_STATUS = {
    400: (_l("That did not work"), _l("The request was not understood.")),
    401: (_l("Please sign in"), _l("Sign in and try again.")),
    403: (_l("Not allowed"), _l("Your role does not allow this.")),
    404: (_l("Not found"), _l("There is nothing here. It may have been archived, or the address is mistyped.")),
    405: (_l("That did not work"), _l("This page does not answer that kind of request.")),
    409: (_l("Changed meanwhile"), _l("Somebody else changed this, or it is in another state by now.")),
    413: (_l("Too large"), _l("What you sent is larger than we accept.")),
    422: (_l("Please check"), _l("Something you entered cannot be used.")),
    429: (_l("Too many tries"), _l("Wait a few minutes and try again.")),
    503: (_l("Not available now"), _l("A part we need does not answer. Try again in a moment.")),
}
_STATUS_OTHER = (_l("Something went wrong"), _l("It is our fault, not yours, and nothing was changed."))
_STATUS_CODES = {
    "csrf": (_l("This form was too old"), _l("Go back, load the page again, and send it once more.")),
    "foreign_origin": (_l("That did not work"), _l("The form was sent from another site.")),
}


def problem(error: BroadcasterError) -> str:
    """Say an error in the reader's language."""
    known = PROBLEMS.get(error.code)
    return str(known) if known else said(error.message)


def field_problem(kind: str) -> str:
    """Say what is wrong with a field, by pydantic's kind of error."""
    return str(FIELD_PROBLEMS.get(kind, _FIELD_OTHER))


def status(number: int, code: str) -> tuple[str, str]:
    """Return title and text of an error page."""
    return _STATUS_CODES.get(code) or _STATUS.get(number) or _STATUS_OTHER


def role(name: str) -> str:
    return str(ROLES.get(name, name))
