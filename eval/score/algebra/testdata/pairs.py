"""Writes pairs.json: pairs of expressions in LaTeX, and whether SymPy's simplify finds their
difference to be zero, as lm-eval 0.4.13 asks it (tasks/minerva_math/utils.py, is_equiv, without
its first comparison of letters). sympy 1.14.0, antlr4-python3-runtime 4.11."""

import json
import random
import signal
import warnings

import sympy
from sympy.parsing.latex import parse_latex

warnings.filterwarnings("ignore")
random.seed(14)


def verdict(a, b):
    def late(*_):
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(5)
    try:
        return bool(sympy.simplify(parse_latex(a) - parse_latex(b)) == 0)
    except TimeoutError:
        return None
    except Exception:
        return False
    finally:
        signal.alarm(0)


families = [
    [r"\frac{1}{2}", "0.5", "1/2", r"\frac12", r"\dfrac{2}{4}", r"\tfrac12", "0.50", ".5", r"\frac{\sqrt{4}}{4}", "2^{-1}", "1:2", "0.51"],
    [r"2\sqrt{3}", r"\sqrt{12}", r"\sqrt{3}\cdot2", r"\frac{6}{\sqrt{3}}", r"12^{1/2}", r"\sqrt3", r"\sqrt{3}2", r"\sqrt{3}+\sqrt{3}", r"\sqrt{12.5}", r"\sqrt[4]{144}"],
    [r"x^2-1", r"(x-1)(x+1)", r"-1+x^2", r"x\cdot x-1", r"x^2-1.0", r"\frac{x^4-1}{x^2+1}", r"(x+1)(x-1)y", r"x(x)-1", r"x^{2}-1^{3}", r"|x^2-1|"],
    [r"\pi", r"\frac{2\pi}{2}", r"3.14", r"\pi1", r"\pi(1)", r"2\pi-\pi", r"\theta", r"\frac{\pi^2}{\pi}"],
    ["2^{10}", "4^5", "1024", "1,024", "2^10", "1024.0", "32^2", r"\sqrt{1048576}", "1025"],
    [r"\sqrt[3]{8}", "2", "8^{1/3}", "2.", r"\log_24", r"\log_{2}{4}", r"\frac{\log16}{\log4}", r"\ln e^2", "2!", r"\binom{2}{1}", r"\lfloor2.5\rfloor", r"\lceil1.2\rceil", "|-2|", r"(-8)^{1/3}", "02", "12."],
    ["120", "5!", r"\binom{10}{3}", r"5\cdot4!", r"\frac{6!}{6}", "1,20", "12,0"],
    [r"\sin^2x+\cos^2x", "1", r"\sin^2(x)+\cos^2(x)", r"\tan x\cot x", r"\sec^2x-\tan^2x", r"\sin x^2+\cos x^2", r"e^0", r"\frac{\sin x}{\sin x}"],
    [r"\sin(2x)", r"2\sin x\cos x", r"2\sin(x)\cos(x)", r"\sin2x", r"\sin 2x\cdot1", r"2\sin x"],
    ["(1,2)", "(1,2)", "1,2", "1", "[1,2]", r"\{1,2\}", "1,3"],
    ["6-5i", "-5i+6", "6-5i1", "6-i5", "6+5i", "6-5j"],
    [r"\frac{x+1}{x^2-1}", r"\frac{1}{x-1}", r"1/(x-1)", r"(x-1)^{-1}", r"\frac{1}{x}-1", "1/x-1"],
    [r"a+b", "b+a", r"\frac{a^2-b^2}{a-b}", "ab", "a-b", "a+b.", "a+b,", "a+b)", "a+2b-b"],
    ["x_1+x_2", "x_2+x_1", "x_{1}+x_{2}", "x_1+x_1", "x1+x2", "2x_1"],
    [r"\sqrt{x^2}", "x", "|x|", "(x^2)^{1/2}", r"\sqrt{x}\sqrt{x}", r"\sqrt{x}^2"],
    [r"\log(xy)", r"\log x+\log y", r"\ln(xy)", r"\log(yx)", r"\lg(xy)"],
    [r"n!", r"n\cdot(n-1)!", r"1n!", r"(n)!", "n"],
    [r"f(x)", "fx", r"f(x)+0", "f(y)", "g(x)"],
    ["x=5", "5", "x<5", "5<x", r"x\leq5", r"x\ge5"],
    [r"\infty", r"-\infty", r"\infty+1", "0"],
    ["0.333", r"\frac13", r"\frac{1}{3}", "0.3333333333333333", "333/1000"],
    ["52_8", "52", "52_{8}", "42", r"52_{10}"],
    [r"3\frac{1}{2}", r"\frac{3}{2}", "3.5", r"1.5", r"\frac{7}{2}"],
    [r"\frac{1+\sqrt{5}}{2}", r"\frac{2}{\sqrt{5}-1}", r"\frac{1}{2}+\frac{\sqrt{5}}{2}", "1.618", r"\sqrt{\frac{3+\sqrt{5}}{2}}"],
    [r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}", r"\sqrt{5}", r"\sqrt{3}+\sqrt{2}"],
    [r"e^{x+y}", r"e^xe^y", r"\exp(x+y)", r"\exp(x)\exp(y)", "e^{x}+e^{y}"],
    ["Evelyn", "nylevE", "Evelyn1", "Evely", r"\text{Evelyn}"],
    [r"2\cdot3", "6", r"2\times3", "2*3", "2**3", "2(3)", "(2)(3)", r"12\div2", "2+", "2;3", "6%", r"6\%", "6~"],
    [r"\arctan1", r"\tan^{-1}1", r"\arctan(1)", r"\frac{\pi}{4}", r"\tan1"],
    ["0.25.", "0.25", "0.2", "1/5", "1,000.", "1", "0.2.", r"\sin(x,y)", r"\sin(x)"],
    ["90", r"90^\circ", "90.", "9"],
]
rows = []
for f in families:
    pairs = [(a, b) for i, a in enumerate(f) for b in f[i + 1 :]]
    random.shuffle(pairs)
    for a, b in pairs[:22]:
        v = verdict(a, b)
        if v is not None:
            rows.append([a, b, v])
with open("pairs.json", "w", encoding="utf-8") as out:
    out.write("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n]\n")
