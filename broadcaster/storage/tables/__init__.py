"""Every table, by area. The database holds what must never be false: see the constraints and ``storage/triggers.py``.

organisation    brands, purposes, wordings, accounts, staff, settings
people          contacts, addresses, keys, groups, interests, preference history
consent         the ledger, its evidence, the state that follows, suppression, double opt-in
campaigns       audiences, templates, campaigns, runs, batches, deliveries, steps, receipts
conversations   messages outside campaigns, inbound events, the sandbox's outbox
ledger          the log, checkpoints, erasure, privacy requests
upkeep          leases, workers, imports
"""

from broadcaster.storage.tables.base import metadata
from broadcaster.storage.tables.campaigns import (
    AccountMedia,
    Audience,
    AudienceMember,
    Batch,
    Campaign,
    Click,
    Delivery,
    MediaFile,
    ProviderCall,
    ReceiptEvent,
    Run,
    Step,
    StepAttempt,
    Template,
    TemplateVariant,
    TrackedLink,
)
from broadcaster.storage.tables.consent import (
    ConsentEvidence,
    ConsentRecord,
    ConsentStanding,
    OptInRequest,
    Suppression,
)
from broadcaster.storage.tables.conversations import Conversation, InboxEvent, Message, OutboxItem
from broadcaster.storage.tables.ledger import Checkpoint, ErasedItem, LogEntry, LogPayload, PrivacyRequest
from broadcaster.storage.tables.organisation import (
    Account,
    AccountPoll,
    Brand,
    ClosedDay,
    DomainBucket,
    OwnWord,
    Purpose,
    RateBucket,
    Setting,
    SignupForm,
    Staff,
    StaffSession,
    Wording,
)
from broadcaster.storage.tables.people import (
    Address,
    AttributeDefinition,
    Contact,
    ContactAddress,
    ContactGroup,
    ContactInterest,
    ContactMerge,
    ContactWord,
    GroupMember,
    Interest,
    PersonKey,
    PreferenceEvent,
)
from broadcaster.storage.tables.upkeep import ImportJob, ImportMapping, ImportReject, Lease, Worker

__all__ = [
    "Account",
    "AccountMedia",
    "AccountPoll",
    "Address",
    "AttributeDefinition",
    "Audience",
    "AudienceMember",
    "Batch",
    "Brand",
    "Campaign",
    "Checkpoint",
    "Click",
    "ClosedDay",
    "ConsentEvidence",
    "ConsentRecord",
    "ConsentStanding",
    "Contact",
    "ContactAddress",
    "ContactGroup",
    "ContactInterest",
    "ContactMerge",
    "ContactWord",
    "Conversation",
    "Delivery",
    "DomainBucket",
    "ErasedItem",
    "GroupMember",
    "ImportJob",
    "ImportMapping",
    "ImportReject",
    "InboxEvent",
    "Interest",
    "Lease",
    "LogEntry",
    "LogPayload",
    "MediaFile",
    "Message",
    "OptInRequest",
    "OutboxItem",
    "OwnWord",
    "PersonKey",
    "PreferenceEvent",
    "PrivacyRequest",
    "ProviderCall",
    "Purpose",
    "RateBucket",
    "ReceiptEvent",
    "Run",
    "Setting",
    "SignupForm",
    "Staff",
    "StaffSession",
    "Step",
    "StepAttempt",
    "Suppression",
    "Template",
    "TemplateVariant",
    "TrackedLink",
    "Wording",
    "Worker",
    "metadata",
]
