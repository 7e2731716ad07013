"""Why somebody did or did not get a message, in words for the people who ask: one clause per reason and language."""

from __future__ import annotations

from typing import Literal

from broadcaster.core.deliveries import Reason

Language = Literal["en", "fr"]

#: After “they did not get it: …”, with no capital and no full stop.
REASONS: dict[Language, dict[Reason, str]] = {
    "en": {
        Reason.NO_CONSENT: "no consent to this purpose is known for any of their addresses",
        Reason.PENDING_CONFIRMATION: "they were asked to confirm their consent and have not done so",
        Reason.WITHDRAWN: "they withdrew their consent to this purpose",
        Reason.OBJECTED: "they said stop",
        Reason.EXPIRED: "their consent has run out",
        Reason.RESTRICTED: "writing to them is suspended until somebody has decided",
        Reason.NO_BASIS: "the ground on which they were to be written to does not hold for them in their country",
        Reason.MINOR: "they are below the age at which their own consent counts in their country",
        Reason.SUPPRESSED: "their address is on the list of those that must not be written to",
        Reason.ERASED: "their data have been erased",
        Reason.NO_ADDRESS: "they have no address on any channel of this campaign",
        Reason.DUPLICATE_ADDRESS: "somebody else with the same address gets it",
        Reason.EXCLUDED: "they belong to the audience that is left out",
        Reason.ADDRESS_INVALID: "their address is known not to work",
        Reason.UNREACHABLE: "the provider says that nobody is at this address",
        Reason.TEMPORARILY_UNREACHABLE: "it was tried several times and nobody was there",
        Reason.PROVIDER_OPT_OUT: "the provider says that they blocked us or unsubscribed there",
        Reason.MISSING_FIELD: "the words need a value that is not known of them",
        Reason.NO_TEMPLATE: "there are no words for their channel and language",
        Reason.RENDER_FAILED: "the words could not be put together for them",
        Reason.REJECTED: "the provider refuses this message",
        Reason.NO_TIME_ZONE: "nothing says what time it is where they are",
        Reason.WINDOW_PASSED: "no permitted hour was left before the campaign's end",
        Reason.FREQUENCY_CAP: "they have had as many messages as allowed",
        Reason.WINDOW_CLOSED: "the platform allows only answers, and they had not written lately",
        Reason.NO_ACCOUNT: "no sender on their channel could be used",
        Reason.CANCELLED: "the campaign was cancelled first",
        Reason.GAVE_UP: "it was tried as often as allowed without success",
        Reason.PARKED: "sending it failed in a way that needs somebody to look",
        Reason.LOST: "nobody knew how the call ended, and somebody decided that it was lost",
    },
    "fr": {
        Reason.NO_CONSENT: "aucun consentement à cette finalité n’est connu pour ses adresses",
        Reason.PENDING_CONFIRMATION: "une confirmation de son consentement lui a été demandée et n’est pas venue",
        Reason.WITHDRAWN: "son consentement à cette finalité a été retiré",
        Reason.OBJECTED: "cette personne a dit stop",
        Reason.EXPIRED: "son consentement a expiré",
        Reason.RESTRICTED: "les envois sont suspendus pour cette personne jusqu’à ce que quelqu’un décide",
        Reason.NO_BASIS: "le fondement prévu pour lui écrire ne vaut pas pour cette personne dans son pays",
        Reason.MINOR: "cette personne n’a pas l’âge auquel son propre consentement compte dans son pays",
        Reason.SUPPRESSED: "son adresse est sur la liste de celles auxquelles on n’écrit pas",
        Reason.ERASED: "ses données ont été effacées",
        Reason.NO_ADDRESS: "aucune adresse n’est connue sur les canaux de cette campagne",
        Reason.DUPLICATE_ADDRESS: "une autre personne ayant la même adresse le reçoit",
        Reason.EXCLUDED: "cette personne fait partie de l’audience exclue",
        Reason.ADDRESS_INVALID: "son adresse est connue pour ne pas fonctionner",
        Reason.UNREACHABLE: "selon le fournisseur, il n’y a personne à cette adresse",
        Reason.TEMPORARILY_UNREACHABLE: "plusieurs essais ont été faits, sans joindre personne",
        Reason.PROVIDER_OPT_OUT: "selon le fournisseur, cette personne nous a bloqués ou s’est désabonnée",
        Reason.MISSING_FIELD: "le texte demande une valeur qui n’est pas connue pour cette personne",
        Reason.NO_TEMPLATE: "il n’y a pas de texte pour son canal et sa langue",
        Reason.RENDER_FAILED: "le texte n’a pas pu être composé pour cette personne",
        Reason.REJECTED: "le fournisseur refuse ce message",
        Reason.NO_TIME_ZONE: "rien ne dit quelle heure il est chez cette personne",
        Reason.WINDOW_PASSED: "il ne restait aucune heure permise avant la fin de la campagne",
        Reason.FREQUENCY_CAP: "cette personne a reçu autant de messages que permis",
        Reason.WINDOW_CLOSED: "la plateforme ne permet que des réponses, et cette personne n’a pas écrit récemment",
        Reason.NO_ACCOUNT: "aucun compte d’envoi n’était utilisable sur son canal",
        Reason.CANCELLED: "la campagne a été annulée avant",
        Reason.GAVE_UP: "tous les essais permis ont été faits, sans succès",
        Reason.PARKED: "l’envoi a échoué d’une façon que quelqu’un doit examiner",
        Reason.LOST: "personne ne savait comment l’appel a fini, et quelqu’un a décidé qu’il était perdu",
    },
}

SENTENCES: dict[Language, dict[str, str]] = {
    "en": {
        "will_get": "They will get it on {channel}.",
        "will_not": "They will not get it: {reason}.",
        "not_meant": "They are not in the audience of this campaign.",
        "not_yet": "They are in no part of the audience that has been planned so far.",
        "planned": "It is planned for them on {channel}.",
        "held": "It waits for them on {channel}.",
        "dispatching": "It is being handed over to {channel} now.",
        "accepted": "They were sent it on {channel}; the provider took it.",
        "sent": "They were sent it on {channel}; the provider has passed it on.",
        "delivered": "They got it on {channel}.",
        "read": "They got it on {channel} and read it.",
        "unknown": "Nobody knows whether they got it: the call to {channel} began and no answer came.",
        "failed": "They did not get it: {reason}.",
        "skipped": "They did not get it: {reason}.",
        "because": " It was allowed by their consent of {date}.",
        "decided": " That was decided by what was recorded on {date}.",
    },
    "fr": {
        "will_get": "Cette personne le recevra par {channel}.",
        "will_not": "Cette personne ne le recevra pas\u00a0: {reason}.",
        "not_meant": "Cette personne ne fait pas partie de l’audience de cette campagne.",
        "not_yet": "Cette personne n’est dans aucune partie de l’audience planifiée jusqu’ici.",
        "planned": "L’envoi par {channel} est prévu pour cette personne.",
        "held": "L’envoi par {channel} attend pour cette personne.",
        "dispatching": "Le message est en cours de remise à {channel}.",
        "accepted": "Le message lui a été envoyé par {channel}\u00a0; le fournisseur l’a pris.",
        "sent": "Le message lui a été envoyé par {channel}\u00a0; le fournisseur l’a transmis.",
        "delivered": "Cette personne l’a reçu par {channel}.",
        "read": "Cette personne l’a reçu par {channel} et l’a lu.",
        "unknown": "Personne ne sait si le message est arrivé\u00a0: l’appel à {channel} a commencé, sans réponse.",
        "failed": "Cette personne ne l’a pas reçu\u00a0: {reason}.",
        "skipped": "Cette personne ne l’a pas reçu\u00a0: {reason}.",
        "because": " Son consentement du {date} le permettait.",
        "decided": " C’est ce qui a été enregistré le {date} qui en décide.",
    },
}


def why(reason: str, language: Language) -> str:
    """Return the clause for *reason*."""
    return REASONS[language][Reason(reason)]


def sentence(state: str, language: Language, *, channel: str = "", reason: str | None = None, date: str = "") -> str:
    """Return one sentence for what became of a message; *date* is that of the consent event behind it, if any."""
    words = SENTENCES[language]
    told = words[state].format(channel=channel, reason="" if reason is None else why(reason, language))
    if not date:
        return told
    return told + words["because" if reason is None else "decided"].format(date=date)
