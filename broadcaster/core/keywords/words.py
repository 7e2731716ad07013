"""Words that are a decision when they are the whole message, per language. All languages are active for every message.

Sources: what operators and messaging products publish for English, French and Chinese; for the other languages ordinary
words, to be reviewed by native speakers. A weak word to stop still stops; a weak word to join counts only as the answer
to a question that is open. Words are written as people write them; ``folding`` brings both sides into one form.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """The word lists of one language; each entry is a whole message."""

    code: str
    stop: tuple[str, ...]
    weak_stop: tuple[str, ...] = ()
    join: tuple[str, ...] = ()
    weak_join: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    courtesy: tuple[str, ...] = ()  #: removed before the rest is looked up


ENGLISH = Words(
    "en",
    stop=(
        *(
            "stop",
            "stopall",
            "stop all",
            "unsubscribe",
            "cancel",
            "end",
            "quit",
            "revoke",
            "optout",
            "opt out",
            "remove",
        ),
        *("unsub", "stop it", "stop this", "stop that", "stop them", "stop these", "stop now", "stop everything"),
        *(
            "remove me",
            "opt me out",
            "unsubscribe me",
            "stop2quit",
            "unsubscribe all",
            "cancel all",
            "end all",
            "stop stop",
        ),
        *("stopit", "optmeout", "unsubscribeme", "removeme", "stopp", "stpo", "sotp", "tsop", "st0p", "sto p", "s top"),
        *(
            "5top",
            "stop!",
            "stop texting",
            "i opt out",
            "opting out",
            "please opt me out",
            "opt-out",
            "stoped",
            "stopplease",
        ),
    ),
    join=(
        "start",
        "unstop",
        "join",
        "subscribe",
        "opt in",
        "optin",
        "resume",
        "subscribe me",
        "sign me up",
        "opt me in",
    ),
    weak_join=("yes", "yes please", "y", "yep", "yeah", "ok", "confirm", "i agree", "agree", "sure"),
    help=("help", "info", "support", "help me", "information", "i need help", "more info"),
    courtesy=(
        *("please", "pls", "plz", "plse", "kindly", "thanks", "thank", "you", "thx", "ty", "hi", "hello", "hey", "sir"),
        *("madam", "dear", "sms", "text", "texts", "now", "ok", "good", "morning", "evening", "immediately", "asap"),
        *("sorry", "regards", "best", "cheers", "just", "guys", "team", "all", "bye", "goodbye", "messages", "msgs"),
    ),
)

FRENCH = Words(
    "fr",
    stop=(
        *(
            "stop",
            "arrêt",
            "arrête",
            "arrêtez",
            "arrêter",
            "arrêté",
            "arrêts",
            "arret",
            "arrett",
            "arète",
            "aretez",
            "arreté",
        ),
        *(
            "désabonnement",
            "désabonner",
            "désabo",
            "désabonnez",
            "désabonne",
            "désinscription",
            "désinscrire",
            "désinscrivez",
        ),
        *("désinscris", "désabonnez-moi", "désinscrivez-moi", "me désabonner", "me désinscrire", "se désabonner"),
        *("désinscription immédiate", "retirez-moi", "supprimez-moi", "enlevez-moi", "stoppez", "stopper", "stoppe"),
        *("stop tout", "arrêtez tout", "arrête tout", "arrêtez ça", "stop ça", "stop pub", "ça suffit", "stop merci"),
        *(
            "je me désabonne",
            "je me désinscris",
            "stop publicité",
            "stopsms",
            "stoppub",
            "opposition",
            "refus",
            "je refuse",
        ),
    ),
    weak_stop=("résilier", "annuler", "fin", "résiliation", "annulation", "plus rien", "supprimer"),
    join=("start", "reprendre", "s'abonner", "m'abonner", "m'inscrire", "abonnez-moi", "inscrivez-moi", "réabonner"),
    weak_join=("oui", "inscription", "abonnement", "d'accord", "ok", "oui je veux bien", "je confirme", "j'accepte"),
    help=("aide", "info", "infos", "contact", "informations", "aidez-moi", "besoin d'aide", "j'ai besoin d'aide"),
    courtesy=(
        *(
            "svp",
            "stp",
            "s'il",
            "vous",
            "te",
            "plaît",
            "plait",
            "merci",
            "bonjour",
            "bonsoir",
            "salut",
            "coucou",
            "cordialement",
        ),
        *(
            "sms",
            "pub",
            "pubs",
            "madame",
            "monsieur",
            "mme",
            "mr",
            "messieurs",
            "avance",
            "d'avance",
            "beaucoup",
            "bien",
        ),
        *(
            "immédiatement",
            "maintenant",
            "désolé",
            "désolée",
            "publicité",
            "publicités",
            "au",
            "message",
            "bonne",
            "journée",
        ),
        *("soirée", "à", "revoir", "texto", "textos", "tout", "de", "suite"),
    ),
)

GERMAN = Words(
    "de",
    stop=("stop", "stopp", "stoppen", "abmelden", "abmeldung", "abbestellen", "austragen"),
    weak_stop=("kündigen", "ende"),
    join=("start", "anmelden"),
    weak_join=("ja", "weiter"),
    help=("hilfe", "info", "kontakt"),
    courtesy=("bitte", "danke", "hallo", "dankeschön", "guten", "tag", "sofort", "mich"),
)
SPANISH = Words(
    "es",
    stop=("stop", "alto", "baja", "parar", "pare", "cancelar", "salir", "detener", "basta", "no más"),
    weak_stop=("fin",),
    join=("alta", "iniciar", "suscribir", "reanudar"),
    weak_join=("sí",),
    help=("ayuda", "información", "info"),
    courtesy=("por", "favor", "gracias", "hola", "ya", "buenos", "días"),
)
PORTUGUESE = Words(
    "pt",
    stop=("stop", "parar", "pare", "sair", "cancelar", "remover", "descadastrar"),
    join=("iniciar", "cadastrar"),
    weak_join=("sim",),
    help=("ajuda", "info"),
    courtesy=("por", "favor", "obrigado", "obrigada", "olá", "oi"),
)
ITALIAN = Words(
    "it",
    stop=("stop", "basta", "ferma", "cancellami", "disiscrivimi"),
    join=("inizia", "iscrivimi"),
    weak_join=("sì",),
    help=("aiuto", "info"),
    courtesy=("per", "favore", "grazie", "ciao", "buongiorno", "prego"),
)
DUTCH = Words(
    "nl",
    stop=("stop", "afmelden", "uitschrijven"),
    weak_stop=("uit",),
    join=("start", "aanmelden"),
    weak_join=("ja",),
    help=("hulp", "help", "info"),
    courtesy=("alstublieft", "alsjeblieft", "aub", "bedankt", "dank", "hallo", "u", "je"),
)
POLISH = Words(
    "pl",
    stop=("stop", "wypisz", "rezygnuję"),
    weak_stop=("koniec",),
    join=("start",),
    weak_join=("tak",),
    help=("pomoc", "info"),
    courtesy=("proszę", "dziękuję", "cześć"),
)
CZECH = Words(
    "cs",
    stop=("stop", "odhlásit"),
    weak_stop=("konec",),
    join=("start", "přihlásit"),
    weak_join=("ano",),
    help=("pomoc", "info"),
    courtesy=("prosím", "děkuji", "díky"),
)
UKRAINIAN = Words(
    "uk",
    stop=("стоп", "відписатися"),
    join=("старт", "підписатися"),
    weak_join=("так",),
    help=("допомога", "інфо"),
    courtesy=("будь", "ласка", "дякую"),
)
ARABIC = Words(
    "ar",
    stop=("توقف", "إيقاف", "إلغاء", "إلغاء الاشتراك"),
    join=("اشتراك", "ابدأ"),
    weak_join=("نعم",),
    help=("مساعدة",),
    courtesy=("من", "فضلك", "شكرا"),
)
JAPANESE = Words(
    "ja",
    stop=("停止", "配信停止", "解除", "登録解除", "退会", "ストップ"),
    join=("登録", "再開", "開始"),
    weak_join=("はい",),
    help=("ヘルプ",),
    courtesy=("お願いします", "してください", "ください"),
)
CHINESE = Words(
    "zh",
    stop=("td", "退订", "退訂", "取消订阅", "拒收"),
    weak_stop=("t", "r"),
    join=("订阅", "重新订阅"),
    weak_join=("是",),
    help=("帮助", "客服"),
    courtesy=("请", "請", "谢谢", "謝謝"),
)
TURKISH = Words(
    "tr",
    stop=("ret", "iptal"),
    join=("başlat",),
    weak_join=("evet",),
    help=("yardım",),
    courtesy=("lütfen", "teşekkürler", "merhaba"),
)

LANGUAGES = (
    ENGLISH, FRENCH, GERMAN, SPANISH, PORTUGUESE, ITALIAN, DUTCH,
    POLISH, CZECH, UKRAINIAN, ARABIC, JAPANESE, CHINESE, TURKISH,
)  # fmt: skip
