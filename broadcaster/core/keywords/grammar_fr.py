# ruff: noqa: E501 (a pattern is easier to check on one line)
"""French sentences that ask to stop, to know, to erase, to join, or for help."""

from broadcaster.core.keywords.rules import Rules

_MESSAGES = (
    r"(?:messages?|msgs?|mess|mails?|e ?mails?|courriels?|sms|textos?|newsletters?|pubs?|publicites?|promos?|promotions?|offres?"
    r"|notifications?|notifs?|spams?|alertes?|sollicitations?|communications?|demarchages?|appels?|conneries|merdes?|envois?"
    r"|relances?|infolettres?|actus?|prospection|liste|campagnes?|marketing)"
)
_SEND = (
    r"(?:envoy\w+|envoi\w*|contact\w*|ecri\w+|ecrir\w+|appel\w*|sollicit\w+|derang\w+|harcel\w+|spam\w*|embet\w+|emmerd\w+"
    r"|relanc\w+|importun\w+|demarch\w+|saoul\w*|gonfl\w+|adress(?:er|ez)|texto\w*|inond\w+|bombard\w+|telephon\w+|faire chier)"
)
_GET = r"(?:recevoir|recevrai|etre (?:contacte\w*|sollicite\w*|derange\w*|appele\w*|demarche\w*|harcele\w*|importune\w*|sur))"
_OTHER = (
    r"(?:commandes?|rendez vous|rdv|reservations?|livraisons?|articles?|paiements?|cartes?|colis|billets?|visites?|reunions?"
    r"|voyages?|vols?|remboursements?|achats?|panier|factures?|prelevements?|contrats?|assurance|adhesion|chambre|table|cours|seance"
    r"|fuite|bruit|rendezvous|abonnement (?:telephonique|internet|mobile|gym|salle)|machine|moteur|fumer|pleuvoir|travail|train|bus"
    r"|produits?|robe|chaussures?|taille|retrait|consultation|devis)"
)
_STOP = r"(?:arret\w*|arete\w*|cess\w+|stopp?\w*|finissez|halte)"
_LATER = r"(?! (?:\w+ ){0,5}(?:avant|apres|aujourd hui|ce soir|demain|tout de suite|encore|pendant)\b)"

FRENCH = Rules(
    code="fr",
    ignore=(
        r"\barrets? (?:de )?(?:bus|tram|maladie|travail|metro|cardiaque|jeu|car|sur image|demande)\b|\bmandat d arret\b|\bcoup d arret\b"
        r"|\b(?:prochain|dernier|premier|en|l|a l|sans|mon|un|cet|votre|quel|chaque) arrets?\b|\bauto ?stop\b|\bstop and go\b"
        r"|\barret(?:e|ee|es|ees)? a\b",
        r"\b(?:extra|super|ultra) fine?s?\b|\b(?:en|a la|la|fin) fin (?:de|du|d|des)\b|\bfin (?:de|du|d|des|aout|juin|mai|mars)\b",
        r"\b(?:n|ne)(?: (?:me|m|nous|vous|te|t|le|la|les)){0,2} (?:arret\w*|stopp\w*|desabonn\w*|desinscri\w*|cess\w*|supprim\w*|retir\w*)"
        r"(?: (?:surtout|donc|vraiment|bien))? (?:pas|jamais|rien)(?: \w+){0,4}",
        r"\b(?:veux|souhaite|voudrais|faut|vais|compte|voulais)(?: surtout| vraiment)? pas (?:que vous |me |m |se |vous |nous )?"
        r"(?:arret\w*|stopp\w*|desabonn\w*|desinscri\w*|cess\w*|stop)(?: \w+){0,4}",
        r"\bne (?:pas|jamais|surtout pas) (?:m |me |nous |vous )?(?:arret\w*|desabonn\w*|desinscri\w*|stopp\w*)(?: \w+){0,3}",
        r"\bj arrete (?:pas|jamais)\b(?: \w+){0,3}|\bpas (?:arreter|stopper|me desabonner|me desinscrire)\b",
        rf"\b(?:{_STOP}|annul\w+|supprim\w+|retir\w+|resili\w+|enlev\w+|rendre|desinscri\w+)"
        rf"(?: (?!de m\b|moi\b|me\b|m\b|vos\b|envoyer|{_MESSAGES}\b)\w+){{0,4}}? {_OTHER}\b",
        rf"\b{_OTHER}(?: \w+){{0,4}} (?:annul\w+|arrete\w*|supprim\w+|stoppe\w*|fini\w*)\b",
        r"\b(?:quand|jusqu\w*|offre|promo|soldes?|magasin)(?: (?!vous\b)\w+){1,5}? (?:s arrete\w*|fini\w*|arrete\w*|stoppe\w*)\b",
        r"\b(?:ca|il|elle|pluie|ordinateur|telephone|appli|application|site)(?: \w+){0,2} s (?:est )?arrete\w*",
        r"\bstop and\b|\b(?:je|tu|il|on) (?:vais |me |m |s )?arret\w+ (?:de )?(?:fumer|boire|bosser|travailler)\b",
        r"\bplus (?:de|d) (?:details|photos?|renseignements|precisions|choix|infos?|informations?|stock|taille|place)\b",
    ),
    stop={
        "unsubscribe": r"\b(?:desabonn\w*|desabo\w*|desinscri\w*|deinscri\w*|desabon\w+|desincri\w+|desouscri\w*|unsubscri\w*|"
        r"des abonn\w+|des inscri\w+)\b",
        "stop-sending": rf"\b{_STOP}(?: (?:de|d|svp|merci|avec|donc|immediatement|maintenant|tout|s il|vous|plait|un|peu|enfin|moi|ca)){{0,4}}"
        rf" (?:(?:me|m|nous|de|d|mon|vos|ces|les|l|tous|toutes|des) ){{0,3}}(?:{_SEND}|{_MESSAGES})\b",
        "stop-messages": rf"\b(?:{_STOP}|marre|assez|ras le bol|stop)(?: (?:a|aux?|avec|de|d|des|les?|la|vos|tes|ces|cette|votre|tous|toutes"
        rf"|l|envoi|en|ai|j|moi|putain|foutus?)){{0,4}} {_MESSAGES}\b",
        "stop-alone": r"(?:^|\| )(?:(?:bonjour|merci|svp|stp|je vous|j ai|dis|dit|demande|vous|ai|de|d|ok|non|oui|allez|bon|mais|veuillez|priere|il|faut|je|veux"
        r"|voudrais|souhaite|que|vous|puis|on|s|peut|et|pouvez|peux|vouloir|tout|ca|cela|aimerais|encore|une|fois|m|bonsoir|madame|monsieur) ){0,6}"
        r"(?:stopp?e?z?|arretez|arrete|arret|arreter|arretes|arrete moi|cessez)"
        r"(?: (?:ca|cela|tout|maintenant|svp|stp|merci|immediatement|s|il|vous|plait|te|de|suite|enfin|definitivement|moi|la|pour|toujours|j|ai|dit"
        r"|d|avance|stop|arret|ok|bordel|putain|vraiment|bonjour|svp|sms)){0,6}(?= \||$)",
        "no-wish": rf"\b(?:j?veux|j?veu|veut|veu|voulons|souhaite|souhaitons|desire|voudrais|voudrai|aimerais|accepte|autorise|consens|tiens|prefere)(?: (?:surtout|vraiment"
        rf"|du|tout|a|ne|n|que|vous)){{0,3}} (?:plus?|pu|pas|pa|point|jamais|aucun\w*|rien)"
        rf"(?!(?: \w+){{0,3}} (?:rater|louper|manquer|perdre|recu))(?: (?!{_OTHER}\b|rater|louper|manquer|compte|recu)\w+){{0,5}}? "
        rf"(?:{_GET}|{_MESSAGES}|{_SEND}|avoir de vos nouvelles|entendre parler)\b",
        "refuse": rf"\b(?:refus\w+|interdi\w+)(?: (?!{_OTHER}\b)\w+){{0,4}}? (?:{_GET}|{_MESSAGES}|{_SEND})\b",
        "no-desire": rf"\b(?:pas|plus|plu|aucune?|nulle?)(?: du tout)? (?:envie|besoin|interesse\w*|d accord|consenti\w*)(?: \w+){{0,4}}? (?:{_GET}|{_MESSAGES}|{_SEND})\b",
        "infinitive": rf"\b(?:ne|n)?(?: )?(?:plus|pas|jamais)(?: (?:jamais|rien))? {_GET}\b"
        rf"|\bne (?:plus|pas|jamais)(?: jamais| rien)?{_LATER} (?:me |m |nous |mon )?{_SEND}\b(?! (?:\w+ ){{0,3}}{_OTHER}\b)",
        "no-contact": rf"(?<!vous )\b(?:ne|n) (?:me |m |nous )?{_SEND}(?: (?!{_OTHER}\b)\w+){{0,2}}? (?:plus|jamais)\b{_LATER}(?! (?:\w+ ){{0,3}}{_OTHER}\b)"
        rf"|\b(?:me|m|nous) {_SEND} (?:plus?|jamais)(?= \||$| (?:(?:de |d )?{_MESSAGES}|rien|jamais|svp|stp|merci|s il)\b)"
        rf"|\bne (?:me|m|nous) {_SEND} pas\b{_LATER}(?! (?:\w+ ){{0,4}}{_OTHER}\b)",
        "no-more": rf"(?:^|\| |\b(?:veux|souhaite|voudrais|svp|merci) )(?:je )?plus (?:de |d |aucun\w* |jamais de )(?:vos |ces )?{_MESSAGES}\b|\bplus aucun\w* {_MESSAGES}"
        rf"|(?:^|\| )pas de {_MESSAGES}(?: (?:svp|merci|s il|vous|plait|stp)){{0,4}}(?= \||$)|\bne plus (?:avoir|voir)(?: \w+){{0,2}} {_MESSAGES}\b|\bplus rien (?:recevoir|de vous|de votre part)\b",
        "remove-me": r"\b(?:retir\w+|supprim\w+|enlev\w+|effac\w+|ray\w+|radi\w+|ote\w*|vir\w+|sort\w+|exclu\w+|bloqu\w+|oubli\w+)(?: \w+){0,2}?"
        r" (?:moi|mon (?:numero|num|tel\w*|adresse|mail|email|contact|nom|portable)|ce numero|(?:de|des) (?:la|votre|vos|cette|ta) listes?)\b"
        r"(?! (?:un|une|le|la|les) \w+ (?:commande|article))"
        r"|\b(?:me|m) (?:retirer|supprimer|enlever|rayer|radier|sortir|oter)\b|\betre (?:retire|supprime|radie|desinscrit|enleve|raye|efface)\w*|\bmon (?:numero|num|adresse|mail|nom)(?: \w+){0,3} (?:supprim\w+|retir\w+|effac\w+|enlev\w+)",
        "consent": r"\b(?:retir\w+|revoqu\w+|annul\w+|repren\w+)(?: \w+){0,3}? (?:consentement|accord|autorisation)\b"
        r"|\b(?:n ai|ai|pas) (?:jamais |pas |rien )?(?:donne|autorise|accepte|consenti|demande|souscrit)(?: \w+){0,6}(?: accord| consentement| recevoir"
        rf"| {_MESSAGES}| abonne\w*)\b|\bm oppose(?: \w+){{0,5}} (?:{_MESSAGES}|reception|prospection|demarchage|utilisation)\b|\bm oppose\b(?= \||$)",
        "finish": rf"\bmett\w+ fin a (?:tous |toutes )?(?:la |les |vos |ces ){{1,2}}{_MESSAGES}\b|(?<!c est )\b(?:fini|terminee?)(?: avec)? (?:les|vos|ces|tes) {_MESSAGES}\b",
        "leave-alone": r"\b(?:laiss\w+|fich\w+|fout\w+|lach\w+|oubli\w+) (?:moi|nous)(?: (?:donc|un peu|enfin))?(?: (?:tranquilles?|en paix|la paix|la grappe|les baskets)|(?= \||$))"
        r"|\blach\w+ (?:moi|l affaire)\b|\bperdez mon numero\b|\bbasta\b",
    },
    rights={
        "erase": r"\b(?:supprim\w+|effac\w+|suppression|effacement|detrui\w+|destruction|oubli\w*)(?: \w+){0,5}? (?:donnees|informations|infos|compte|dossier|fiche|profil|coordonnees)\b"
        r"|\bdroit a l (?:oubli|effacement)\b|\boubliez moi\b",
        "access": r"\b(?:quelles?|mes|copie|acces|acceder)(?: \w+){0,4} donnees\b|\bdroit d acces\b|\b(?:ou|comment) (?:avez vous|vous avez) (?:eu|obtenu|trouve) mon\b",
        "object": r"\bm oppose(?: \w+){0,5} (?:traitement|donnees|profilage)\b|\brgpd\b|\bcnil\b|\bdroit d opposition\b|\brectif\w+(?: \w+){0,3} donnees\b",
    },
    doubt={
        "hostile": r"\b(?:merde|putain|connards?|connasses?|encul\w+|fait chier|faites chier|va te faire|allez vous faire|ta gueule|vos gueules|fermez la|marre|ras le bol|gonfl\w+|saoul\w+"
        r"|harcel\w+|plainte|avocat|tribunal|arnaqu\w+|escroc\w*|spam\w*|signal\w+|33700|bloctel|degage\w*|foutez\w*|fichez\w*|ca suffit|trop de (?:messages|sms|mails|pubs?))\b",
        "stranger": r"\b(?:mauvais|faux) numero\b|\berreur de (?:numero|destinataire)\b|\bpas (?:la bonne|le bon) (?:personne|numero)\b|\bqui vous a donne\b"
        r"|\b(?:decede\w*|mort|morte)\b|\bje (?:ne )?(?:vous connais pas|connais pas (?:ce numero|votre|cette (?:personne|societe|entreprise)))\b|\bvous vous trompez\b|\bnouveau numero\b|\bplus mon numero\b",
        "not-interested": r"\b(?:pas|plus|aucunement|nullement) interesse\w*\b|\bnon merci\b|\bassez\b|\bm interess\w* (?:pas|plus)\b|\bplus client\w*\b|\bplus rien\b"
        r"|\bne (?:me )?concerne (?:pas|plus)\b|\bpas concerne\w*\b",
        "net": rf"\b(?:pas|plus|plu|jamais|inutile|marre|aucune?|peine|rien)(?: (?!{_OTHER}\b|recu|recois|recoit|retrouve|lu|vu|compris)\w+){{0,5}} (?:m (?:ecrire|envoyer|appeler|adresser)"
        rf"|me (?:contacter|solliciter|relancer|spammer)|messages|sms|textos|pubs?|publicites?|mails|newsletters?)(?= \||$| (?:svp|stp|merci))",
        "contract": r"\b(?:resili\w+|annul\w+|mettre fin|fin)(?: \w+){0,3} (?:abonnement|inscription|tout|souscription)\b",
        "instruction": r"\b(?:repondez|envoyez|tapez|repondre|envoyer|texto)(?: \w+){0,2} stop\b|\bstop au \d+",
    },
    join={
        "ask": r"(?:je )?(?:veux|voudrais|souhaite|aimerais|desire) (?:bien )?(?:m inscrire|m abonner|me reabonner|me reinscrire|recevoir (?:vos|les) (?:offres|messages|newsletters?|sms))"
        r"(?: a (?:la|votre) (?:newsletter|liste))?|(?:inscri\w+|abonne\w+|reinscri\w+|reabonne\w+) moi(?: a (?:la|votre) (?:newsletter|liste))?",
    },
    help={
        "ask": r"(?:pouvez vous |peux tu |pourriez vous )?(?:m )?aider?(?: moi| nous)?|(?:j ai )?besoin d (?:aide|informations?|infos?)|qui (?:etes vous|est ce|es tu|est la)|c est qui|vous etes qui"
        r"|qui m ecrit|comment ca (?:marche|fonctionne)|(?:je )?(?:veux|voudrais|souhaite) (?:de l aide|des (?:infos?|informations?|renseignements))|service (?:client|clients)|t es qui"
        r"|qu est ce que c est",
    },
)
