"""Makes the models and predictions in this folder (fasttext-wheel 0.9.2, numpy < 2).

The sentences are our own. usage: python make.py
"""
import json
import random

import fasttext

random.seed(1)
words = {
    "en": "the house water river tree with and bread read night morning green summer winter stone light",
    "de": "das haus wasser fluss baum mit und brot lesen nacht morgen grün sommer winter stein licht",
    "fr": "la maison eau rivière arbre avec et pain lire nuit matin vert été hiver pierre lumière",
    "ru": "дом вода река дерево с и хлеб читать ночь утро зелёный лето зима камень свет",
}
with open("train.txt", "w") as f:
    for _ in range(400):
        k = random.choice(list(words))
        f.write(f"__label__{k} {' '.join(random.choices(words[k].split(), k=6))}\n")
texts = [
    "the green river", "das grüne haus", "la rivière verte", "зелёная река", "", "xyzzy", "the  maison\twasser \x0b вода",
    "__label__en the", "__label__zz the", "</s> after the end", "a", "日本語 the", "the " * 50, "\x00the\x00",
]
common = dict(input="train.txt", thread=1, verbose=0, seed=3, epoch=20, lr=0.5)
models = {
    "softmax.bin": dict(loss="softmax", dim=5, minn=2, maxn=3, bucket=300, wordNgrams=2),
    "words.bin": dict(loss="softmax", dim=3, minn=0, maxn=0, wordNgrams=1),
    "ova.bin": dict(loss="ova", dim=4, minn=1, maxn=4, bucket=200),
    "hs.ftz": dict(loss="hs", dim=16, minn=2, maxn=4, bucket=1000),
    "ns.ftz": dict(loss="ns", dim=7, minn=3, maxn=3, bucket=400, wordNgrams=3),
}
out = []
for name, args in models.items():
    m = fasttext.train_supervised(**common, **args)
    if name == "hs.ftz":
        m.quantize(qnorm=True, cutoff=300)
    if name == "ns.ftz":
        m.quantize(dsub=3)
    m.save_model(name)
    for t in texts:
        labels, probs = m.predict(t, k=-1)
        out.append({"model": name, "text": t, "labels": [x.replace("__label__", "") for x in labels], "scores": [float(p) for p in probs]})
with open("predictions.json", "w") as f:
    json.dump(out, f, ensure_ascii=False, indent=0)
