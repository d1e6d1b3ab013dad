"""Makes texts.jsonl: sentences of our own in old character sets, encoded by Python 3.11's
codecs. usage: texts.py > texts.jsonl

Of each language the first sentence, and all together, in each set of its languages.
"""
import base64
import json

WEST = "cp1252 iso8859_15"
CENTRAL = "cp1250 iso8859_2"
CYRILLIC = "cp1251 iso8859_5"
BALTIC = "cp1257 iso8859_13 iso8859_4"
TEXTS = [
    ("ar", "cp1256 iso8859_6", "ذهب الولد إلى المدرسة في الصباح.", "كانت السماء صافية والشمس مشرقة. اشترت أمي الخبز والحليب من السوق ثم عادت إلى البيت."),
    ("be", "cp1251", "Учора мы хадзілі ў лес збіраць грыбы.", "Надвор'е было цёплае, і дзеці вельмі стаміліся. Увечары бабуля зварыла смачны суп."),
    ("bg", "cp1251 iso8859_5", "Вчера ходихме на пазар за плодове.", "Времето беше хубаво и децата играха в градината. Вечерта баба разказа една стара приказка."),
    ("ca", "cp1252", "La meva germana viu en una casa petita però alegre.", "Això és el que més m'agrada: l'estació, els camins i la gent que hi treballa. Demà també hi anirem."),
    ("cs", CENTRAL + " cp852", "Včera jsme šli do lesa sbírat houby.", "Počasí bylo krásné a děti si hrály u řeky. Večer babička uvařila výbornou polévku a četla nám příběh."),
    ("da", WEST, "I går gik vi en tur i skoven og så på træerne.", "Vejret var smukt, og børnene løb ned til søen. Om aftenen læste bedstemor højt for os."),
    ("de", WEST + " cp850 mac_roman", "Gestern gingen wir über die Brücke zum Bäcker.", "Das Wetter war schön, und die Kinder spielten draußen. Später hörten wir Musik und aßen süße Äpfel."),
    ("el", "cp1253 iso8859_7", "Χθες πήγαμε στην αγορά για ψωμί και τυρί.", "Ο καιρός ήταν καλός και τα παιδιά έπαιζαν στον κήπο. Το βράδυ η γιαγιά μάς είπε ένα παλιό παραμύθι."),
    ("es", WEST, "Mañana compraré un pequeño coche para mi tía.", "El señor Muñoz llegó después de comer y nos preguntó cómo estábamos. ¿Quién vendrá más tarde?"),
    ("et", "cp1257 iso8859_13", "Eile käisime metsas ja korjasime mustikaid õue ääres.", "Ilm oli ilus ning lapsed mängisid jõe ääres. Õhtul keetis vanaema head suppi ja rääkis šaakalist."),
    ("fa", "cp1256", "ديروز با دوستم به بازار رفتيم و نان خريديم.", "هوا خوب بود و بچه ها در پارک بازی مي کردند. شب مادربزرگ برای ما داستان گفت.".replace("ی", "ي")),
    ("fi", WEST, "Eilen kävimme metsässä ja söimme eväitä.", "Sää oli kaunis ja lapset leikkivät järven rannalla. Illalla isoäiti keitti hyvää keittoa."),
    ("fr", WEST + " cp850 mac_roman", "Hier, nous sommes allés à la forêt après le déjeuner.", "Le garçon a mangé une crêpe très sucrée. Où étiez-vous ? Ma mère préfère le thé, mais mon frère a déjà bu le café."),
    ("he", "cp1255 iso8859_8", "אתמול הלכנו לשוק לקנות לחם וגבינה.", "מזג האוויר היה נעים והילדים שיחקו בגן. בערב סבתא סיפרה לנו סיפור ישן."),
    ("hr", CENTRAL, "Jučer smo išli u šumu brati gljive.", "Vrijeme je bilo lijepo i djeca su se igrala uz rijeku. Navečer je baka kuhala juhu i čitala nam priču."),
    ("hu", CENTRAL + " cp852", "Tegnap elmentünk az erdőbe gombát szedni.", "Szép idő volt, és a gyerekek a folyónál játszottak. Este a nagymama finom levest főzött és mesét olvasott."),
    ("is", "cp1252", "Í gær fórum við í skóginn að tína ber.", "Veðrið var gott og börnin léku sér við ána. Um kvöldið eldaði amma góða súpu og sagði okkur sögu."),
    ("it", WEST, "La città è bella perché c'è il sole.", "Mio fratello verrà più tardi, così potrà cenare con noi. Però non so già se lunedì sarà libero."),
    ("ja", "shift_jis euc_jp iso2022_jp", "昨日は友達と一緒に公園へ行きました。", "天気がよくて、子供たちは川のそばで遊んでいました。夜はおばあさんが昔の話をしてくれました。"),
    ("ko", "euc_kr cp949 iso2022_kr", "어제 친구와 함께 시장에 가서 빵을 샀습니다.", "날씨가 좋아서 아이들은 강가에서 놀았습니다. 저녁에는 할머니가 옛날 이야기를 들려주셨습니다."),
    ("lt", BALTIC, "Vakar ėjome į mišką rinkti grybų.", "Oras buvo gražus, vaikai žaidė prie upės. Vakare močiutė išvirė skanią sriubą ir papasakojo pasaką."),
    ("lv", BALTIC, "Vakar mēs gājām uz mežu lasīt sēnes.", "Laiks bija jauks, un bērni spēlējās pie upes. Vakarā vecmāmiņa vārīja gardu zupu un lasīja mums pasaku."),
    ("mk", "cp1251 iso8859_5", "Вчера отидовме на пазар за леб и сирење.", "Времето беше убаво и децата си играа покрај реката. Вечерта баба ни раскажа една стара приказна."),
    ("nb", WEST, "I går gikk vi en tur i skogen og så på fuglene.", "Været var fint, og barna løp ned til sjøen. Om kvelden leste bestemor høyt for oss."),
    ("pl", CENTRAL + " cp852", "Wczoraj poszliśmy do lasu zbierać grzyby.", "Pogoda była piękna, a dzieci bawiły się nad rzeką. Wieczorem babcia ugotowała zupę i opowiedziała bajkę o żółwiu."),
    ("pt", WEST, "Amanhã vou à praia com a minha irmã e não volto.", "O avô contou uma história sobre um coração corajoso. Também comemos pão e maçãs, que são ótimas."),
    ("ro", CENTRAL, "Ieri am fost în pădure după ciuperci şi mure.", "Vremea era frumoasă, iar copiii se jucau lângă râu. Seara bunica a făcut o supă bună şi ne-a citit o poveste."),
    ("ru", CYRILLIC + " koi8_r cp866 mac_cyrillic", "Вчера я ходил в лес, а семья Яны на реку.", "Погода была хорошая, и дети играли у реки. Вечером бабушка сварила вкусный суп и рассказала нам сказку."),
    ("sk", CENTRAL, "Včera sme išli do lesa zbierať huby.", "Počasie bolo krásne a deti sa hrali pri rieke. Večer nám babička uvarila polievku a čítala rozprávku."),
    ("sl", CENTRAL, "Včeraj smo šli v gozd nabirat gobe.", "Vreme je bilo lepo in otroci so se igrali ob reki. Zvečer je babica skuhala juho in nam brala pravljico o žabi."),
    ("sr", "cp1251 iso8859_5", "Јуче смо ишли у шуму да беремо печурке.", "Време је било лепо и деца су се играла поред реке. Увече је бака скувала чорбу и читала нам причу."),
    ("sv", WEST, "I går gick vi till skogen för att plocka svamp.", "Vädret var fint och barnen lekte vid ån. På kvällen kokade mormor soppa och läste högt för oss."),
    ("th", "cp874", "เมื่อวานเราไปตลาดซื้อขนมปังกับนม", "อากาศดีมาก เด็กๆ เล่นกันที่ริมแม่น้ำ ตอนเย็นคุณยายเล่านิทานเก่าให้เราฟัง"),
    ("tr", "cp1254 iso8859_9", "Dün arkadaşımla çarşıya gidip ekmek aldık.", "Hava çok güzeldi, çocuklar ırmağın kıyısında oynadı. Akşam büyükannem bize eski bir masal anlattı."),
    ("uk", "cp1251 koi8_u iso8859_5", "Учора ми ходили до лісу по гриби.", "Погода була гарна, і діти гралися біля річки. Увечері бабуся зварила смачний борщ і розповіла нам казку."),
    ("vi", "cp1258", "Hôm qua chúng tôi đi chợ mua bánh mì.", "Trời đẹp và bọn trẻ chơi bên bờ sông. Buổi tối bà kể cho chúng tôi nghe một câu chuyện cổ."),
    ("zh-hans", "gb2312 gbk gb18030 hz", "昨天我和朋友一起去公园散步。", "天气很好，孩子们在河边玩耍。晚上奶奶给我们讲了一个古老的故事，大家都听得很高兴。"),
    ("zh-hant", "big5", "昨天我和朋友一起去公園散步。", "天氣很好，孩子們在河邊玩耍。晚上奶奶給我們講了一個古老的故事，大家都聽得很高興。"),
]


def vietnamese(text):
    """As windows-1258 has it: a tone is a character of its own where there is no letter with it."""
    import unicodedata
    out = ""
    for c in text:
        try:
            c.encode("cp1258")
            out += c
        except UnicodeEncodeError:
            parts = unicodedata.normalize("NFD", c)
            tone = [p for p in parts if p in "\u0300\u0301\u0303\u0309\u0323"]
            out += unicodedata.normalize("NFC", "".join(p for p in parts if p not in tone)) + "".join(tone)
    return out


for language, sets, first, rest in TEXTS:
    for name in sets.split():
        for text in [first, first + " " + rest]:
            if name == "cp1258":
                text = vietnamese(text)
            print(json.dumps({"language": language, "set": name, "bytes": base64.b64encode(text.encode(name)).decode(), "text": text}, ensure_ascii=False))
