# ruff: noqa: E501 (a pattern is easier to check on one line)
"""Signs that are looked for in every language at once, over folded text."""

from __future__ import annotations

import re

EVERYWHERE = re.compile(
    r"\b(?:everywhere|all channels|any channel|by any means|any way|whatsoever|partout|tous (?:les|vos) canaux|aucun canal|tous supports"
    r"|par aucun moyen|quelque moyen|sous quelque forme)\b"
)
REVERSAL = re.compile(
    r"\b(?:by (?:mistake|accident)|accidentally|put me back|resubscribe|re subscribe|par erreur|sans (?:le )?faire expres"
    r"|remett\w+ moi|re ?inscri\w+|re ?abonn\w+|par megarde)\b"
)
#: What our own messages say; a person who forwards one is not asking.
INSTRUCTION = re.compile(
    r"(?<=\w )(?:\| )?(?:(?:to (?:opt ?out|unsubscribe|stop)|pour (?:vous desabonner|ne plus recevoir(?: \w+){0,4})|reply|text|txt|send|repondez|envoyez|tapez|desabonnement)"
    r"(?: \||(?: \w+){0,3})? )?stop (?:to (?:opt ?out|unsubscribe|end|stop|quit|cancel|\d+)|au \d+|pour (?:vous desabonner|arreter|ne plus)|2 ?end)(?: \w+){0,3}$"
    r"|(?<=\w )(?:\| )?(?:stop (?:sms|pub) )(?:au )?\d+$|(?<=\w )(?:\| )?(?:reply|text|repondez|envoyez) stop$"
)
HINT = re.compile(
    r"\b(?:stop(?:p|s|it|all|tout)?|stopp?(?:ed|ing|er|ez|e|es)|unsub\w*|arret(?:e|ez|er)?|desabo\w*|desinscri\w*|optout|opt out|abmeld\w*|stopsign|стоп|відписатися|退订|退訂"
    r"|取消订阅|配信停止|停止|إيقاف|توقف|afmelden|uitschrijven|abbestellen|descadastrar|cancellami|disiscrivimi|wypisz|odhlasit)\b"
)
WEAK_HINT = re.compile(
    r"^(?:\w+ ){0,2}(?:cancel|quit|revoke|remove|end|(?<!estoy de )baja|basta|iptal|annuler|supprimer|alto|cancelar)(?: (?:it|this|that|all|everything|me|please|now|pls|tout|svp))*$"
)
GREETED = re.compile(r"^(?:hi|hello|hey|dear|bonjour|salut|bonsoir|coucou|chere?s?|hallo|hola|ciao)(?: \w+){0,2} \| ")
SIGNED = re.compile(
    r" (?:\| )?(?:thanks|thank you|merci|regards|cordialement|bien a vous|cheers|danke|gracias)(?: d avance)?(?: \|)?(?: \w+){0,2}$"
)
NUMBER = re.compile(r"\d{3,6}")
