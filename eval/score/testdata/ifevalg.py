"""Makes ifevalg.jsonl.gz, with N = 15: rewards by open-instruct's own IFEvalVerifier (e6c3044), for answers drawn at random.

python ifevalg.py OPEN_INSTRUCT N > ifevalg.jsonl     (nltk 3.10.4, langdetect 1.0.9, immutabledict)

OPEN_INSTRUCT is the folder open_instruct. Sentences are split by Punkt without parameters, since NLTK's have to be fetched; languages by
langdetect with seed 0, on texts of which it is sure.
"""
import ast, json, random, sys, types

import langdetect, nltk
from nltk.tokenize.destructive import NLTKWordTokenizer
from nltk.tokenize.punkt import PunktSentenceTokenizer

folder, n = sys.argv[1], int(sys.argv[2])
langdetect.DetectorFactory.seed = 0
punkt, treebank = PunktSentenceTokenizer(), NLTKWordTokenizer()
nltk.word_tokenize = lambda text: [w for s in punkt.tokenize(text) for w in treebank.tokenize(s)]
absl = types.ModuleType("absl")
absl.logging = types.SimpleNamespace(error=lambda *a: None)
sys.modules["absl"] = absl
sys.modules["open_instruct"] = types.ModuleType("open_instruct")
sys.modules["open_instruct"].__path__ = [folder]
sys.modules["open_instruct.IFEvalG"] = types.ModuleType("open_instruct.IFEvalG")
sys.modules["open_instruct.IFEvalG"].__path__ = [folder + "/IFEvalG"]
import open_instruct.IFEvalG.instructions_util as util
import open_instruct.IFEvalG.instructions_registry as registry
util.count_sentences = lambda text: len(punkt.tokenize(text))
tree = ast.parse(open(folder + "/ground_truth_utils.py").read())
body = [x for x in tree.body if getattr(x, "name", None) in {"VerifierConfig", "VerificationResult", "VerifierFunction", "remove_thinking_section", "IFEvalVerifier"}]
space = {"instructions_registry": registry, "logger": types.SimpleNamespace(warning=lambda *a: None)}
exec("import ast, asyncio, dataclasses, json\nfrom abc import ABC, abstractmethod\nfrom typing import Any", space)
exec(compile(ast.Module(body, []), "ground_truth_utils.py", "exec"), space)
verify = space["IFEvalVerifier"]()

r = random.Random(16)
words = ["boat", "Boats", "pier", "QUAY", "the", "The", "a", "at", "and", "sea", "Sea,", "level", "Anna", "don't", "well-known", "[tide]", "<<salt", "wind>>", "été", "İzmir", "12", "3.5", "Mr. Rowe", "e.g.", "U.S.",
         "Ph.D.", "www.sea.org", "J. Rowe", "Inc.", "Co. He said", "*net*", "**rope**", "(so)", "...", "so..", "bird", "cold", "day", "echo", "NASA", "CAN'T", "P.S.", "p. p. s more", "harbour", "x-y", "A.B.", "A.B.C.", "A.B. She rows"]
ends = [".", ".", ".", "!", "?", ".\"", "!\"", ".”", "", "...", " .", ",", ";"]
seps = [" "] * 8 + ["\n", "\n\n", "  ", "\n***\n", " *** ", "******", "\n\n\n", "-", "- ", "\n* ", "\n- ", "\nSection 1\n", "\nPART 2 "]
languages = {"de": "Heute gehen wir mit den Kindern in den Garten und pflanzen dort einen neuen Apfelbaum.", "fr": "Nous allons demain avec les enfants dans le jardin pour planter un nouveau pommier.",
             "es": "Mañana iremos con los niños al jardín para plantar un nuevo manzano junto a la casa.", "en": "Tomorrow we will walk with the children to the garden and plant a new apple tree there.",
             "it": "Domani andremo con i bambini in giardino per piantare un nuovo melo vicino alla casa."}

def sentence(): return " ".join(r.choice(words) for _ in range(r.randint(1, 6))) + r.choice(ends)
def prose(k=None): return "".join(sentence() + r.choice(seps) for _ in range(k or r.randint(1, 5)))
def plain(k): return " ".join(r.choice(["boat", "sea", "tide", "wind", "rope", "sail"]) for _ in range(k))
def relation(): return r.choice(["less than", "at least"])

def case(name):
    """Options of an instruction, and an answer that may well follow it."""
    p, k = prose(), r.randint(0, 6)
    w = r.choice(["boat", "sea", "the", " tide ", "b.at", "a|x", "QUAY", "level"])
    if name in ("keywords:existence",): return {"keywords": [w, "sea"][: r.randint(1, 2)]}, p
    if name == "keywords:forbidden_words": return {"forbidden_words": [w.strip(), "rope"]}, p
    if name in ("keywords:frequency", "keywords:word_count_different_numbers"): return {"keyword": w, "frequency": k, "relation": relation()}, p
    if name in ("keywords:letter_frequency", "letters:letter_counting2"): return {"letter": r.choice("aBez"), "let_frequency": r.randint(0, 12), "let_relation": relation()}, p
    if name == "language:response_language": return {"language": r.choice(list(languages))}, r.choice(list(languages.values()) + ["1234 ..."])
    if name == "length_constraints:number_sentences": return {"num_sentences": k, "relation": relation()}, p
    if name == "length_constraints:number_paragraphs": return {"num_paragraphs": k}, "\n***\n".join(sentence() for _ in range(r.randint(1, 6))) + r.choice(["", "***", "*** ***"])
    if name == "length_constraints:number_words": return {"num_words": r.randint(0, 25), "relation": relation()}, p
    if name == "length_constraints:nth_paragraph_first_word":
        m = r.randint(1, 3)
        return {"num_paragraphs": m, "nth_paragraph": r.randint(1, m), "first_word": r.choice(["Boat", "so", "level"])}, "\n\n".join(r.choice(["'\"Boat,", "boat's", "SO.", "Level", ""]) + " " + sentence() for _ in range(r.choice([m, m, 2])))
    if name == "detectable_content:number_placeholders": return {"num_placeholders": r.randint(0, 3)}, p
    if name == "detectable_content:postscript": return {"postscript_marker": r.choice(["P.S.", "P.P.S", " NB: "])}, p + r.choice(["\nP.S. more", "\np. p. s", "nb: x", ""])
    if name == "detectable_format:number_bullet_lists": return {"num_bullets": r.randint(0, 3)}, p
    if name == "detectable_format:constrained_response": return {}, p + r.choice(["My answer is yes.", "my answer is no.", "My answer is maybe"])
    if name == "detectable_format:number_highlighted_sections": return {"num_highlights": r.randint(0, 4)}, p + r.choice(["*a* **b**", "** **", "* *", "*a*b*"])
    if name == "detectable_format:multiple_sections": return {"section_spliter": r.choice(["Section", " PART "]), "num_sections": r.randint(0, 3)}, p + r.choice(["Section 2", "PART2 PART 3", ""])
    if name == "detectable_format:json_format": return {}, r.choice(['{"a": 1}', '```json\n[1, NaN]\n```', "```\n{}```", "{a: 1}", "Sure: {}", '"x"', "-Infinity", "```JSON\nnull```", "1e999", "[1,]"])
    if name == "detectable_format:title": return {}, p + r.choice(["<<a>>", "<< >>", "<<>>", "<<a\n>>", ""])
    if name == "combination:two_responses": return {}, "******".join(r.choice(["a", " b ", "a ", "", "c d"]) for _ in range(r.randint(1, 4)))
    if name in ("combination:repeat_prompt", "copy:copy", "copy:copying_simple"):
        return {"prompt_to_repeat": " Say İt now. "}, r.choice(["say i̇t now.", "SAY İT NOW. yes", "Say İt now.", " say İt now", "Sure! Say it now."])
    if name == "copy:copying_multiple": return {"prompt_to_repeat": "Row on.", "N": r.randint(1, 3)}, r.choice(["******", "***"]).join(r.choice(["row on.", " Row on. \n", "Row"]) if r.random() < .2 else "Row on." for _ in range(r.randint(1, 3)))
    if name == "new:copy_span_idx":
        t = "Écrire the tide table, now."
        a, b = r.randint(1, 20), r.randint(1, 40)
        return {"prompt_to_repeat": t, "n_start": a, "n_end": b}, r.choice([t[a:b], t[a:b].upper() + " ", t[a : b + 1], t]) or "x"
    if name == "startend:end_checker": return {"end_phrase": r.choice([" Any more? ", "Bye."])}, p + r.choice(["any more?", 'Bye."', "bye. ", "BYE"])
    if name == "startend:quotation": return {}, r.choice(['"' + p + '"', '"', ' "a" ', "“a”", p])
    if name == "change_case:capital_word_frequency": return {"capital_frequency": r.randint(0, 3), "capital_relation": relation()}, p
    if name in ("change_case:english_capital", "change_case:english_lowercase"): return {}, r.choice([languages["en"], languages["en"].upper(), languages["en"].lower(), languages["de"].upper(), languages["fr"].lower()])
    if name == "punctuation:no_comma": return {}, r.choice([p, p.replace(",", "")])
    if name == "copy:repeat_phrase":
        said = [r.choice(["row the boat home", "row a boat home", "row the ship home", "row a ship home", "row the boat  home", "row home", "Row a boat home"]) for _ in range(r.randint(1, 3))]
        return {"phrase": " row the boat home", "small_n": r.randint(1, 3)}, r.choice([" ", "\n", ". "]).join(said)
    if name == "detectable_format:sentence_hyphens": return {}, r.choice(["-", "-", " - ", "- "]).join(plain(r.randint(1, 3)) + r.choice([".", "!", ".", ""]) for _ in range(r.randint(1, 3)))
    if name == "keywords:no_adjacent_consecutive": return {}, " ".join(r.choice(["Ask", "boat", "Cold", "day", "sea", "İz", "ß", "9", ":"]) for _ in range(r.randint(1, 4)))
    if name == "detectable_format:square_brackets": return {}, " ".join(r.choice(["[a]", "[b]", "[c d]", "[e].", "[f]"]) for _ in range(r.randint(1, 3)))
    if name == "keywords:word_once": return {"keyword": w}, r.choice([p, "A boat. " + plain(3), sentence()])
    if name == "keywords:exclude_word_harder": return {"keyword": r.choice(["boat", " the ", "sea"]), **({"instruction": "x y"} if r.random() < .2 else {})}, p
    if name == "paragraphs:paragraphs": return {}, "***".join(r.choice(["a", "b ", " ", "", "\nc\n"]) for _ in range(r.randint(1, 4)))
    if name == "paragraphs:paragraphs2": return {}, "\n\n".join(r.choice(["a", "b ", " ", "", "c"]) for _ in range(r.randint(1, 4)))
    if name == "first_word:first_word_sent": return {"first_word": r.choice(["Boats", ["boats", "x"], " boats "])}, " ".join(r.choice(["Boats", "boats", "BOATS", "Boats", "So"]) + " " + sentence() for _ in range(r.randint(1, 3)))
    if name == "first_word:first_word_answer": return {"first_word": r.choice(["Boats", "so "])}, r.choice(["Boats ", "boats, ", "\nSO ", "Soon "]) + p
    if name in ("last_word:last_word_sent", "last_word:last_word_answer"):
        last = r.choice(["Sea", ["sea"]]) if name.endswith("sent") else "Sea "
        return {"last_word": last}, " ".join(plain(r.randint(0, 3)) + " " + r.choice(["sea", "SEA", "s-e-a", "tide"]) + r.choice([".", "!", "?", "", '."']) for _ in range(r.randint(1, 3)))
    if name == "detectable_format:bigram_wrapping": return {}, " ".join(r.choice(["<<a b>>", "<<c d>>", "<<c d>>", "e f", "<<g"]) for _ in range(r.randint(1, 3)))
    if name == "punctuation:punctuation_dot": return {}, r.choice([p, p.replace(".", "")])
    if name == "punctuation:punctuation_exclamation": return {}, p
    if name == "count:lowercase_counting": return {"N": r.randint(1, 12)}, p
    if name == "letters:letter_counting": return {"N": r.randint(1, 60), "relation": relation()}, p
    if name == "count:counting_composition":
        a, b = r.randint(1, 2), r.randint(2, 4)
        return {"n_sent": a, "n_words": b}, r.choice([" *** ", "***", "\n***\n"]).join(" ".join(plain(b - 1) + "." for _ in range(a)) for _ in range(r.choice([3, 3, 3, 2, 4]))) + r.choice(["", "", "", "***", " x."])
    if name == "count:count_unique": return {}, r.choice([sentence(), p, plain(2), " ".join(r.sample(words, 4))])
    if name == "count:count_increment_word": return {"keyword1": " tide", "keyword2": "oar "}, " ".join(r.choice(["tide", "oar", "Oar", "sea", "board"]) for _ in range(r.randint(2, 6)))
    if name == "keywords:palindrome": return {}, r.choice([p, plain(3), plain(2) + " level", "sees.", "Anna", "anna", "I row"])
    if name == "keywords:keyword_specific_position":
        key = r.choice(["boat", ["sea", "x"], "."])
        return {"keyword": key, "n": r.randint(1, 3), "m": r.randint(1, 4)}, " ".join(" ".join(r.choice(["boat", "sea", "tide", "don't", "e.g."]) for _ in range(r.randint(1, 4))) + r.choice([".", "!", "?"]) for _ in range(r.randint(1, 4)))
    if name == "keywords:start_end": return {}, r.choice(["Boat", "sea", '"Sea']) + " " + p + " " + r.choice(["boat", "SEA", "boat.", "sea"])
    raise KeyError(name)

names = sorted(registry.INSTRUCTION_DICT)
mixed = [m for m in names if m not in ("language:response_language", "change_case:english_capital", "change_case:english_lowercase")]
for name in names * n + [None] * (8 * n):
    many = [name] if name else r.sample(mixed, r.randint(2, 4))
    made = [case(m) for m in many]
    p = r.choice([a for _, a in made])
    if r.random() < .1: p = "<think>So, " + plain(3) + ".</think>" + r.choice(["", "\n<answer>"]) + p + r.choice(["", "</answer>"])
    kwargs = [{**k, **({"N": None, "keywords": None} if "N" not in k and "keywords" not in k else {})} if k or r.random() < .5 else r.choice([None, {}]) for k, _ in made]
    entry = {"instruction_id": many, "kwargs": kwargs}
    g = r.choice([repr([entry]), repr([json.dumps(entry)]), json.dumps([json.dumps(entry)])])
    print(json.dumps({"dataset": "ifeval", "prediction": p, "ground_truth": g, "score": verify([], p, g).score}))
