"""The texts that tokenizers are compared on, and the texts that train the small vocabularies."""

from __future__ import annotations

TEXTS = [
    "The animal didn't cross the street because it was too tired",
    "hello (world) - yes",
    "A \"quoted\" word, and ``old quotes'' - or (brackets).",
    "Über die Brücke ging Größe und Maß; FUẞBALL, Straße, ÄÖÜ äöü",
    "天気がいいから、散歩しましょう。中文字符没有空格",
    "한국어 텍스트 مرحبا بالعالم Привет мир नमस्ते दुनिया สวัสดี",
    "👩‍👩‍👧 and 👍🏽 and 🇩🇪🇫🇷 ❤️ 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "def f(x):\n    return x**2 + 1  # comment\n\nclass A:\n\tpass\n",
    "\tif a:\n\t\treturn {'k': [1, 2]}\t# tab",
    "two  spaces   three    four     five",
    "  leading and trailing  ",
    " one leading space",
    "one trailing space ",
    "a\nb\n\nc\r\nd\re",
    "no\u00a0break\u2003em\u200bzero\ufeffmark\u3000wide",
    "null\x00bell\x07escape\x1b[31mdelete\x7fnext\x85line\u2028para\u2029",
    "<s>",
    "<s> text </s> more </s>",
    "a<s>b</s>c <unk> <pad> d",
    "[CLS] the [MASK] sat [SEP] [UNK] [PAD]",
    "the <mask> sat",
    "a [MASK]  b[MASK]c <mask>  d<mask>e",
    "<|endoftext|> the end <|startoftext|> <|im_start|>user",
    "extra <extra_id_0> and <extra_id_1>",
    "...",
    ".",
    "x",
    " \t\n x",
    "e\u0301 combining a\u030a o\u0308 n\u0303 \u0915\u094d\u0937 Z\u0351\u036b\u0343",
    "ﬁne ﬂow Ⅷ ² ③ ½ ™ ﾃｽﾄ Ｆｕｌｌ",
    "1 12 123 1234 12,345 1,000,000 3.14159 9, 10,",
    "x" * 150,
    "unaffableness" * 20,
    "日" * 120,
    "I'm we've they'll DON'T won't CAN'T 's 're",
    "http://www.example.com/path?q=1&r=2#frag a_b-c.d/e\\f|g~h`i^j",
    "!!!???...-- - ..",
    "camelCaseWord HTTPServer iPhone McDonald's",
    "▁literal ▁▁ meta ▁space",
    "Ġliteral Ċ byte Ã© letters",
    "##piece ## of ##word",
    "</w> end</w> of word",
    "<0x0A> <0x41> bytes",
    ">>de<< translate this >>fr<<",
    "en_XX de_DE words",
    "İstanbul ıI ΣΑΣ ǅ",
    "café naïve ÉCOLE Ærø",
    "ꙮ ᚠᛇᚻ 𝔘𝔫𝔦 𐍈 §¶†‡ £ € –",
    "\ufffd\ue000 private \U0010ffff",
    "señor, ñ und 👍 天気図 £5",
    "soft\u00adhyphen zero\u200cwidth\u200djoin \u202eright\u202c",
]
PAIRS = [("hello (world)", "yes - no"), ("The animal  ", " didn't <mask> cross [MASK]")]

_ENGLISH = """The animal did not cross the street because it was too tired. The street was too wide for the animal.
Hello (world) - yes, said the cat; no, said the dog. The cat sat on the mat, and the dog sat on the log.
A bridge crosses the river where the water is slow. She reads the letter twice: once aloud, once in silence.
Numbers such as 12, 345 and 1,000 are words too; 3.14 is pi. We have been walking, talking, working and resting.
They will not come today. I have seen them and they have seen me. It is what it is, isn't it? Don't say you can't.
unaffable unkindness kindness unkind walked walking walker talked talking talker tokens tokenization token words.
"""
_GERMAN = """Über die Brücke ging der Hund, und die Katze saß auf der Straße. Größe und Maß sind nicht dasselbe.
Die Sätze sind kurz, die Wörter sind lang. Äpfel, Öl und Übung; süß, bös und müde. Der Fußball rollt über die Straße.
"""
_OTHERS = """天気がいいから散歩しましょう。中文没有空格。日本語の文字。
café naïve école señor. Привет мир, как дела. Мир и вода.
"""
_CODE = """def f(x):
    return x + 1
    if a:
        return {'k': [1, 2]}
class A:
    pass
for i in range(10):
    print(i)
"""
# One sentence per line, repeated: enough for trainers that count.
CORPUS = [line for text in (_ENGLISH, _GERMAN, _OTHERS) for line in text.strip().split("\n")] * 3
CODE = _CODE.split("\n") * 2
