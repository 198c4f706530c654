"""What mail servers say when they refuse a mail, in their subjects, reasons and sentences.

Patterns only; `bounce` decides. Each is a choice of fixed words without open repetition, so that a search is linear.
"""

import re
from typing import Final

#: Subjects of delivery reports.
SUBJECT: Final = re.compile(
    r"undeliver|returned mail|return(?:ed|ing) (?:message )?to sender|delivery status notification|"
    r"non[- ]?delivery|not (?:be )?delivered|"
    r"delivery (?:failure|failed|problem|error|warning|report|delayed|has failed)|"
    r"failure (?:notice|delivery)|(?:mail|message) (?:fail|error|delay)|"
    r"(?:mail|message)(?: \S+)? (?:could not|cannot|delayed|has not)|could not be (?:sent|delivered)|"
    r"failed mail|mail failed|delayed mail|processing error|user unknown|unzustellbar|nicht zugestellt|"
    r"unzugestellt|zustell(?:ung|fehler)|non remis|non distribu|échec de (?:la )?(?:remise|distribution)|"
    r"no se (?:ha )?(?:pudo|puede|podido) entregar|no entregad|devuelto|não (?:foi )?entreg|"
    r"falha na entrega|mancato recapito|mancata consegna|non recapitabil|onbestelbaar|niet bezorgd|"
    r"olevererbar|kunde inte leverer|kan ikke leveres|kunne ikke leveres|ei voitu toimittaa|niedostarczon|"
    r"nie dostarczono|nedoručiteln|nedoručen|kézbesíthetetlen|не доставлен|недоставлен|невозможно доставить|"
    r"не може бути доставлен|nelivrat|teslim edilemedi|退信|未送达|无法投递|投递失败|传输失败|退回|無法傳遞|"
    r"配信不能|配達できません|배달되지|전송 실패|반송",
    re.IGNORECASE,
)

#: The same for subjects in lower case: a search that regards case takes a fifth of the time.
SUBJECT_LOWER: Final = re.compile(SUBJECT.pattern)

#: Reasons that lie in the address itself.
BAD_ADDRESS: Final = re.compile(
    r"not known|unknown host|nosuchuser|not recogni[sz]ed|did not exactly match|final email delivery point|"
    r"n.existe pas|inexistant|inconnu|existiert nicht|unbekannt|no existe|não existe|non esiste|inesistente|"
    r"bestaat niet|finns inte|findes ikke|finnes ikke|ei ole olemassa|nie istnieje|neexistuje|не существует|"
    r"не найден|не знайден|不存在|存在しません|존재하지|"
    r"user[\s-]*(?:is )?(?:unknown|not found|doesn|does not|invalid)|"
    r"(?:unknown|no such|invalid|nonexistent|non-existent|bad|illegal) (?:local )?"
    r"(?:user|recipient|mailbox|address|account|alias|person|domain|destination)|"
    r"no mailbox|mailbox (?:unavailable|not found|does not|invalid|unknown)|"
    r"(?:does not|doesn.?t|do not) exist|not exist|unrouteable|"
    r"(?:recipient|address)(?: address)? (?:rejected|unknown|not found|invalid)|not listed in|"
    r"host (?:unknown|not found|or domain name not found)|name service error|"
    r"(?:account|mailbox) (?:has been |is |was )?(?:disabled|deleted|inactive|closed)|"
    r"no longer (?:in use|valid|exists|available|works)|domain not found|unable to find|not a valid|"
    r"no valid recipients|is not a known",
    re.IGNORECASE,
)

#: A sentence below which the recipients follow.
BLAME: Final = re.compile(
    r"following (?:recipient|address)|could not be delivered|(?:un|not )able to deliver|not delivered|"
    r"undeliverable|failed|rejected|bounced|nicht zugestellt|n'a pas (?:été|pu)|no (?:se )?(?:ha )?pud?o|"
    r"não (?:foi|pôde)|не (?:может быть |был[оа]? )?доставлен|退回|无法|未能",
    re.IGNORECASE,
)
