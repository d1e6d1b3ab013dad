"""Makes oe_eval.json.gz: what oe-eval (allenai/olmes, February 2026) makes of responses, by its own
code. usage: PYTHONPATH=olmes make_oe_eval.py
"""

import gzip
import json
import re

from oe_eval.dependencies.drop.process_results import process_results
from oe_eval.dependencies.hf_evaluate.exact_match import exact_match_hf_evaluate
from oe_eval.metrics.metric import SQuADF1EMRecallMetric

ANSWERS = [
    ["Justin Timberlake"], ["4th", "fourth"], ["the"], ["The Beatles", "Beatles"], ["158203"], ["1,200"], ["June 1344"], ["a cat and a dog"], ["3"], ["U.S.A."],
    ["naïve café"], ["-5"], ["yes"], ["twenty-two"], ["O'Brien"],
]
RESPONSES = [
    " Justin Timberlake", "timberlake.", "It was Justin  Timberlake!", "the fourth", "4TH", "", " ", "the", "an", "Beatles, The", "158,203", "158203 people", "1200", "1,200.0",
    "June, 1344", "in June 1344", "dog cat", "a dog and the cat", "3.0", "three 3", "USA", "u.s.a", "cafe naïve", "-5", "5", "yes yes yes", "Yes, it is.", "twenty two", "o brien",
    "'OBrien'", "\n3\n",
]
GSM = [("#### 18", "18"), ("x #### 1,203", "1,203"), ("#### -5", "-5"), ("#### 0.5", "0.5"), ("#### $20", "$20"), ("#### 7 ", "7")]
OUT = [
    "So the answer is 18.", "18", "is 1,203 apples", "1203", "-5", "5", "it is $20.00", "$20", "0.5", ".5", "1/2", "no number", "", "The answer is 18. No, 19", "7.", "7.0",
    "1,2,3", "= 12,345,678 dollars", "+5", "x=-.5", "eighteen", "#### 18", "18\n", "١٨",
]


def number(text):
    text = re.sub(r"(\d),(\d)", r"\1\2", text)  # gsm8k.py, _extract_answer and _clean_short_answer
    numbers = re.findall(r"[-+]?\d*\.\d+|\d+", text)
    return numbers[-1] if numbers else text


def main():
    short, natural, gsm = [], [], []
    metric = SQuADF1EMRecallMetric()
    for answers in ANSWERS:
        for r in RESPONSES:
            got = metric.process_one_doc([{"label": answers, "model_resps": {"continuation": r}}])
            short.append([answers, r, {k: float(v) for k, v in got.items()}])
            got = process_results({"answers": answers}, [r])
            natural.append([answers, r, {"exact_match": float(got["exact_match"]), "f1": float(got["f1"])}])
    for answer, label in GSM:
        for r in OUT:
            got = exact_match_hf_evaluate(
                predictions=[number(r)], references=[number(label.strip())], regexes_to_ignore=[",", "\\$", "(?s).*#### ", "\\.$"], ignore_case=True, ignore_punctuation=False,
            )["exact_match"]
            gsm.append([answer, r, {"exact_match": float(got)}])
    with gzip.GzipFile("oe_eval.json.gz", "wb", mtime=0) as f:
        f.write(json.dumps({"short_answer": short, "naturalqs": natural, "gsm8k_olmes": gsm}, ensure_ascii=False).encode())


main()
