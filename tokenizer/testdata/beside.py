# What AutoTokenizer of Transformers 5.23 makes of tokens that only the files beside a tokenizer.json name: for each set of files the ids of a text and what is left of it without special tokens.
# usage: python beside.py > beside.json
import json, logging, os, tempfile
from transformers import AutoTokenizer

logging.disable(logging.CRITICAL)
TEXT = '<x>ab<y><z><s> <img>'


def token(content, **k):
    return {'content': content, 'lstrip': False, 'rstrip': False, 'normalized': False, 'single_word': False, 'special': True, **k}


def base(added=()):
    return {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': list(added), 'normalizer': None, 'pre_tokenizer': None, 'post_processor': None, 'decoder': {'type': 'Fuse'},
            'model': {'type': 'BPE', 'vocab': {'a': 0, 'b': 1, 'ab': 2, '<unk>': 3, '<s>': 4}, 'merges': ['a b'], 'unk_token': '<unk>', 'fuse_unk': True}}


BEGIN = {'type': 'TemplateProcessing', 'single': [{'SpecialToken': {'id': '<s>', 'type_id': 0}}, {'Sequence': {'id': 'A', 'type_id': 0}}],
         'pair': [{'Sequence': {'id': 'A', 'type_id': 0}}, {'Sequence': {'id': 'B', 'type_id': 1}}], 'special_tokens': {'<s>': {'id': '<s>', 'ids': [4], 'tokens': ['<s>']}}}
CASES = {
    'nothing': {},
    'decoder': {'config': {'added_tokens_decoder': {'9': token('<y>'), '5': token('<x>')}}},
    'decoder, an id of another': {'config': {'added_tokens_decoder': {'0': token('<x>')}}},
    'decoder, not special': {'config': {'added_tokens_decoder': {'5': token('<x>', special=False)}}},
    'decoder, other flags': {'config': {'added_tokens_decoder': {'5': token('<img>', lstrip=True)}}, 'added': [{'id': 5, **token('<img>')}]},
    'decoder, the same': {'config': {'added_tokens_decoder': {'5': token('<img>')}}, 'added': [{'id': 5, **token('<img>')}]},
    'decoder, named and extra': {'config': {'bos_token': '<s>', 'extra_special_tokens': ['<z>'], 'added_tokens_decoder': {'9': token('<y>'), '6': token('<x>')}}},
    'decoder hides the map': {'config': {'added_tokens_decoder': {'9': token('<y>')}}, 'special_tokens_map': {'bos_token': '<x>'}},
    'named': {'config': {'bos_token': '<s>', 'pad_token': '<x>'}},
    'named object': {'config': {'eos_token': {'__type': 'AddedToken', **token('<z>', lstrip=True, special=False)}}},
    'named null': {'config': {'bos_token': None, 'eos_token': '<x>'}},
    'a token of its own': {'config': {'image_token': '<img>', 'mask_token': '<x>'}},
    'extra': {'config': {'extra_special_tokens': ['<z>', '<x>']}},
    'extra objects': {'config': {'extra_special_tokens': [{'__type': 'AddedToken', **token('<z>', rstrip=True)}]}},
    'extra by name': {'config': {'extra_special_tokens': {'z_token': '<z>'}}},
    'additional': {'config': {'additional_special_tokens': ['<z>', '<y>']}},
    'map': {'config': {}, 'special_tokens_map': {'bos_token': '<s>', 'pad_token': '<x>', 'additional_special_tokens': ['<z>']}},
    'map of objects': {'config': {}, 'special_tokens_map': {'bos_token': token('<x>', lstrip=True)}},
    'map before config': {'config': {'bos_token': '<x>'}, 'special_tokens_map': {'bos_token': '<y>'}},
    'map alone': {'special_tokens_map': {'pad_token': '<x>'}},
    'added_tokens.json': {'config': {}, 'added_tokens': {'<y>': 7, '<x>': 6}},
    'added_tokens.json, special elsewhere': {'config': {'bos_token': '<y>'}, 'added_tokens': {'<y>': 7}},
    'added_tokens.json, an id of tokenizer.json': {'config': {}, 'added_tokens': {'<y>': 5}, 'added': [{'id': 5, **token('<img>')}]},
    # With a tokenizer.json its post-processor alone decides about the beginning and the end.
    'add_bos_token': {'config': {'bos_token': '<s>', 'add_bos_token': True}},
    'add_bos_token and add_eos_token': {'config': {'bos_token': '<s>', 'eos_token': '<s>', 'add_bos_token': True, 'add_eos_token': True}},
    'add_bos_token false, with a template': {'config': {'bos_token': '<s>', 'add_bos_token': False}, 'post': BEGIN},
    'add_eos_token, with a template': {'config': {'bos_token': '<s>', 'eos_token': '<s>', 'add_eos_token': True}, 'post': BEGIN},
    'all': {'config': {'eos_token': '<z>'}, 'special_tokens_map': {'bos_token': '<s>'}, 'added_tokens': {'<x>': 9, '<y>': 8}},
}
out = []
for name, c in CASES.items():
    with tempfile.TemporaryDirectory() as d:
        files = {'tokenizer.json': {**base(c.get('added', ())), 'post_processor': c.get('post')}}
        if 'config' in c:
            files['tokenizer_config.json'] = {'tokenizer_class': 'PreTrainedTokenizerFast', **c['config']}
        for k in ('special_tokens_map', 'added_tokens'):
            if k in c:
                files[k + '.json'] = c[k]
        for n, v in files.items():
            json.dump(v, open(os.path.join(d, n), 'w'))
        row = {'name': name, 'files': files, 'text': TEXT}
        try:
            t = AutoTokenizer.from_pretrained(d)
            row['ids'] = t(TEXT)['input_ids']
            row['plain'] = t.decode(row['ids'], skip_special_tokens=True)
            row['size'] = max(t.get_vocab().values()) + 1
        except Exception as e:
            row['error'] = str(e)
        out.append(row)
print('[\n' + ',\n'.join(json.dumps(r, ensure_ascii=False) for r in out) + '\n]')
