# What Hugging Face tokenizers 0.23.3 makes of odd tokenizer.json files: one line of JSON for each, with the ids, offsets and texts of what it encodes and decodes, or that it refuses the file or the text.
# usage: python odd.py | gzip -9n > odd.jsonl.gz
import json, itertools, random
from tokenizers import Tokenizer

random.seed(7)
BASE = {'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': [], 'normalizer': None, 'pre_tokenizer': None, 'post_processor': None, 'decoder': None}
WORDS = ['a', 'b', 'c', 'ab', 'abc', 'B', 'é', 'e', '▁', '▁a', '▁ab', ' ', '.', ',', '-', '1', '2', '12', '漢', '字', 'か', 'ß', 'ı', '\n', 'Ġ', 'Ġa', 'Ã', '©', '<unk>', 'x', '_', 'fi', '¼', '!', "'", '##b', 'b</w>', '\u0301']
VOCAB = {w: i for i, w in enumerate(WORDS)}
TEXTS = ['ab abc', ' a  b', 'AB-ab.12,é', 'e\u0301 漢字か 1½', '', 'a\nb\ta', '<x>ab<x> <y>', 'ﬁ ßıİ a', "ab'a _a!", 'zz', '▁a b', '\ufeffa\u200bb']
BPE = {'type': 'BPE', 'vocab': VOCAB, 'merges': ['a b', 'ab c', '▁ a', 'Ġ a', '1 2'], 'unk_token': '<unk>'}
LEVEL = {'type': 'WordLevel', 'vocab': VOCAB, 'unk_token': '<unk>'}
rows = []


def row(name, text, texts=TEXTS, ids=None):
    out = {'name': name, 'file': text}
    try:
        t = Tokenizer.from_str(text)
    except BaseException as e:
        out['error'] = str(e)
        print(json.dumps(out, ensure_ascii=False))
        return
    cases = []
    ids = ids or [list(range(0, 8)), [3, 9, 10, 11, 0], [2, 2, 1, 10, 36, 35, 0], [100, 0, 99999, 1], []]
    for x in texts:
        c = {'text': x}
        try:
            e = t.encode(x)
            c['ids'], c['offsets'] = e.ids, e.offsets
        except BaseException as e:
            c['error'] = str(e)
        cases.append(c)
    out['cases'] = cases
    decoded = []
    for i in ids:
        try:
            decoded.append({'ids': i, 'text': t.decode(i, skip_special_tokens=False)})
        except BaseException:
            pass
    out['decoded'] = decoded
    print(json.dumps(out, ensure_ascii=False))


def file(name, model=BPE, raw=None, texts=TEXTS, **parts):
    row(name, raw if raw is not None else json.dumps({**BASE, 'model': model, **parts}, ensure_ascii=False), texts)


def without(d, k):
    return {a: b for a, b in d.items() if a != k}


def bpe(**k):
    return {**BPE, **k}


def added(content='<x>', id=50, **k):
    return {'id': id, 'content': content, 'single_word': False, 'lstrip': False, 'rstrip': False, 'normalized': False, 'special': True, **k}


plain = json.dumps({**BASE, 'model': BPE})
# models
file('plain')
for k in ('type', 'merges', 'vocab', 'unk_token'):
    file('BPE without ' + k, without(BPE, k))
file('no type, no merges', without(without(BPE, 'type'), 'merges'))
file('merges of pairs', bpe(merges=[['a', 'b'], ['ab', 'c']]))
file('merges of both forms', bpe(merges=[['a', 'b'], 'ab c']))
file('merges with #version', bpe(merges=['#version: 0.2', 'a b']))
file('merge twice', bpe(merges=['a b', 'ab c', 'a b']))
file('merge with a space', bpe(vocab={**VOCAB, 'a ': 60}, merges=[['a', ' ']]))
file('merges null', bpe(merges=None))
file('unk lacks', bpe(unk_token='<zz>'))
file('unk null', bpe(unk_token=None))
file('unk among added', bpe(unk_token='<x>'), added_tokens=[added()])
for d in (0, 0.0, None, 0.5, 1.0, 2.0, -1, 'x'):
    if d != 0.5:
        file('dropout %s' % d, bpe(dropout=d))
for k in ('fuse_unk', 'byte_fallback', 'ignore_merges'):
    for v in (True, None):
        file('%s %s' % (k, v), bpe(**{k: v}))
file('ignore_merges and a whole word', bpe(ignore_merges=True, merges=[]), pre_tokenizer={'type': 'WhitespaceSplit'})
file('byte_fallback of some', bpe(byte_fallback=True, vocab={**VOCAB, **{'<0x%02X>' % b: 100 + b for b in range(0, 200)}}))
file('prefix and suffix empty', bpe(continuing_subword_prefix='', end_of_word_suffix=''))
file('prefix', bpe(continuing_subword_prefix='##', merges=['a ##b'], vocab={**VOCAB}))
file('suffix', bpe(end_of_word_suffix='</w>', merges=['a b</w>'], vocab={**VOCAB, 'ab</w>': 70}))
file('holes', bpe(vocab={'a': 0, 'b': 5, 'ab': 9, '<unk>': 20}, merges=['a b']), added_tokens=[added()])
file('ids out of order', bpe(vocab=dict(reversed(VOCAB.items()))))
file('id -1', bpe(vocab={**VOCAB, 'zz': -1}))
file('id 1.0', None, plain.replace('"b": 1,', '"b": 1.0,'))
file('id too large', bpe(vocab={**VOCAB, 'zz': 2**32}))
file('a token twice', None, plain.replace('"b": 1,', '"b": 1, "b": 1,'))
file('cache_capacity', bpe(cache_capacity=100))
file('a key of a model that nobody knows', bpe(something=1))
file('type in lower case', bpe(type='bpe'))
PIECE = {'type': 'WordPiece', 'unk_token': '<unk>', 'continuing_subword_prefix': '##', 'max_input_chars_per_word': 100, 'vocab': VOCAB}
file('WordPiece', PIECE, pre_tokenizer={'type': 'BertPreTokenizer'})
file('WordPiece without type', without(PIECE, 'type'))
file('WordPiece, 2 characters', {**PIECE, 'max_input_chars_per_word': 2}, pre_tokenizer={'type': 'Whitespace'})
file('WordPiece, no prefix', {**PIECE, 'continuing_subword_prefix': ''}, pre_tokenizer={'type': 'Whitespace'})
file('WordPiece, unk lacks', {**PIECE, 'unk_token': '[UNK]'}, pre_tokenizer={'type': 'Whitespace'})
file('WordLevel', LEVEL, pre_tokenizer={'type': 'Whitespace'})
file('WordLevel without type', without(LEVEL, 'type'))
file('WordLevel, unk lacks', {**LEVEL, 'unk_token': '<zz>'}, pre_tokenizer={'type': 'Whitespace'})
pieces = [[w, -float(i % 7 + len(w))] for i, w in enumerate(WORDS)]
UNI = {'type': 'Unigram', 'unk_id': 28, 'vocab': pieces, 'byte_fallback': False}
for name, m in [('Unigram', UNI), ('Unigram without type', without(UNI, 'type')), ('Unigram without unk_id', without(UNI, 'unk_id')), ('Unigram, unk_id null', {**UNI, 'unk_id': None}),
                ('Unigram, unk_id out of range', {**UNI, 'unk_id': 99}), ('Unigram, unk_id -1', {**UNI, 'unk_id': -1}), ('Unigram, unk_id of a piece', {**UNI, 'unk_id': 0}), ('Unigram, empty', {**UNI, 'vocab': [], 'unk_id': None}),
                ('Unigram, empty with unk_id', {**UNI, 'vocab': [], 'unk_id': 0}), ('Unigram, a piece twice', {**UNI, 'vocab': pieces + [['a', -0.5]]}), ('Unigram, an empty piece', {**UNI, 'vocab': pieces + [['', -0.5]]}),
                ('Unigram, byte_fallback', {**UNI, 'byte_fallback': True, 'vocab': pieces + [['<0x%02X>' % b, -9.0] for b in range(256)]}), ('Unigram, byte_fallback of some', {**UNI, 'byte_fallback': True, 'vocab': pieces + [['<0x%02X>' % b, -9.0] for b in range(100)]}),
                ('Unigram, positive scores', {**UNI, 'vocab': [[w, -s] for w, s in pieces]}), ('Unigram, three in an entry', {**UNI, 'vocab': pieces + [['q', -1.0, 3]]})]:
    file(name, m)
for s in ('NaN', 'Infinity', '-Infinity', '1e999', 'null', '"x"', '-1e-400'):
    file('Unigram, score ' + s, None, json.dumps({**BASE, 'model': {**UNI, 'vocab': [['<unk>', 0.0], ['a', -123.5]], 'unk_id': 0}}).replace('-123.5', s))
# the file
file('byte order mark', None, '\ufeff' + plain)
file('no version', None, plain.replace('"version": "1.0", ', ''))
file('only a model', None, json.dumps({'model': BPE}))
file('version 2', BPE, version='2.0')
file('an unknown key', BPE, something=1)
file('two normalizers', None, plain[:-1] + ', "normalizer": {"type": "Lowercase"}}')
file('two models', None, plain[:-1] + ', "model": ' + json.dumps(LEVEL) + '}')
file('text behind', None, plain + ' x')
file('white space around', None, ' \n' + plain + '\n\n')
file('half a surrogate pair', None, plain.replace('"a"', '"\\ud800"', 1))
deep = {'type': 'Lowercase'}
for depth in range(1, 120):
    deep = {'type': 'Sequence', 'normalizers': [deep]}
    if depth in (20, 119):
        file('nested %d deep' % depth, normalizer=deep)
# added tokens
for name, list_ in [('empty', [added('')]), ('twice', [added(), added(id=51)]), ('an id of another', [added(id=0)]), ('a token of the vocabulary', [added('ab', 9)]), ('out of order', [added('<y>', 60), added('<x>', 50)]),
                    ('special and not', [added(), added('<y>', special=False)]), ('normalized', [added('B', special=False, normalized=True), added('<y>', normalized=True)]), ('lstrip, rstrip', [added(lstrip=True), added('<y>', rstrip=True)]),
                    ('single_word', [added('ab', single_word=True), added('<y>', single_word=True)]), ('one in another', [added('<x'), added('<x>'), added('ab', special=False)]), ('no special', [without(added(), 'special')]), ('id -1', [added(id=-1)]),
                    ('an unknown key', [added(something=1)]), ('null', None), ('white space', [added(' ', normalized=False)]), ('unk again', [added('<unk>', 28)])]:
    file('added tokens: ' + name, added_tokens=list_)
    if name == 'normalized':
        file('added tokens: normalized, lower case', added_tokens=list_, normalizer={'type': 'Lowercase'})
# normalizers
NORMALIZERS = [{'type': t} for t in ('NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt', 'ByteLevel')] + [
    {'type': 'Strip', 'strip_left': l, 'strip_right': r} for l in (True, False) for r in (True, False)] + [
    {'type': 'Prepend', 'prepend': p} for p in ('▁', '', 'ab')] + [
    {'type': 'Replace', 'pattern': p, 'content': c} for p in ({'String': ' '}, {'String': 'ab'}, {'Regex': r'\s+'}, {'Regex': 'a|b'}, {'Regex': ''}, {'String': ''}, {'Regex': '('}, {}) for c in ('▁', '')] + [
    {'type': 'BertNormalizer', 'clean_text': c, 'handle_chinese_chars': h, 'strip_accents': s, 'lowercase': l} for c, h, s, l in itertools.product((True, False), (True, False), (None, True, False), (True, False))] + [
    {'type': 'Sequence', 'normalizers': []}, {'type': 'Sequence', 'normalizers': [{'type': 'NFD'}, {'type': 'StripAccents'}, {'type': 'Lowercase'}]}, {'type': 'Precompiled', 'precompiled_charsmap': ''}, {'type': 'Precompiled', 'precompiled_charsmap': 'AAAA'}, {'type': 'Nothing'}, {'type': 'Strip'}, {'type': 'BertNormalizer'}, {}, {'type': 'Replace', 'content': 'x'}, {'type': 'Sequence'}, {'type': 'Prepend'}]
for n in NORMALIZERS:
    file('normalizer ' + json.dumps(n, ensure_ascii=False), normalizer=n)
# pre-tokenizers
BEHAVIORS = ('Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous')
PRE = [{'type': t} for t in ('Whitespace', 'WhitespaceSplit', 'BertPreTokenizer', 'UnicodeScripts', 'Punctuation', 'Digits', 'ByteLevel', 'Metaspace', 'Split', 'CharDelimiterSplit', 'FixedLength', 'Nothing', 'Sequence')] + [
    {'type': 'Punctuation', 'behavior': b} for b in BEHAVIORS] + [{'type': 'Digits', 'individual_digits': b} for b in (True, False)] + [
    {'type': 'CharDelimiterSplit', 'delimiter': d} for d in ('-', ' ', '漢', 'ab', '')] + [{'type': 'FixedLength', 'length': n} for n in (1, 2, 5, 0, -1)] + [
    {'type': 'Split', 'pattern': {'String': 'a'}, 'behavior': b, 'invert': i} for b in BEHAVIORS for i in (True, False)] + [{'type': 'Split', 'pattern': {'Regex': r'\p{L}+'}, 'behavior': 'isolated', 'invert': False}, {'type': 'Split', 'pattern': {'String': 'a'}, 'behavior': 'Removed'}, {'type': 'Split', 'pattern': 'a', 'behavior': 'Removed', 'invert': False}] + [
    {'type': 'ByteLevel', 'add_prefix_space': a, 'trim_offsets': t, 'use_regex': u} for a, t, u in itertools.product((True, False), repeat=3)] + [{'type': 'ByteLevel', 'add_prefix_space': False, 'trim_offsets': True}, {'type': 'ByteLevel', 'add_prefix_space': False}] + [
    {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': s, 'split': p} for s in ('always', 'first', 'never') for p in (True, False)] + [{'type': 'Metaspace', 'replacement': '_', 'add_prefix_space': a} for a in (True, False)] + [
    {'type': 'Metaspace', 'replacement': '▁', 'add_prefix_space': a, 'prepend_scheme': s} for a in (True, False) for s in ('always', 'first', 'never', 'sometimes')] + [{'type': 'Metaspace', 'replacement': 'ab', 'add_prefix_space': True}, {'type': 'Metaspace', 'replacement': '▁', 'str_rep': '_', 'add_prefix_space': True}] + [
    {'type': 'Sequence', 'pretokenizers': []}, {'type': 'Sequence', 'pretokenizers': [{'type': 'WhitespaceSplit'}, {'type': 'Punctuation', 'behavior': 'Isolated'}, {'type': 'Digits', 'individual_digits': True}]}, {'type': 'Sequence', 'pretokenizers': [{'type': 'Whitespace'}, {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'first', 'split': True}]}]
for p in PRE:
    file('pre-tokenizer ' + json.dumps(p, ensure_ascii=False), LEVEL if p.get('type') in ('UnicodeScripts', 'FixedLength') else BPE, pre_tokenizer=p, added_tokens=[added()])
# post-processors
POST = [{'type': 'BertProcessing', 'sep': ['a', 0], 'cls': ['b', 1]}, {'type': 'BertProcessing', 'sep': ['a', 0]}, {'type': 'Nothing'}] + [
    {'type': 'RobertaProcessing', 'sep': ['a', 0], 'cls': ['b', 1], 'trim_offsets': t, 'add_prefix_space': p} for t in (True, False) for p in (True, False)] + [{'type': 'RobertaProcessing', 'sep': ['a', 0], 'cls': ['b', 1]}] + [
    {'type': 'ByteLevel', 'add_prefix_space': p, 'trim_offsets': t, 'use_regex': True} for t in (True, False) for p in (True, False)] + [{'type': 'ByteLevel'}]
SPECIAL = {'<a>': {'id': '<a>', 'ids': [0], 'tokens': ['a']}, '<ab>': {'id': '<ab>', 'ids': [0, 1], 'tokens': ['a', 'b']}}


def template(single, special=SPECIAL, pair=None):
    def piece(p):
        return {'Sequence': {'id': p, 'type_id': 0}} if p in 'AB' else {'SpecialToken': {'id': p, 'type_id': 0}}
    return {'type': 'TemplateProcessing', 'single': [piece(p) for p in single], 'pair': [piece(p) for p in (pair or ['A', 'B'])], 'special_tokens': special}


POST += [template(['<a>', 'A']), template(['A', '<ab>']), template(['<ab>', 'A', '<a>']), template(['A']), template(['<a>']), template(['A', 'A']), template(['A', 'B']), template([]), template(['<zz>', 'A']), template(['A'], pair=['<zz>', 'A', 'B']),
         {'type': 'Sequence', 'processors': []}, {'type': 'Sequence', 'processors': [{'type': 'ByteLevel', 'add_prefix_space': True, 'trim_offsets': True, 'use_regex': True}, template(['<a>', 'A'])]}]
for p in POST:
    file('post-processor ' + json.dumps(p, ensure_ascii=False), post_processor=p, pre_tokenizer={'type': 'ByteLevel', 'add_prefix_space': True, 'trim_offsets': True, 'use_regex': True} if 'ByteLevel' in json.dumps(p) or 'Roberta' in json.dumps(p) else None)
# decoders
DECODERS = [{'type': t} for t in ('ByteLevel', 'ByteFallback', 'Fuse', 'Metaspace', 'WordPiece', 'BPEDecoder', 'CTC', 'Strip', 'Replace', 'Sequence', 'Nothing')] + [
    {'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': s, 'split': True} for s in ('always', 'first', 'never')] + [{'type': 'Metaspace', 'replacement': '▁', 'add_prefix_space': a} for a in (True, False)] + [
    {'type': 'WordPiece', 'prefix': '##', 'cleanup': c} for c in (True, False)] + [{'type': 'BPEDecoder', 'suffix': '</w>'}, {'type': 'BPEDecoder', 'suffix': ''}] + [
    {'type': 'CTC', 'pad_token': 'a', 'word_delimiter_token': '▁', 'cleanup': c} for c in (True, False)] + [{'type': 'Strip', 'content': c, 'start': s, 'stop': e} for c, s, e in ((' ', 1, 0), ('a', 1, 1), ('a', 0, 2), ('ab', 1, 0), ('', 1, 0))] + [
    {'type': 'Replace', 'pattern': p, 'content': '*'} for p in ({'String': '▁'}, {'Regex': 'a|b'}, {'Regex': ''}, {'String': ''})] + [
    {'type': 'Sequence', 'decoders': []}, {'type': 'Sequence', 'decoders': [{'type': 'Replace', 'pattern': {'String': '▁'}, 'content': ' '}, {'type': 'ByteFallback'}, {'type': 'Fuse'}, {'type': 'Strip', 'content': ' ', 'start': 1, 'stop': 0}]}]
for d in DECODERS:
    file('decoder ' + json.dumps(d, ensure_ascii=False), bpe(vocab={**VOCAB, '<0x61>': 40, '<0xE6>': 41}), decoder=d, texts=TEXTS[:3])
# truncation and padding
for t in [{'direction': d, 'max_length': n, 'strategy': s, 'stride': 0} for d in ('Right', 'Left') for n in (0, 1, 3) for s in ('LongestFirst', 'OnlyFirst', 'OnlySecond')] + [
        {'max_length': 2, 'strategy': 'LongestFirst', 'stride': 0}, {'direction': 'Right', 'max_length': 3, 'strategy': 'LongestFirst', 'stride': 1}, {'direction': 'Right', 'max_length': 1, 'strategy': 'LongestFirst', 'stride': 1}, {'max_length': 2}, {'direction': 'Up', 'max_length': 2, 'strategy': 'LongestFirst', 'stride': 0}, {'direction': 'Right', 'max_length': 2, 'strategy': 'Longest', 'stride': 0}]:
    file('truncation ' + json.dumps(t), truncation=t, texts=TEXTS[:5])
    if t.get('strategy') == 'LongestFirst' and t.get('stride') == 0:
        file('truncation with a template ' + json.dumps(t), truncation=t, texts=TEXTS[:5], post_processor=template(['<ab>', 'A', '<a>']))
for p in [{'strategy': s, 'direction': d, 'pad_to_multiple_of': m, 'pad_id': 0, 'pad_type_id': 0, 'pad_token': 'a'} for s in ('BatchLongest', {'Fixed': 4}, {'Fixed': 0}) for d in ('Right', 'Left') for m in (None, 0, 8)] + [{'strategy': 'BatchLongest'}, {'strategy': 'Longest', 'direction': 'Right', 'pad_to_multiple_of': None, 'pad_id': 0, 'pad_type_id': 0, 'pad_token': 'a'}]:
    file('padding ' + json.dumps(p), padding=p, texts=TEXTS[:5])
