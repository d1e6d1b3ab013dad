"""Writes sentences.json: texts with their sentences by NLTK's Punkt without parameters and the
words of each sentence by its Treebank tokenizer. nltk 3.10.4."""

import json
import random

from nltk.tokenize.destructive import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktSentenceTokenizer

random.seed(14)
words = ["The", "boats", "A.", "b.", "5.", "-3.2.", "U.S.", "keeps", "QUIET", "don't", "CAN'T", "cannot", "gonna", "wanna", "IT'S", "'tis", "'TWAS",
         "Dr.", "e.g.", "...", "..", "?!", "!!!", ". . .", "--", "NATO,", "x:y", "3,000", "$5", "50%", "(yes)", "[no].", '"Go."', "“Stop!”", "«Oui.»",
         "end.)", "it.\"", "*bold*", "**BOLD.**", "I'll", "THEY'VE", "we'd", "ROCK'n'roll", "more'n", "d'ye", "—", "a–b", "été.", "Ünder!", "why?", "No.", "_.", "x.y", "2.Z", "''q''", "``p''", "#tag", "me@x.org", ";"]
seps = [" "] * 12 + ["\n", "\n\n", "  ", "\t", ""]
texts = ["", " ", ".", "..", "Hi.", " Hi. ", "a. b. C. d", "One. 2. three. 4. Four"]
for _ in range(160):
    texts.append("".join(random.choice(words) + random.choice(seps) for _ in range(random.randint(1, 22))))
punkt, treebank = PunktSentenceTokenizer(), NLTKWordTokenizer()
rows = []
for t in texts:
    s = punkt.tokenize(t)
    rows.append({"text": t, "sentences": s, "words": [treebank.tokenize(x) for x in s]})
with open("sentences.json", "w", encoding="utf-8") as f:
    f.write("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n]\n")
