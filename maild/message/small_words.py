"""Small words of languages: what every sentence has, and some words that people write to a help desk.

A table only; `language` decides. A word that several languages share counts less in each of them.
"""

from typing import Final

SMALL_WORDS: Final = {
    "en": "the and is are was were have has had not you your my we our this that with for from would could can"
    " please thanks hello dear does do did i it but when what how which there been of to regards if any get an"
    " or because about help order invoice received receive working work works where wrong still since account"
    " password need want problem issue delivery parcel sent send know see problems i'm don't can't won't"
    " doesn't isn't i've it's us me",
    "de": "der die das und ist nicht ich sie wir ein eine einen mit auf für von dem den des zu bei bitte danke"
    " hallo haben habe kann können wird wurde auch noch nach aus wie oder aber uns mein meine ihr ihre sehr"
    " geehrte guten vielen es im am um kein keine wenn dass mehr schon seit hilfe helfen bestellung rechnung"
    " erhalten funktioniert falsch konto passwort brauche möchte problem lieferung paket wo mir mich leider"
    " immer gestern heute freundlichen grüßen grüße anbei bitten gerne diese dieser dieses sind",
    "fr": "le la les des du une un et est je vous nous ne pas que qui pour dans avec sur mon ma mes votre vos"
    " bonjour merci cordialement il elle au aux ce cette ai avons être été plus mais depuis comment peux"
    " pouvez quand j'ai n'est c'est aide aider commande facture reçu fonctionne problème livraison colis"
    " compte besoin voudrais où s'il plaît toujours encore m'aider toutes tous a d'un d'une l'ai qu'il sont"
    " hier fausse erreur",
    "es": "el la los las un una y es no que de en mi su por para con hola gracias saludos está estoy tengo puedo"
    " pero cuando como se lo le me desde muy hemos usted ustedes nuestro favor buenos días al del qué cómo ha"
    " he ayuda ayudar ayudarme pedido factura recibido funciona problema entrega paquete cuenta necesito"
    " quiero dónde todavía aún mal te sus este esta estos porque también ayer",
    "it": "il lo la gli le un una e è non che di in per con mio mia ciao grazie saluti sono ho abbiamo questo"
    " questa del della dei delle nel nella al alla come quando ma anche più buongiorno vorrei posso può si mi"
    " ci cosa perché aiuto aiutarmi aiutare ordine fattura ricevuto funziona problema consegna pacco conto"
    " bisogno dove ancora favore sbagliata errore vostro vostra nostro potete sempre ieri oggi essere stato",
    "pt": "o a os as um uma e é não que de em meu minha por para com olá obrigado obrigada está estou tenho posso"
    " mas quando como se do da dos das no na ao à muito mais você vocês nosso favor bom dia também já foi são"
    " seu sua ajuda ajudar pedido encomenda fatura recebi funciona problema entrega conta preciso quero onde"
    " ainda errada podem pode me te este esta estes porque minhas meus ontem hoje às",
    "nl": "de het een en is niet ik u we wij van op voor met aan bij mijn uw ons dank hallo heb hebben kan kunnen"
    " wordt werd ook nog naar uit maar als graag groet groeten geen deze dit dat zijn er om te wat hoe wanneer"
    " al hulp helpen bestelling factuur ontvangen werkt probleem levering pakket rekening nodig waar mij"
    " alstublieft bedankt kunt klopt fout altijd sinds gisteren vandaag onze",
    "sv": "och är inte jag vi ni en ett det den som på för med av till från min mitt er hej tack har kan ska när"
    " men om vad hur vänliga hälsningar också eller mer denna detta efter under hjälp hjälpa hjälpen"
    " beställning faktura fått fungerar problem leverans konto behöver vill var mig igår idag fel ännu mycket"
    " skulle kunde",
    "da": "og er ikke jeg vi i en et det den som på for med af til fra min mit jeres hej tak har kan skal når men"
    " om hvad hvordan venlig hilsen også eller mere denne dette efter blev være mig hjælp hjælpe hjælpen ordre"
    " faktura modtaget virker problem levering konto brug hvor endnu går dag fejl meget kunne ville jer nogen"
    " nogle",
    "nb": "og er ikke jeg vi dere en et det den som på for med av til fra min mitt deres hei takk har kan skal når"
    " men om hva hvordan vennlig hilsen også eller mer denne dette etter ble være meg hjelp hjelpe hjelpen"
    " bestilling bestillingen faktura mottatt virker fungerer problem levering konto trenger hvor ennå går dag"
    " feil mye kunne ville noen noe skriveren",
    "fi": "ja on ei en olen olemme minun että joka kun mutta tai sekä hei kiitos terveisin voi voin voisitte miten"
    " mikä mitä se tämä tämän ole ovat oli myös jos niin kanssa sitten vain hyvää päivää mun meidän teidän"
    " apua auttaa tilaus tilauksen tilaustani lasku laskun saanut toimi toimii ongelma toimitus paketti tili"
    " tarvitsen haluan missä vielä minua eilen tänään virhe kuinka voisiko",
    "et": "ja on ei ma mina me meie teie see et kui aga või tere tänan aitäh lugupidamisega palun mis kuidas kas"
    " minu oma ka ning olen oli saab saan saaks selle seda pole veel juba nii kus parimat soovides abi aidata"
    " tellimus tellimust arve saanud tööta töötab probleem tarne pakk konto vaja soovin ikka mind eile täna"
    " viga saaksite saa saada",
    "lv": "un ir nav es mēs jūs ka par no ar uz kas kā bet vai labdien paldies lūdzu mans mana mūsu jūsu šis šī tas"
    " tā arī lai vēl ja pēc cieņu palīdzēt palīdzība pasūtījums rēķins saņēmis saņēmu nedarbojas problēma"
    " piegāde konts vajag kur man vakar šodien kļūda varat",
    "lt": "ir yra ne nėra aš mes jūs kad iš su į kas kaip bet ar laba diena ačiū prašau mano mūsu jūsų šis ši tai"
    " taip dar jei po pagarba dėl padėti pagalba užsakymas sąskaita gavau neveikia problema pristatymas"
    " paskyra reikia kur man vakar šiandien klaida galite",
    "pl": "i jest nie się w na z do że to ja my pan pani państwo proszę dziękuję dzień dobry mam mamy może można"
    " ale czy jak kiedy mój moja nasz dla od po przez pozdrawiam oraz który która jestem są pomoc pomóc"
    " zamówienie zamówienia faktura otrzymałem otrzymałam działa problem dostawa paczka konto potrzebuję chcę"
    " gdzie jeszcze mi mojego wczoraj dzisiaj błąd możecie mogę było",
    "cs": "a je ne se v na z do že to já my prosím děkuji děkuju dobrý den mám máme může ale nebo jak když můj moje"
    " náš pro od po při pozdravem který která jsem jsou není byl které také bych pomoc pomoci objednávka"
    " objednávku faktura obdržel nedostal dostal funguje nefunguje problém dodávka balík účet potřebuji chci"
    " kde ještě mi mě svou včera dnes chyba můžete mohu",
    "sk": "a je nie sa v na z do že to ja my prosím ďakujem dobrý deň mám máme môže ale alebo ako keď môj moja náš"
    " pre od po pri pozdravom ktorý ktorá som sú bol ktoré tiež pomoc pomôcť objednávka objednávku faktúra"
    " nedostal dostal funguje nefunguje problém dodávka balík účet potrebujem chcem kde ešte mi ma svoju včera"
    " dnes chyba môžete môžem",
    "sl": "in je ni se v na z do da to jaz mi prosim hvala pozdravljeni dober dan imam imamo lahko ampak ali kako"
    " ko moj moja naš za od po pri lep pozdrav ki sem so bil tudi",
    "hr": "i je nije se u na s do da to ja mi molim hvala poštovani dobar dan imam imamo može ali ili kako kad moj"
    " moja naš za od po pri pozdrav koji koja sam su bio također što",
    "hu": "a az és nem hogy van egy én mi ez meg is de ha köszönöm üdvözlettel tisztelt szia kérem nincs lehet volt"
    " már csak mint vagy mert nekem önök kell még tudom segítség segíteni rendelés rendelésemet számla kaptam"
    " működik probléma szállítás csomag fiók szükségem szeretnék hol tegnap ma hiba tudnának jó napot",
    "ro": "și nu este sunt un o de la în pe cu că care pentru din mă vă mulțumesc bună ziua salut am avem poate dar"
    " când cum meu mea nostru sau mai fost acest această stimate ajutor ajuta ajutați comanda factura primit"
    " funcționează problemă livrare colet cont nevoie vreau unde încă ieri astăzi greșit puteți rog",
    "tr": "ve bir bu için ile değil var yok ben biz siz ne nasıl ama çok merhaba teşekkürler teşekkür ederim lütfen"
    " olarak daha gibi kadar sonra mı mi olan ancak benim bizim saygılarımla iyi günler yardım sipariş"
    " siparişim siparişimi fatura aldım almadım çalışmıyor sorun teslimat kargo hesap istiyorum nerede hâlâ"
    " henüz bana dün bugün hata eder misiniz",
    "ca": "el la els les un una i és no que de en meu meva per amb hola gràcies salutacions estic tinc puc però"
    " quan com es ho li molt hem nostre si us plau bon dia al del què aquest aquesta",
    "id": "dan yang di ke dari tidak saya kami anda ini itu dengan untuk pada adalah sudah bisa akan atau terima"
    " kasih halo selamat mohon tolong karena apa bagaimana",
    "vi": "và là của không tôi chúng bạn này đó với cho trong được có một các xin chào cảm ơn vui lòng khi như thế"
    " nào đã đang",
    "ru": "и не в на я мы вы что это с по для но как у меня мой моя наш ваш здравствуйте спасибо пожалуйста есть"
    " нет был была уже еще ещё или если когда все так он она может уважением добрый день помощь помогите"
    " помочь заказ счет счёт получил получила работает проблема доставка аккаунт нужно хочу где мне вчера"
    " сегодня ошибка можете до сих пор",
    "uk": "і не в у на я ми ви що це з по для але як мене мій моя наш ваш вітаю дякую будь ласка є немає був була"
    " вже ще або якщо коли все так він вона може повагою добрий день та допомога допоможіть допомогти"
    " замовлення рахунок отримав працює проблема доставка потрібно хочу де мені вчора сьогодні помилка можете",
    "bg": "и не в на аз ние вие че това с по за но как мен моят моята нашият ви здравейте благодаря моля има няма"
    " беше вече още или ако когато всичко така той тя може поздрави добър ден да се помощ помогнете поръчка"
    " фактура получих работи проблем доставка нужно искам къде ми ме вчера днес грешка можете от са сме",
    "sr": "и не у на ја ми ви што ово с по за али како мене мој моја наш ваш поштовани хвала молим има нема био већ"
    " још или ако када све тако он она може поздрав добар дан да се је помоћ помозите наруџбина рачун добио"
    " ради проблем достава треба желим где ме јуче данас грешка можете",
}  # fmt: skip

#: Letters that hardly any other language writes.
LETTERS: Final = {
    "de": "ß", "es": "ñ¿¡", "pt": "ã", "pl": "łśźżęą", "cs": "řěů", "sk": "ľŕĺô", "hu": "őű", "ro": "țșă", "tr": "ğış",
    "lv": "ķļņģēī", "lt": "ėųį", "et": "õ", "fr": "œêù", "uk": "їєіґ", "ru": "ыэё", "sr": "ђћљњџј", "fa": "پچژگ",
    "vi": "ơưđạảấầẩậắằặẹẻẽếềểệỉịọỏốồổộớờởợụủứừửựỳỵỷỹ",
}  # fmt: skip
