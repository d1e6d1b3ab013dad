# Writes harness/: the folder that lm-eval 0.4.13 leaves with --log_samples, of four small tasks on
# the model at MODEL (a folder called tiny-olmo; PyTorch 2.15, Transformers 5.23, float32).
# Usage: python harness.py MODEL. Of the results only what is read is kept.
import glob, json, os, shutil, subprocess, sys, tempfile

model = os.path.abspath(sys.argv[1])
here = os.path.dirname(os.path.abspath(__file__))
work = tempfile.mkdtemp()
os.chdir(work)
os.symlink(model, "tiny-olmo")

def task(name, rows, text):
    with open(name + ".jsonl", "w") as f:
        for r in rows:
            f.write(json.dumps(r, ensure_ascii=False) + "\n")
    with open(name + ".yaml", "w") as f:
        f.write(f"task: {name}\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {work}/{name}.jsonl\ntest_split: test\n{text}")

task("colours", [
    {"question": "What colour is snow?", "choices": ["white", "green"], "answer": 0, "share": 1.50},
    {"question": "What colour is grass — in spring?", "choices": ["red", "green"], "answer": 1, "share": 2.0},
    {"question": "Welche Farbe hat der Himmel?\n\"Blau\"", "choices": ["blue", "brown"], "answer": 0, "share": 0.1},
], """output_type: multiple_choice
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - metric: acc
  - metric: acc_norm
  - metric: acc_mutual_info
  - metric: brier_score
""")
task("sums", [{"question": f"{a} + {b} =", "answer": str(a + b)} for a, b in ((1, 2), (3, 4))], """output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs:
  until: ["."]
  max_gen_toks: 8
filter_list:
  - name: first
    filter:
      - function: take_first
  - name: number
    filter:
      - function: regex
        regex_pattern: "([0-9]+)"
      - function: take_first
metric_list:
  - metric: exact_match
""")
task("pages", [{"text": "A page."}, {"text": "Another page,\nof two lines."}], """output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list:
  - metric: bits_per_byte
""")
task("last", [{"text": "The sun rises in the", "word": "east"}, {"text": "One, two,", "word": "three"}], """output_type: loglikelihood
doc_to_text: "{{text}}"
doc_to_target: " {{word}}"
metric_list:
  - metric: perplexity
  - metric: acc
""")
subprocess.run([sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args", "pretrained=tiny-olmo,dtype=float32", "--device", "cpu",
    "--include_path", ".", "--tasks", "colours,sums,pages,last", "--log_samples", "--output_path", "out"], check=True,
    env=os.environ | {"DISABLE_MULTIPROC": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": work + "/cache"})
shutil.rmtree(here + "/harness", ignore_errors=True)
shutil.copytree("out", here + "/harness")
for path in glob.glob(here + "/harness/*/results_*.json"):
    results = json.load(open(path))
    keep = ("results", "higher_is_better", "n-samples", "model_name")
    json.dump({k: results[k] for k in keep}, open(path, "w"), indent=1)
shutil.rmtree(work)
