"""Makes the second part of verifiers.jsonl, with N = 30: rewards by open-instruct's own classes (e6c3044), for answers drawn at random.

python verifiers.py OPEN_INSTRUCT N > verifiers.jsonl     (sympy 1.14, antlr4-python3-runtime 4.11)
"""
import ast, json, random, re, sys, types

folder, n = sys.argv[1], int(sys.argv[2])
sys.modules["open_instruct"] = package = types.ModuleType("open_instruct")
package.logger_utils = types.SimpleNamespace(setup_logger=lambda name: types.SimpleNamespace(debug=lambda *a: None, warning=lambda *a: None, error=lambda *a: None))
maths = {}
exec(open(folder + "/math_utils.py").read(), maths)
tree = ast.parse(open(folder + "/ground_truth_utils.py").read())
wanted = {"VerifierConfig", "VerificationResult", "MaxLengthVerifierConfig", "VerifierFunction", "remove_thinking_section", "normalize_answer", "f1_score",
          "GSM8KVerifier", "MathVerifier", "StrictMathVerifier", "FlanVerifier", "StringMatcherVerifier", "F1Verifier", "PuzzleMatcherVerifier",
          "ReSearchVerifierF1", "R1SearchVerifier", "MaxLenVerifier", "UpToMaxLenVerifier", "PassthroughVerifier"}
body = [x for x in tree.body if getattr(x, "name", None) in wanted]
space = dict(maths)
exec("import asyncio, dataclasses, json, logging, re, string\nfrom abc import ABC, abstractmethod\nfrom collections import Counter\nfrom typing import Any", space)
exec(compile(ast.Module(body, []), "ground_truth_utils.py", "exec"), space)
made = {c.name: c for c in (space[name](space["MaxLengthVerifierConfig"]()) for name in sorted(wanted) if "Verifier" in name and name not in ("VerifierConfig", "MaxLengthVerifierConfig", "VerifierFunction"))}

r = random.Random(7)
words = ["a", "The", "cat", "An", "9", "Ünal", "dog's", "e-mail", "STRASSE", "ok.", "yes", "no", "İ", "…", "1,000", "3.5", "x"]
marks = ["<answer>", "</answer>", "<think>", "</think>", "<finish>", "</finish>", "<FINISH>", "</Finish>", "The answer is: ", "<|assistant|>", "\n", "  ", "\t", ""]
numbers = ["12", "-7", "+9", "3.50", ".5", "1,234,567", "1,2,3", "٣٤", "7.", "2e3", "-.25", "5-8", "1.2.3", "$40", "12,", "0x1F"]
terms = [r"\frac{1}{2}", r"\frac12", "0.5", "1/2", r"x^2+1", "1+x^2", r"\sqrt2", r"2\sqrt{3}", "12", "1,000", r"\text{yes}", "yes", r"\pi", "(1,2)", "[0,1)", r"90^\circ", r"5\text{ cm}", "x=3", "3",
         r"10\%", r"\$5", "-4", r"\left(1,2\right)", r"\dfrac{3}{4}", "0.75", r"\infty", "a", r"\mathrm{th}", r"2x", "x+x", "", r"\fracab", r"7 dollars", r"\overline{AB}", r"\textbf{B}"]
frames = ["{}", r"\boxed{{{}}}", r"So \boxed{{{}}}.", "${}$", "so $x$ is ${}$", r"\fbox{{{}}}", r"\boxed {}", r"\boxed{{{}", "Final Answer: The final answer is ${}$. I hope it is correct.",
          "Final Answer: The final answer is {}. I hope it is correct.", "Final Answer: The final answer is {}.", "Thus y = {}", r"\boxed{{{}}} and \boxed{{2}}", "Final Answer: The final answer is\n{}. I hope it is correct."]

def phrase(): return " ".join(r.choice(words) for _ in range(r.randint(0, 4)))

def row(name):
    if name == "gsm8k":
        p = "".join(r.choice(numbers + words + [" "]) + r.choice(["", " ", ","]) for _ in range(r.randint(1, 5)))
        return p, r.choice([p, re.split("[ ,]", p)[-1], re.sub("[^0-9.+-]", " ", p.replace(",", "")).split(" ")[-1], *numbers[:3]])
    if name in ("math", "strict_math"):
        t = r.choice(terms)
        return r.choice(frames).format(r.choice([t, r.choice(terms)])), t
    if name in ("max_length", "up_to_max_length"):
        return "", r.choice(["3", "10", "4.5", " 7 ", "1e2"])
    p = "".join(r.choice(marks) + phrase() for _ in range(r.randint(1, 4)))
    g = r.choice([phrase(), p, phrase().lower()])
    if r.random() < .5: # in the right place
        tag = "finish" if name.startswith("re_search") else "answer"
        p += f"<{tag}> {g.swapcase()}</{tag}>" + r.choice(["", ".", p])
    if name == "string_f1" and r.random() < .4: g = [phrase() for _ in range(r.randint(1, 3))]
    if name.startswith("re_search"): g = r.choice([g, json.dumps([g, phrase()]), json.dumps(g), "42", " 1.50", "[3, \"cat\"]", "true"])
    return p, g

for name in sorted(made):
    for _ in range(1 if name == "passthrough" else n):
        p, g = row(name)
        ids = list(range(r.randint(0, 12)))
        try: score = made[name](ids, p, g).score
        except Exception as e: continue
        line = {"dataset": name, "prediction": p, "ground_truth": g, "score": float(score)}
        if "length" in name: line["response_ids"] = ids
        print(json.dumps(line))
