"""What each column of each table holds of a person, and what an erasure does to it. The one place that says so.

A test compares this with the tables: a new column must be declared here before anything else is green.

nobody      nothing of a contact: the organisation's own words, ids, states, times
rows        the row is about one person and goes as a whole
skeleton    the row stays, so that sums and proofs hold, with ids, states and times; what is personal is blanked
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Holding:
    """The columns of a table: kept, blanked (column -> SQL value), gone with their row, pointing to a person's key."""

    kept: frozenset[str] = frozenset()
    blanked: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    key: frozenset[str] = frozenset()

    @property
    def columns(self) -> frozenset[str]:
        return self.kept | frozenset(self.blanked) | self.gone | self.key


def _nobody(columns: str) -> Holding:
    return Holding(kept=frozenset(columns.split()))


def _rows(columns: str) -> Holding:
    return Holding(gone=frozenset(columns.split()))


def _skeleton(kept: str, nulled: str, *, key: str = "", **values: str) -> Holding:
    blanked = {**dict.fromkeys(nulled.split(), "NULL"), **values}
    return Holding(kept=frozenset(kept.split()), blanked=blanked, key=frozenset(key.split()))


_ACCOUNT = (
    "id brand_id channel provider name base_url settings secrets_ct webhook_key rate_per_second concurrency warm_up "
    "domain_rates cost_micros state state_reason held_until created_at"
)
_CAMPAIGN = (
    "id name brand_id purpose_id audience_id exclude_id template_id plan state revision staff_id created_at "
    "scheduled_for state_changed_at archived_at"
)
_RUN = (
    "id campaign_id ordinal state purpose_id template_version rule exclude_rule not_before not_after watermark "
    "last_contact_id planned_at started_at finished_at"
)
_PURPOSE = "id parent_id brand_id key kind label description basis double_opt_in leaf archived_at"
_STAFF = (
    "id email_digest email_ct name_ct password_hash role language time_zone active failed_logins locked_until "
    "created_at"
)
_CONSENT_EVENT = (
    "id key address_id purpose_id action actor source basis clock occurred_at received_at expires_at wording_id "
    "staff_id import_id step_id ineffective entry_id commitment"
)
_STEP = (
    "id run_id delivery_id batch_id account_id address_id purpose_id ordinal current state reason due_at attempt "
    "variant_id consent_event_id call_id gate_at settled_at outcome receipt receipt_at replied_at clicked_at entry_id "
    "commitment"
)
_MESSAGE = (
    "id address_id account_id kind answers_step_id consent_event_id answers_id optin_request_id test_staff_id state "
    "due_at expires_at attempt gate_at lease_until outcome receipt created_at"
)
_IMPORT_JOB = (
    "id name path sha256 bytes_total mapping options state cursor rows_total counts error staff_id created_at "
    "finished_at"
)

HOLDINGS: dict[str, Holding] = {
    # people
    "contact": _skeleton(
        "id kind state merged_into created_at updated_at",
        "language country time_zone birth_year profession preferred_channel part_of_day rest_days name_ct note_ct "
        "external_digest external_ct import_id last_contact_at",
        key="key_id",
        attributes="'{}'",
    ),
    "address": _skeleton(
        "id channel account_id status suppressed stop_epoch created_at",
        "digest value_ct domain country time_zones import_id",
        key="key_id",
        status_reason="''",
    ),
    "person_key": _rows("id wrapping_key wrapped"),
    "contact_word": _rows("word contact_id"),
    "contact_address": _rows("contact_id address_id preferred valid_to merge_id import_id created_at"),
    "contact_interest": _rows("interest_id contact_id"),
    "group_member": _rows("group_id contact_id import_id"),
    "audience_member": _rows("audience_id contact_id"),
    "preference_event": _rows("id contact_id field change_ct source actor import_id at"),
    "contact_merge": _nobody("id kept_id merged_id merged_at undone_at staff_id"),
    "contact_group": _nobody("id key name kind archived_at"),
    "interest": _nobody("id key label"),
    "attribute_definition": _nobody("key type label choices created_at"),
    # consent: the ledger's skeleton stays, what opens it goes
    "consent_event": _nobody(_CONSENT_EVENT),
    "consent_evidence": _rows("event_id body_ct salt rule"),
    "consent_state": _nobody("address_id purpose_id standing event_id basis since expires_at beneath_id"),
    "consent_tally": _nobody("id day purpose_id gained source campaign_id rule count"),
    "consent_tallied": _nobody("id zone until"),
    "suppression": _nobody("id key_id digest channel reason created_at expires_at"),
    "optin_request": _skeleton(
        "id address_id purpose_id wording_id asked_with created_at expires_at confirmed_at",
        "",
        token_sha256="'erased:' || id",
    ),
    # sends and what came back
    "delivery": _nobody("id run_id contact_id reason created_at"),
    "step": _skeleton(_STEP, "provider_id provider_code salt"),
    "step_attempt": _skeleton(
        "step_id attempt gate_at settled_at outcome consent_event_id entry_id commitment",
        "provider_id provider_code salt",
    ),
    "receipt": _rows(
        "id account_id event_key provider_id kind outcome provider_code occurred_at received_at step_id message_id "
        "matched"
    ),
    "click": _rows("id link_id step_id at"),
    "message": _skeleton(_MESSAGE, "conversation_id body_ct intent rule provider_id provider_code"),
    "conversation": _rows(
        "id address_id account_id contact_id staff_id state needs_review review_by opened_at last_at window_until"
    ),
    "inbox_event": _rows("id account_id event_key kind address_id body_ct received_at done_at"),
    "outbox_item": _rows("id account_id address_id step_id message_id body_ct created_at"),
    # the log: a leaf says nothing; what opens a person's leaf goes
    "log_entry": _nobody("id kind commitment created_at position"),
    "log_payload": _rows("entry_id event staff_id key_id body salt"),
    "checkpoint": _nobody("size root note frontier created_at"),
    "erased_item": _nobody("kind item_id part erasure_id"),
    "privacy_request": _skeleton(
        "id kind contact_id state received_at due_at done_at staff_id progress entry_id", "note_ct"
    ),
    # nothing of a contact
    "account": _nobody(_ACCOUNT),
    "account_media": _nobody("account_id media_id provider_ref expires_at"),
    "account_poll": _nobody("account_id cursor polled_at problem"),
    "audience": _nobody("id name rule created_at updated_at archived_at"),
    "batch": _nobody("id run_id account_id due_at open lease_owner lease_until abandoned suspect_id domain_key"),
    "brand": _nobody("id key name contact postal_address website privacy_url archived_at"),
    "campaign": _nobody(_CAMPAIGN),
    "closed_day": _nobody("country day label"),
    "import_job": _nobody(_IMPORT_JOB),
    "import_mapping": _nobody("id name mapping created_at"),
    "import_reject": _nobody("id import_id line field code refused"),
    "lease": _nobody("name owner until"),
    "media_file": _nobody("id sha256 mime bytes_total name created_at"),
    "own_word": _nobody("id channel word written kind purpose_id wording_id campaign_id answer created_at"),
    "provider_call": _nobody("id account_id idempotency_key body_sha256 gate_at outcome"),
    "purpose": _nobody(_PURPOSE),
    "domain_bucket": _nobody("account_id domain_key per_minute tokens refilled_at ready_at"),
    "rate_bucket": _nobody("account_id tokens refilled_at failures openings day_number day_ends day_sent day_most"),
    "run": _nobody(_RUN),
    "setting": _nobody("key value changed_at"),
    "signup_form": _nobody("id key name brand_id language wording_ids channels created_at closed_at"),
    "staff": _nobody(_STAFF),
    "staff_session": _nobody("token_sha256 staff_id created_at seen_at expires_at"),
    "template": _nobody("id brand_id name default_language version created_at archived_at"),
    "template_variant": _nobody("id template_id version channel language label content created_at"),
    "tracked_link": _nobody("id run_id url url_sha256"),
    "wording": _nobody("id purpose_id version language text sha256 created_at"),
    "worker": _nobody("name started_at seen_at channels"),
}


def blank(table: str, where: str, **also: str) -> str:
    """Return the UPDATE that blanks what is personal in the rows of *table* for which *where* holds.

    *also* are further columns to set, as SQL.
    """
    values = {**HOLDINGS[table].blanked, **also}
    return f"UPDATE {table} SET {', '.join(f'{name} = {value}' for name, value in values.items())} WHERE {where}"


def delete(table: str, where: str) -> str:
    """Return the DELETE of a person's rows. Raises ValueError for a table whose rows must stay."""
    if not HOLDINGS[table].gone:
        raise ValueError(f"rows of {table} are not deleted")
    return f"DELETE FROM {table} WHERE {where}"
