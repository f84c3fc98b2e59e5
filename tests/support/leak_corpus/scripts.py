"""Invented names in the scripts that DICOM can write.

References
----------
PS3.5 §6.1 and Annexes H to K (character sets and examples of names).
"""

from __future__ import annotations

#: Specific Character Set, Python encodings, family names, given names.
SCRIPTS = {
    "latin-1": (
        ["ISO_IR 100"],
        ("latin-1",),
        "Überschär Muñozque Señorález Fröhlichmann",
        "Jörgen Zoë Éloïse Søren",
    ),
    "latin-2": (
        ["ISO_IR 101"],
        ("iso8859-2",),
        "Wiśniewska Krzyżanowski Dvořáček Szőllősi",
        "Stanisław Żaneta Jiří Łucja",
    ),
    "latin-5": (
        ["ISO_IR 148"],
        ("iso8859-9",),
        "Yılmazoğlu Çelikşahin Güneşdoğdu Işıklar",  # noqa: RUF001  # a dotless i is meant
        "Özgür Şebnem İbrahim Gülşen",
    ),
    "cyrillic": (
        ["ISO_IR 144"],
        ("iso8859-5",),
        "Люксембургская Преображенский Щербакова Жуковский",
        "Всеволод Людмила Тимофей Агриппина",
    ),
    "greek": (
        ["ISO_IR 126"],
        ("iso8859-7",),
        "Διονυσιάδης Παπαδοπούλου Καραμανλίδης Θεοτοκάς",
        "Ευάγγελος Χρυσάνθη Σταμάτης Ουρανία",
    ),
    "arabic": (
        ["ISO_IR 127"],
        ("iso8859-6",),
        "قباني السنهوري الطرابلسي الدمشقي",
        "لنزار فريدة بهاءالدين شهرزاد",
    ),
    "hebrew": (
        ["ISO_IR 138"],
        ("iso8859-8",),
        "שרוןסקי אברבנאל לוינשטיין רוזנצוויג",
        "דבורהלה עמינדב שולמית אלקנה",
    ),
    "thai": (
        ["ISO_IR 166"],
        ("tis-620",),
        "นามสกุลยาว ศรีสุวรรณ วงศ์ไพศาล แก้วมณี",
        "ชื่อสมชาย มาลัยพร ประเสริฐ บุญญา",
    ),
    "katakana": (
        ["ISO_IR 13"],
        ("shift_jis",),
        "ﾔﾏﾀﾞﾉｳｴ ﾅｶﾑﾗｶﾜ ｻｲﾄｳﾀﾆ ﾜﾀﾅﾍﾞｼﾞ",
        "ﾀﾛｳｴﾓﾝ ﾊﾅｺﾐ ｼﾞﾛｳﾎﾞｳ ｻｸﾗｺ",
    ),
    "utf-8": (
        ["ISO_IR 192"],
        ("utf-8",),
        "Čvořkovič Hœrtleþorn Nguyễnphương Ščepanović",
        "Ægidius Þórhildur Bảochâu Đurđica",
    ),
    "utf-8-chinese": (
        ["ISO_IR 192"],
        ("utf-8",),
        "欧阳 司马 诸葛 慕容",
        "修文远 婉清秋 明诚志 雪松庭",
    ),
    "gb18030": (
        ["GB18030"],
        ("gb18030",),
        "王 李 欧阳 诸葛",
        "小东辰 雅琴芳 镕基远 喆瑄宁",
    ),
    "gbk": (
        ["GBK"],
        ("gbk",),
        "皇甫 上官 令狐 东方",
        "振华刚 秀英兰 国强民 玉兰香",
    ),
}
#: The same with code extensions: whole names, of Latin, ideographic and phonetic groups.
EXTENSIONS = {
    "japanese": (
        ["", "ISO 2022 IR 87"],
        ("iso2022_jp",),
        [
            "Yamadanoue^Tarohiko=山田野上^太郎彦=やまだのうえ^たろうひこ",
            "Saitogawa^Hanakomi=斎藤川^花子美=さいとうがわ^はなこみ",
        ],
    ),
    "japanese-katakana": (
        ["ISO 2022 IR 13", "ISO 2022 IR 87"],
        ("iso2022_jp", "shift_jis"),
        [
            "ﾔﾏﾀﾞﾉｳｴ^ﾀﾛｳﾋｺ=山田野上^太郎彦=やまだのうえ^たろうひこ",
            "ﾅｶﾑﾗｶﾜ^ｻｸﾗｺ=中村川^桜子美=なかむらがわ^さくらこ",
        ],
    ),
    "korean": (
        ["", "ISO 2022 IR 149"],
        ("euc_kr",),
        [
            "Hongseong^Gildongmu=洪成^吉洞武=홍성^길동무",
            "Namgungyeo^Sunjaha=南宮麗^順子夏=남궁려^순자하",
        ],
    ),
    "chinese": (
        ["", "ISO 2022 IR 58"],
        ("gb2312",),
        [
            "Zhangouyang^Xiaodongchen=张欧阳^小东辰",
            "Wangsimatai^Yaqinfang=王司马泰^雅琴芳",
        ],
    ),
}
