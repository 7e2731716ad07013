"""What an import did not take, and what is wrong with a file, in the reader's language."""

from __future__ import annotations

from broadcaster.actions.imports.records import RejectWords
from broadcaster.core.errors import BroadcasterError
from broadcaster.core.import_codes import explain
from web import words
from web.language import _, _l

CODES = {
    "row_width": _l("The row has more or fewer cells than the header."),
    "no_address": _l("The row has no address and no customer number."),
    "email_invalid": _l("This is not an e-mail address."),
    "phone_invalid": _l("This is not a telephone number that can be written to."),
    "phone_scientific": _l("A spreadsheet has turned this number into a decimal; format the column as text."),
    "control_character": _l("This contains a line break or a control character."),
    "ambiguous_contact": _l("The addresses of this row belong to several contacts."),
    "external_conflict": _l("This address belongs to a contact with another customer number."),
    "suppressed": _l("This address must not be written to; it is not taken again."),
    "contact_restricted": _l("This person's data is frozen."),
    "consent_empty": _l("Nothing says whether they agreed."),
    "consent_unclear": _l("This is neither yes nor no."),
    "consent_no_address": _l("The row has no address on the channel the consent is for."),
    "consent_no_date": _l("Consent without a date does not count."),
    "consent_date": _l("This is not a date, or may be read as two."),
    "consent_future": _l("This date has not come yet."),
    "consent_before_birth": _l("This date is before the person's birth or in its year."),
    "consent_no_wording": _l("The words they agreed to are not named or not known."),
    "consent_no_source": _l("Nothing says where they agreed."),
    "consent_no_evidence": _l("Consent without evidence does not count."),
    "consent_evidence": _l("The evidence is too long or cannot be stored."),
    "consent_opposite": _l("The file says yes and no for the same person; the no counts."),
    "kept_withdrawn": _l("They have said no; only they can change that."),
    "kept_suppressed": _l("This address must not be written to; only they can change that."),
    "ineffective": _l("Recorded, and changes nothing: something newer or stricter stands."),
    "country": _l("This is not a country."),
    "language": _l("This is not a language."),
    "zone": _l("This is not a time zone."),
    "birth_year": _l("This is not a year of birth."),
    "kind": _l("This kind of contact does not exist."),
    "channel": _l("This channel does not exist."),
    "text_long": _l("This is too long."),
    "text_invalid": _l("This contains a character that cannot be stored."),
    "unknown_group": _l("There is no such group; the others were taken."),
    "unknown_interest": _l("There is no such interest; the others were taken."),
    "attribute_text": _l("This is too long for this field."),
    "attribute_number": _l("This is not a number."),
    "attribute_date": _l("This is not a date such as 2026-05-31."),
    "attribute_boolean": _l("This is neither yes nor no."),
    "attribute_choice": _l("This is not one of the field's values."),
}
#: What a report counts about consent.
CONSENT = {
    "granted": _l("Consents recorded"),
    "withdrawn": _l("Refusals recorded"),
    "already": _l("Known already"),
    "ineffective": _l("Recorded without effect: something newer or stricter stands"),
    "kept_withdrawn": _l("Of these: they have said no, and it stays so"),
    "kept_suppressed": _l("Kept as no: the address must not be written to"),
}
STATES = {
    "uploaded": (_l("not started"), "secondary"),
    "checked": (_l("tried out"), "blue"),
    "running": (_l("running"), "blue"),
    "finished": (_l("complete"), "green"),
    "failed": (_l("stopped"), "red"),
    "undone": (_l("taken back"), "secondary"),
}
#: What is wrong with a whole file. ``%(line)s`` where the place is known.
FILES = {
    "no_rows": _l("The file holds no rows."),
    "header_missing": _l("The first line must hold the names of the columns, not values."),
    "header_duplicate": _l("Two columns have the same name; name them apart."),
    "column_missing": _l("The file has no column of that name."),
    "delimiter": _l("It is not certain what separates the columns. Say it below."),
    "encoding": _l("Some letters cannot be read. Say below how the file is encoded, or mend the line."),
    "file_type": _l("This is neither CSV nor XLSX. Save an old or protected Excel file as .xlsx without a password."),
    "file_size": _l("The file is too large: at most 500 MB and 5 million rows. Split it."),
    "nul": _l("The file holds a zero byte: it is damaged, or not a text."),
    "quote_open": _l("A quotation mark is not closed or not doubled."),
    "file_changed": _l("The file was changed while it was read; upload it again."),
    "field_size": _l("A field or line is too long to be one."),
    "unpacked_size": _l("The workbook is far larger unpacked than it may be."),
    "sheet_size": _l("The sheet has too many rows or columns."),
    "xml_entity": _l("The workbook holds something it must not hold."),
    "not_a_file": _l("The file cannot be read."),
    "import_ended": _l("This import has ended; its file is gone."),
    "import_started": _l("This import was started before."),
    "import_not_checked": _l("Try the import out first."),
    "unknown_purpose": _l("There is no such purpose."),
    "purpose_not_leaf": _l("Consent is given for one purpose, not for a family of them."),
    "unknown_attribute": _l("A field of the mapping does not exist any more."),
    "unknown_group": _l("A group of the mapping does not exist any more."),
}


def refused() -> RejectWords:
    """Return the words of the file of what was not taken."""
    header = (_("line"), _("field"), _("code"), _("refused"), _("message"))
    return RejectWords(header, _("row"), _("value"), code)


def code(name: str) -> str:
    """Say what a row's code means."""
    return str(CODES.get(name) or explain(name))


def consent(name: str) -> str:
    return str(CONSENT.get(name) or code(name))


def file_problem(problem: BroadcasterError) -> str:
    """Say what is wrong with a file, and on which line."""
    known = FILES.get(problem.code)
    line = getattr(problem, "line", None)
    text = words.problem(problem) if known is None else str(known)
    return text if known is None or not line else _("Line %(line)s: %(problem)s", line=line, problem=text)


def noted(code_: str, message: str) -> str:
    """Say a problem that was noted by code and in English."""
    return str(FILES.get(code_) or message)
