"""Words with which mail programs announce a quote, a forward or a signature, in many languages.

Pure tables, no rules: `quotes` decides by structure first (an address, a date, a time, dashes, the
order of lines) and asks here only for the last hint. All entries are case-folded; an unknown language
costs a quote that is left in, never a customer's word.
"""

from typing import Final


def _words(table: str) -> tuple[str, ...]:
    """Return the entries of a table, in order."""
    return tuple(" ".join(entry.split()) for entry in table.split("|"))


FROM: Final = _words(
    """
    from | von | de | da | van | från | fra | lähettäjä | od | от | від | від кого | от кого | feladó |
    de la | από | kimden | gönderen | 差出人 | 送信者 | 送信元 | 发件人 | 發件人 | 寄件者 | 寄件人 |
    보낸 사람 | 보낸사람 | 발신자 | من | מאת | จาก | từ | dari | saatja | kellelt | no | nuo | šalje |
    pošiljatelj | expéditeur | remitente | remetente | mittente | afzender | avsändare | afsender |
    avsender | nadawca | odesílatel | odosielateľ | отправитель | expeditor | absender | frá | van de |
    nga | од
    """
)

WHEN: Final = _words(
    """
    date | sent | datum | gesendet | gesendet am | envoyé | envoyé le | envoyée | enviado | enviada |
    enviado el | enviado em | enviada em | enviado a | fecha | data | data/hora | inviato | inviata |
    verzonden | verstuurd | skickat | skickades | sendt | dato | lähetetty | päivämäärä | wysłano |
    wysłane | odesláno | odoslané | дата | отправлено | изпратено | надіслано | дата отправки | elküldve |
    dátum | küldve | trimis | ημερομηνία | εστάλη | στάλθηκε | tarih | gönderildi | gönderilme tarihi |
    日時 | 送信日時 | 日付 | 日期 | 发送时间 | 发送日期 | 傳送日期 | 寄件日期 | 보낸 날짜 | 날짜 |
    보낸 시간 | تاريخ | التاريخ | تاريخ الإرسال | תאריך | נשלח | วันที่ | ส่ง | ngày | đã gửi | tanggal |
    dikirim | saadetud | kuupäev | poslano | poslato | datums | nosūtīts | išsiųsta | dagsetning |
    date d'envoi | data da mensagem
    """
)

TO: Final = _words(
    """
    to | an | à | a | para | per | aan | voor | till | til | vastaanottaja | kenelle | do | komu | кому |
    до | címzett | către | catre | προς | kime | alıcı | 宛先 | 宛て | 收件人 | 收件者 | 받는 사람 |
    받는사람 | 수신자 | إلى | الى | אל | ถึง | đến | tới | kepada | kellele | za | prima | kam | kom |
    destinataire | destinatario | destinatário | empfänger | bestemming | mottagare | modtager | mottaker |
    odbiorca | příjemce | príjemca | получатель
    """
)

COPY: Final = _words(
    """
    cc | bcc | kopie | kopia | kopi | kopio | копия | копія | копия до | másolat | másolatot kap | dw |
    udw | 抄送 | 副本 | 참조 | نسخة | نسخة إلى | עותק | สำเนา | tembusan | koopia | kp | copie | copia |
    cópia | κοιν | κοινοποίηση | bilgi | reply-to | antwort an | répondre à | responder a | rispondi a |
    to/cc | organization | organisation | importance | wichtigkeit | priority | attachments | anlagen |
    pièces jointes | newsgroups | cc to
    """
)

ABOUT: Final = _words(
    """
    subject | betreff | objet | sujet | asunto | assunto | oggetto | onderwerp | betreft | ämne | emne |
    aihe | temat | předmět | predmet | тема | относно | предмет | tárgy | subiect | θέμα | konu | 件名 |
    題名 | 主题 | 主題 | 主旨 | 제목 | الموضوع | موضوع | נושא | หัวเรื่อง | เรื่อง | chủ đề | tiêu đề |
    subjek | perihal | judul | teema | zadeva | temats | tēma | tema | efni | re
    """
)

#: Each word that begins a row of a quoted header block, with the row it begins.
HEADS: Final[dict[str, str]] = {
    word: row
    for row, words in (("copy", COPY), ("to", TO), ("when", WHEN), ("about", ABOUT), ("from", FROM))
    for word in words
}

#: Words for "wrote" in attribution lines.
WROTE: Final = frozenset(
    _words(
        """
        wrote | writes | sent | said | schrieb | geschrieben | écrit | ecrit | escribió | escribio | escribe | scritto |
        scrive | scrisse | escreveu | escreve | skrev | schreef | kirjoitti | napisał | napisała | pisze | napsal |
        napsala | napísal | napísala | написал | написала | написав | написала | пишет | пише | написа | írta | scris |
        έγραψε | yazdı | כתב | כתבה | كتب | نوشت | kirjutas | raksta | rakstīja | rašė | parašė | napisao | napisala |
        escrigué | escriure | skrifaði | menulis | viết
        """
    )
)
#: The same in languages that put no space before it.
WROTE_ENDINGS: Final = _words("写道 | 寫道 | 写到 | 作成 | 작성 | 작성했습니다 | 書きました | เขียนว่า")


#: Between dashes, or alone at the head of a quoted mail: what follows was written earlier.
ORIGINAL: Final = _words(
    """
    original message | original mail | original e-mail | original email | original appointment |
    ursprüngliche nachricht | originalnachricht | original-nachricht | originale nachricht |
    ursprüngliche mail | message d'origine | message d’origine | message original | message initial | mail original |
    mensaje original | mensagem original | messaggio originale | messaggio originario |
    oorspronkelijk bericht | origineel bericht | ursprungligt meddelande | originalmeddelande |
    ursprungligt mail | oprindelig meddelelse | original meddelelse | oprindelig besked |
    opprinnelig melding | alkuperäinen viesti | wiadomość oryginalna | oryginalna wiadomość |
    původní zpráva | pôvodná správa | исходное сообщение | оригинальное сообщение |
    первоначальное сообщение | оригінальне повідомлення | вихідне повідомлення | оригинално съобщение |
    eredeti üzenet | mesaj original | mesajul original | mesaj inițial | αρχικό μήνυμα | özgün ileti |
    orijinal mesaj | özgün mesaj | 元のメッセージ | original メッセージ | 原始邮件 | 原始郵件 | 邮件原件 |
    原邮件 | 원본 메시지 | 원본 메일 | 원본메시지 | הודעה מקורית | الرسالة الأصلية | پیام اصلی |
    izvorna poruka | originalna poruka | izvirno sporočilo | algsõnum | algne kiri | algne teade |
    pradinis pranešimas | originalus laiškas | sākotnējais ziņojums | pesan asli | tin nhắn gốc | thư gốc |
    ข้อความต้นฉบับ | missatge original | mezu originala | mensaxe orixinal | upprunaleg skilaboð |
    reply message | antwort nachricht | reply to message | quoted message
    """
)

#: Between dashes: what follows was passed on, and is what the sender wants read.
FORWARDED: Final = _words(
    """
    forwarded message | begin forwarded message | forwarded mail | forwarded email | forwarded by |
    forward message | fwd | weitergeleitete nachricht | weitergeleitete mail | weitergeleitete e-mail |
    anfang der weitergeleiteten | message transféré | message transmis | message réexpédié |
    début du message | mensaje reenviado | inicio del mensaje | mensagem encaminhada |
    mensagem reencaminhada | início da mensagem | inicio da mensagem | messaggio inoltrato |
    inizio messaggio inoltrato | inizio del messaggio inoltrato | doorgestuurd bericht |
    begin doorgestuurd bericht | vidarebefordrat meddelande | vidarebefordrat brev | vidarebefordrat mejl |
    videresendt | videresendt meddelelse | videresendt melding | välitetty viesti | edelleenlähetetty |
    przekazana wiadomość | wiadomość przekazana | treść przekazanej wiadomości | přeposlaná zpráva |
    preposlaná správa | пересланное сообщение | пересылаемое сообщение | начало переадресованного |
    переслане повідомлення | препратено съобщение | továbbított üzenet | továbbított levél |
    mesaj redirecționat | mesaj redirectionat | προωθημένο μήνυμα | iletilen mesaj | iletilen ileti |
    yönlendirilmiş ileti | 転送メッセージ | 転送されたメッセージ | 转发的邮件 | 转发邮件 | 被转发邮件 |
    轉寄郵件 | 轉寄的郵件 | 전달된 메시지 | 전달된 메일 | הודעה שהועברה | הודעה מועברת |
    رسالة معاد توجيهها | الرسالة المعاد توجيهها | proslijeđena poruka | prosleđena poruka |
    posredovano sporočilo | edastatud kiri | edasi saadetud | persiųstas laiškas | persiunčiamas laiškas |
    pārsūtīts ziņojums | pesan terusan | pesan yang diteruskan | tin nhắn được chuyển tiếp |
    chuyển tiếp thư | ข้อความที่ส่งต่อ | missatge reenviat
    """
)

#: Subject prefixes of mails that are passed on (the word before the first colon).
FORWARD_PREFIXES: Final = _words(
    """
    fwd | fw | wg | tr | rv | enc | i | doorst | vb | vl | vs-fwd | pd | přep | fwd. | i fwd | továbbítás |
    továbbítva | yml | ilt | πρθ | 转发 | 轉寄 | 転送 | 전달 | הועבר | إعادة توجيه | trs | rvf | wtr |
    edast | fyi
    """
)

#: How a telephone or a mail program signs for its owner: the words at the head of the line.
SENT_FROM: Final = _words(
    """
    sent from my | sent from | sent via | sent with | sent by | sent using | sent through | sent on |
    get outlook | get bluemail | von meinem | von meiner | vom handy | gesendet von | gesendet mit |
    gesendet über | gesendet aus | diese nachricht wurde von | versendet mit | verschickt mit |
    mobil gesendet | von unterwegs gesendet | envoyé de | envoyé depuis | envoyé à partir | envoyé avec |
    envoyé par | envoyé via | télécharger outlook | obtenir outlook | obtenez outlook | enviado desde |
    enviado de | enviado do | enviado da | enviado por | enviado a partir | enviado con | enviado com |
    enviado via | obtener outlook | obter o outlook | inviato da | inviato dal | inviato con |
    inviato tramite | ottieni outlook | scarica outlook | verzonden vanaf | verzonden met |
    verstuurd vanaf | verstuurd met | verzonden vanuit | outlook voor | download outlook | skickat från |
    skickades från | skickat med | hämta outlook | sendt fra | sendt med | hent outlook | sendt via |
    lähetetty | hanki outlook | wysłano z | wysłane z | wysłano za | wysłane za |
    pobierz aplikację outlook | pobierz outlook | odesláno z | odesláno ze | odoslané z | poslané z |
    získat outlook | отправлено с | отправлено из | отправлено от | надіслано з | відправлено з |
    изпратено от | изпратено с | küldve | elküldve | az outlook | trimis de | trimis din | trimis cu |
    trimis prin | στάλθηκε από | εστάλη από | απεστάλη | αποκτήστε | gönderildi | şuradan gönderildi |
    outlook'u edinin | 發自我的 | 发自我的 | 從我的 | 从我的 | 来自我的 | 我的 iphone | 获取 outlook |
    iphoneから | ipadから | androidから | 私の | 나의 | 내 iphone | 내 ipad | נשלח מ | أرسلت من |
    تم الإرسال | أُرسل من | ارسال شده | saadetud minu | poslano s | poslano sa | poslato sa | poslano z |
    nosūtīts no | išsiųsta iš | enviat des | dikirim dari | được gửi từ | gửi từ | ส่งจาก | bidalia |
    sendur | mobil sendt | written on | typed on | from my
    """
)

#: What such a line names: a device or a program.
DEVICES: Final = _words(
    """
    iphone | ipad | ipod | ios | android | samsung | galaxy | blackberry | outlook | yahoo | gmail |
    proton | huawei | xiaomi | redmi | oneplus | nokia | windows | mailbox |
    mail for | mail für | mail.ru | yandex | яндекс | web.de | gmx | t-online | vodafone | verizon |
    t-mobile | at&t | sparrow | airmail | spark | bluemail | aquamail | k-9 | fairemail | thunderbird |
    mailbird | superhuman | acompli | mailspring | htc | motorola | sony | xperia | lumia | pixel | honor |
    realme | oppo | vivo | zte | lenovo | smartphone | smart phone | mobile | cell | phone | handy |
    telefon | teléfono | téléphone | tablet | device | dispositivo | appareil | gerät | enhet | toestel |
    telemóvel | celular | móvil | mobil | portable | 手机 | 手機 | 移动 | 携帯 | 스마트폰 | нокиа | айфон |
    телефон | смартфон | устройств | мобильн | ipad mini | apple | mac | zoho | fastmail | tutanota |
    tuta | posteo | myspace | aol | nexus | orange | libero | alice | virgilio | wp | onet | interia |
    seznam | rambler | naver | daum | hey
    """
)

#: How the text begins that a company's server puts below every mail, and a word that is in all of them.
DISCLAIMERS: Final = _words(
    """
    this e-mail | this email | this message | this communication | this transmission | this electronic |
    the information contained in | the information in this | the information transmitted |
    the content of this | the contents of this | confidentiality notice | confidentiality note |
    confidentiality statement | legal disclaimer | disclaimer | notice of confidentiality | privileged |
    important notice | caution: this | diese e-mail | diese email | diese nachricht | der inhalt dieser |
    die information in dieser | vertraulichkeitshinweis | ce message | ce courriel | cet e-mail | ce mail |
    les informations contenues | este mensaje | este correo | la información contenida | aviso legal |
    aviso de confidencialidad | esta mensagem | este e-mail | este email | as informações contidas |
    aviso de privacidade | questo messaggio | questa e-mail | le informazioni contenute |
    avvertenze ai sensi | dit bericht | deze e-mail | de informatie in | detta meddelande |
    det här meddelandet | denne e-mail | denne mail | denne e-posten | tämä viesti | ta wiadomość |
    niniejsza wiadomość | treść tej wiadomości | tato zpráva | tento e-mail | настоящее сообщение |
    данное сообщение | это сообщение | информация, содержащаяся | ez az e-mail | ez az üzenet |
    acest mesaj | acest e-mail | bu e-posta | bu mesaj | 本邮件 | 本郵件 | このメール | 본 메일 |
    see on konfidentsiaalne | käesolev e-kiri
    """
)

CONFIDENTIAL: Final = _words(
    """
    confidential | privileged | intended recipient | intended only | intended solely | virus |
    vertraulich | confidentiel | confidencial | riservat | confidenzial | vertrouwelijk | konfidentiell |
    fortrolig | luottamuksel | poufn | důvěrn | dôvern | конфиденциальн | bizalmas | gizli | 保密 | 机密 |
    機密 | 기밀 | konfidentsiaal
    """
)

#: With which people say that they have written into the text below.
ANSWERED_BELOW: Final = _words(
    """
    see below | see my answers | see my comments | see answers below | see comments below | comments below |
    answers below | answered below | replies below | my replies in | answers in red | comments in red | in red below |
    below in red | in blue below | below in blue | in green below | below in green | inline below | see inline |
    answers inline | comments inline | inline answers | inline comments | reply inline | replied inline |
    answered inline | siehe unten | s. unten | antworten unten | unten in rot | in rot unten | im text unten |
    antworten im text | rot markiert | unten rot | voir ci-dessous | voir plus bas | mes réponses ci-dessous |
    réponses dans le texte | en rouge | ver abajo | ver más abajo | respuestas abajo | en rojo | veja abaixo |
    ver abaixo | respostas abaixo | em vermelho | vedi sotto | risposte sotto | in rosso | zie onder | zie hieronder |
    in het rood | se nedan | svar nedan | i rött | se nedenfor | svar nedenfor | med rødt | katso alla |
    vastaukset alla | vt allpool | vaata allpool | vastused allpool | punasega | zobacz poniżej | patrz niżej |
    odpowiedzi poniżej | na czerwono | viz níže | odpovědi níže | červeně | см. ниже | ответы ниже | красным |
    див. нижче | lásd alább | válaszok alább | pirossal | aşağıda | kırmızı | 见下文 | 請見下 | 请见下 |
    见下方 | 红色 |
    下記に | 下に記入 | 赤字 | 아래에 답 | 빨간
    """
)
