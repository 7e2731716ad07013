# ruff: noqa: E501 (a pattern is easier to check on one line)
"""English sentences that ask to stop, to know, to erase, to join, or for help."""

from broadcaster.core.keywords.rules import Rules

_GAP = r"(?: \w+){0,3}?"
_ING = (
    r"(?:texting|messaging|emailing|e mailing|mailing|sending|contacting|calling|spamming|writing|bothering|harassing"
    r"|bombarding|annoying|pestering|disturbing|bugging|msging|whatsapping|flooding|blowing|hitting|nagging|sms ?ing)"
)
_MESSAGES = (
    r"(?:messages?|msgs?|mssgs?|texts?|sms|e ?mails?|mails?|newsletters?|ads?|adverts?|advertis\w+|promos?|promotions?"
    r"|marketing|offers?|notifications?|spam\w*|alerts?|updates?|communications?|campaigns?|crap|junk|mailings?|bullshit"
    r"|rubbish|mailing list|list|deals)"
)
_OTHER = (
    r"(?:orders?|appointments?|bookings?|reservations?|delivery|deliveries|items?|payments?|cards?|parcels?|packages?"
    r"|tickets?|visits?|meetings?|trips?|flights?|refunds?|purchases?|basket|cart|shipments?|invoices?|direct debit"
    r"|contracts?|insurance|membership|room|table|class|course|session|leak|bleeding|noise|smoking|raining|working|fee"
    r"|worrying|laughing|crying|loading|charging|thinking|kidding|shoes?|dress|jacket|size|payment plan|transaction)"
)
_NOT = r"(?:dont|do not|no longer|never|not|dnt|d not|wouldnt|would not)"
_VERB = r"(?:text|contact|message|msg|e ?mail|mail|call|send|write|bother|disturb|spam|sms|harass|ring|phone|ping)"
_STOP = r"(?:stop|stopp|quit|cease|end|halt|discontinue|cancel|finish)"
_LATER = r"(?! (?:\w+ ){0,5}(?:before|until|till|yet|today|tonight|tomorrow|after|during)\b)"

ENGLISH = Rules(
    code="en",
    ignore=(
        r"\b(?:bus|tram|train|metro|subway|truck|taxi|pit|full|non|rest|next|last|first|final|each|every|which|what|one"
        r"|the|a|your|my|this is our) stops?\b(?! (?:texting|messag|sending|email))",
        r"\bstop(?:ped|ping|s)? (?:by(?! (?:accident|mistake))|over|in at|at|off|for (?:lunch|coffee|a|dinner|gas|petrol)|watch|sign|light|gap|loss)\b",
        r"\b(?:i|we|has|have) stopped (?:receiving|getting|working)(?: \w+){0,3}|\bstoppers\b",
        r"\b(?:non|one) stop\b|\bdoor ?stop\b|\bstop motion\b|\bshort stop\b|\bstopping by\b",
        r"\b(?:cant|couldnt|could not|cannot) (?:even |ever )?stop \w+ing\b(?: \w+){0,4}",
        r"\b(?:dont|do not|never|wont|didnt|wouldnt|would not|hate|please dont|please do not)(?: (?:ever|please|you"
        r"|want|wanna|to|you to|them to|it to)){0,4} (?:stop|unsubscribe|opt out|remove|cancel|end|unsub|quit)"
        r"(?:ped|d|ing)?(?: \w+){0,4}",
        r"\b(?:no need|no reason|not going|not trying|not asking|not want|not wish) to (?:stop|unsubscribe|opt out|cancel)"
        r"(?: \w+){0,4}",
        rf"\b(?:{_STOP}|remove|delete|drop|return|revoke|change|unsubscribe|take)(?:led|ling|ped|ping|ed|d|ing|s)?"
        rf"(?: (?!me\b|us\b|texting|sending|{_MESSAGES}\b)\w+){{0,4}}? {_OTHER}\b",
        rf"\b{_OTHER}(?: \w+){{0,4}} (?:cancel\w*|stopped|stops|removed|ended|ends|stop)\b",
        r"\b(?:does|do|will|did|when|until|sale|offer|promo|promotion)(?: (?!you\b|u\b|i\b|we\b)\w+){1,4}? (?:stop|end|ends|stops)\b",
        r"\b(?:week|month|year|day|dead|year|the) ?end\b|\b(?:end|ends) (?:of|on|at)\b|\b(?:in|by|at) the end\b",
        r"\bnot interested in (?:the|that|this one|buying)\b",
    ),
    stop={
        "unsubscribe": r"\b(?:un ?subscri\w*|un ?sub|unsuscri\w*)\b|\bopt(?:ing|ed)?(?: me| us)? out\b|\boptout\b",
        "stop-sending": rf"\b(?:{_STOP}|no more|enough)(?: (?!{_OTHER})\w+){{0,3}}? {_ING}\b",
        "stop-messages": rf"\b(?:{_STOP}|kill)(?: (?:it|with|all|the|these|those|your|this|any|of|to|my|me|ur|sms|stupid|damn"
        rf"|fucking|bloody|marketing|further|more|annoying|daily|promotional|text|and|future|that)){{0,4}} {_MESSAGES}\b",
        "stop-alone": r"(?:^|\| )(?:(?:please|pls|plz|ok|okay|just|i said|i say|said|i told you(?: to)?|hey|hi|hello|kindly|can you"
        r"|could you|would you|will you|can u|i want (?:you|this|it|them|these) to|you|must|need to|should|now|again|for the"
        r"|last|time|guys|so|and|yes|no|thanks|omg|wtf|make it|make this|i want to|i would like to|id like to|i need to|i wish"
        r"|to|want|wanna|tell them to|seriously) ){0,5}stopp?"
        r"(?: (?:it|this|that|them|these|now|please|pls|plz|asap|immediately|already|for good|forever|at|once|right|away|thanks"
        r"|thank|you|ok|everything|all|doing|today|means|as|of|ffs|man|bro|u|i|said|me|stop|guys)){0,5}(?= \||$)",
        "no-wish": rf"\b{_NOT}(?: \w+){{0,2}}? (?:want|wanna|wish|like|need|care|desire|interested|agree|consent)"
        rf"(?!(?: \w+){{0,4}} (?:miss|lose|stop|unsubscribe|opt))(?: (?!{_OTHER}\b)\w+){{0,6}}? (?:{_MESSAGES}|from you|from this"
        rf"|contacted|texted|messaged|emailed|hear|bothered|{_ING[3:-1]}|text me|contact me|any ?more of (?:this|these))\b",
        "rather-not": rf"\b(?:rather not|prefer not to) (?:get|receive|have|hear|be)(?: (?!{_OTHER}\b)\w+){{0,4}}? (?:{_MESSAGES}|from you|contacted|texted)\b",
        "no-contact": rf"\b(?:{_NOT}|no)(?: (?:ever|please|you|dare|want you to|need you to|u))*{_LATER} {_VERB}(?:ing)? "
        rf"(?!(?:\w+ ){{0,3}}{_OTHER}\b)(?:me|us|my|this number|to me|to this|anything|any|these|your|more|them|again|here|anymore"
        rf"|stuff|shit|crap)\b"
        rf"|\b{_NOT}(?: (?:ever|please|you))* {_VERB} (?:or|and|nor) {_VERB} (?:me|us|this|my)\b{_LATER}",
        "no-more": rf"\b(?:no ?more|no further)(?: \w+){{0,3}}? {_MESSAGES}\b|(?:^|\| )no {_MESSAGES}(?: (?:please|pls|thanks|thank you)){{0,2}}(?= \||$)|\bno more of (?:this|these)\b"
        rf"|\benough(?: \w+){{0,2}} {_MESSAGES}\b",
        "remove-me": r"\b(?:remove|delete|take|get|drop|erase|strike|exclude|unlist|scrub|pull|cross|scratch)(?: (?:me|us|myself))"
        r"(?: (?:from|off|out|of|please|pls|now|immediately|asap|permanently)\b|(?= \||$))"
        r"|\b(?:remove|delete|take|get|drop|erase|lose|forget|scrub|block|strike)(?: (?:my|this|our))(?: \w+){0,2}? (?:number|phone|name"
        r"|e ?mail|address|contact|mobile|cell|digits)\b(?! (?:change|to|with))"
        r"|\b(?:take|get)(?: (?:me|us|my (?:\w+ )?(?:name|number|email|address)|this number)) off\b|\boff (?:your|ur|this) (?:\w+ )?list\b|\blose my (?:number|contact)",
        "consent": r"\b(?:withdraw|revoke|retract|rescind|take back|cancel|pull)(?:ing|n|s|d)?(?: \w+){0,3}? (?:consent|permission|agreement"
        r"|authori[sz]ation|opt in)\b|\b(?:never|didnt|did not|no longer|dont|do not)(?: \w+){0,2} (?:consent|consented|agree|agreed|opted"
        r"|sign(?:ed)? up|subscribed?)\b(?! to (?:pay|this price))|\bobject to(?: \w+){0,5} (?:marketing|messages|advertising|contact)\b",
        "leave-alone": r"\bleave (?:me|us) (?:alone|be|in peace)\b|\b(?:lose|forget) (?:my|this) number\b|\bcease and desist\b"
        r"|\b(?:count|leave) me out\b|\bi (?:want|would like|wanna|need) (?:to be )?(?:out|off|removed|taken off)\b|\bid like (?:to be )?(?:removed|taken off|off)\b"
        r"|\bhow (?:do|can|to|would)(?: \w+){0,3} (?:stop|cancel|end|get off|get out of|turn off|block)(?: \w+){0,3}? (?:this|these|them"
        rf"|it|{_MESSAGES}|receiving|getting)\b|\bturn (?:these|this|them|it|those) off\b|\bto be (?:removed|taken off|unsubscribed)\b|\bturn (?:off|these off|this off)(?: \w+){{0,3}}? {_MESSAGES}\b"
        rf"|\b(?:cancel|end) (?:my |the |this )?(?:{_MESSAGES} )?subscription to(?: \w+){{0,4}} {_MESSAGES}\b",
    },
    rights={
        "erase": r"\b(?:delete|erase|remove|destroy|wipe|forget)(?: \w+){0,4}? (?:data|details|information|info|records?|account|profile)\b"
        r"|\bright to be forgotten\b|\bforget me\b|\bdelete me\b|\berasure\b",
        "access": r"\b(?:what|which)(?: \w+){0,3} (?:data|information|info|details)(?: \w+){0,4} (?:me|my)\b|\bsubject access\b|\bmy data\b"
        r"|\bcopy of(?: \w+){0,4} data\b|\bdsar\b|\bwhere did you get my\b|\bhow did you get my\b",
        "object": r"\bobject to(?: \w+){0,5} (?:processing|data|profiling)\b|\bgdpr\b|\bccpa\b|\bdata protection\b",
    },
    doubt={
        "hostile": r"\bf+u+c+k\b|\bf ?ck (?:off|you)\b|\bfuck\w*\b|\bpiss off\b|\bgo (?:away|to hell)\b|\bget lost\b|\bscrew you\b|\bharass\w*"
        r"|\blawyer\b|\bsue\b|\blegal action\b|\breport(?:ing|ed)? (?:you|this|as)\b|\bspam\b|\bscam\w*|\bfed up\b|\bsick of\b|\bshut up\b"
        r"|\bblock(?:ing|ed)? (?:you|this)\b|\bftc\b|\bico\b|\bunsolicited\b|\bunwanted\b|\bnot welcome\b|\bno longer (?:in use|belongs|hers|his|mine)\b|\bannoying\b|\btoo many (?:messages|texts|emails|sms)\b",
        "stranger": r"\bwrong (?:number|person)\b|\bnot (?:my|his|her) (?:number|name)\b|\bwho gave you\b|\bnew (?:owner|number)\b"
        r"|\b(?:passed away|deceased|is dead|died)\b|\b(?:dont|do not) know (?:you|who)\b",
        "not-interested": r"\b(?:not|no longer|isnt|aint) interested\b|\bno thanks?\b|\bim (?:out|done)\b|\benough\b(?! (?:for|to|room|time|space|of (?:a|the))\b)|\bgive it a rest\b"
        r"|\bcut it out\b|\bknock it off\b|\b(?:dont|do not) (?:want|need) (?:this|these|it|them|any)\b|(?:^|\| )(?:please )?no more(?= \||$)|(?:^|\| )never again(?= \||$)"
        r"|\b(?:dont|do not) (?:text|send|contact|message|call|write|email)(?: (?:or|and) \w+)?(?: please)?(?= \||$)|\bno longer (?:a )?(?:customer|client)\b",
        "permission": r"\b(?:no right|no permission|never|without|not|didnt)(?: \w+){0,5} (?:permission|right|consent|contact me|text me|texting me|write to me)\b",
        "net": rf"\b(?:no|not|never|dont|without|tired|enough)(?: (?!{_OTHER}\b|receive|received|get|got|find|read|see)\w+){{0,5}} (?:contact|text|texting|contacting|messages|emails|texts|ads)"
        rf"(?: me)?(?= \||$)",
        "subscription": r"\b(?:cancel|end|stop)(?: \w+){0,3} subscription\b|\bcancel everything\b|\bcancel all\b",
        "short": r"(?:^|\| )(?:(?:please|pls|plz|just|ok) )?(?:remove|cancel|quit|end|revoke|delete)(?: (?:please|pls|now|me|number|this|it))*(?= \||$)",
        "instruction": r"\b(?:reply|text|txt|send|answer)(?: \w+){0,2} stop\b",
    },
    join={
        "ask": r"(?:i )?(?:want|would like|id like|wish|wanna) to (?:subscribe|join|sign up|opt in|receive your (?:offers|messages|newsletter))"
        r"(?: again| to your (?:offers|messages|newsletter|list))?|(?:subscribe|add|sign) me(?: up| in| back| again)?"
        r"(?: to (?:your|the) (?:list|newsletter|offers))?|resubscribe(?: me)?|start (?:again|sending)",
    },
    help={
        "ask": r"(?:can you |could you )?help(?: me| us| needed| info)?|(?:i )?(?:want|need|require|would like)(?: some| your| more)?"
        r" (?:help|assistance|support|info|information)|who (?:is|are|r) (?:this|you|u|there|it)|what is this(?: number)?"
        r"|(?:whos|whats) this|how (?:does|do) (?:this|it) work|who am i (?:texting|talking to)|customer (?:service|support)",
    },
)
