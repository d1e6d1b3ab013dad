# Makes want.json.gz: what lm-eval 0.4.13 (Transformers 5.23) asks with apply_chat_template and
# fewshot_as_multiturn. Run in this folder: python make.py
import functools, gzip, json, jinja2
from lm_eval.tasks import TaskManager, get_task_dict
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

TEMPLATES = {
    # Of ChatML's kind, with a system text of its own.
    "chatml": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are helpful.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    # Of Llama 3's, which trims what is said and begins with a begin of text.
    "llama3": "{{- bos_token }}{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}",
    # Of Mistral's first, which takes no system text.
    "mistral": "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}",
}
NAMES = ["chat_choices", "chat_prefix", "chat_prefix_space", "chat_likelihood", "chat_text", "chat_text_prefix"]

out = {"templates": TEMPLATES, "requests": []}
for name, template in TEMPLATES.items():
    tok = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), bos_token="<s>", eos_token="</s>")
    tok.chat_template = template
    lm = type("LM", (), {"tokenizer": tok, "chat_template_args": {}, "tokenizer_name": name})()
    render = functools.partial(HFLM.apply_chat_template, lm)
    for system in [None, "Be brief."]:
        tasks = get_task_dict(NAMES, TaskManager(include_path=".", include_defaults=False))
        for task_name, task in tasks.items():
            try:
                task.build_all_requests(apply_chat_template=True, fewshot_as_multiturn=True, chat_template=render, tokenizer_name=name, system_instruction=system, rank=0, world_size=1)
            except jinja2.exceptions.TemplateError as e:
                out["requests"].append({"template": name, "system": system, "task": task_name, "error": str(e)})
                continue
            out["requests"].append({"template": name, "system": system, "task": task_name, "arguments": [
                [i.doc_id, *(list(i.args)[:2] if i.request_type != "generate_until" else [i.args[0]])] for i in task.instances
            ]})
with open("want.json.gz", "wb") as f, gzip.GzipFile(filename="", mode="wb", fileobj=f, mtime=0) as z:
    z.write(json.dumps(out, ensure_ascii=False, indent=0).encode())
