# Writes harness/: the folder that lm-eval 0.4.13 leaves with --log_samples, of the four small tasks of
# tasks/ on the model at MODEL (a folder called tiny-olmo; PyTorch 2.15, Transformers 5.23, float32).
# Usage: python harness.py MODEL. Of the results only what is read is kept.
import glob, json, os, shutil, subprocess, sys, tempfile

model = os.path.abspath(sys.argv[1])
here = os.path.dirname(os.path.abspath(__file__))
work = tempfile.mkdtemp()
os.chdir(work)
os.symlink(model, "tiny-olmo")
for path in glob.glob(here + "/tasks/*"):
    shutil.copy(path, work)
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
