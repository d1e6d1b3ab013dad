# Probes Hugging Face tokenizers for the code point classes that its engines use.
import json,sys
from tokenizers import Regex, pre_tokenizers as P, normalizers as N
cps=[c for c in range(0x110000) if not 0xD800<=c<=0xDFFF]
CH=0x4000
def ranges(cs):
    out=[]
    for c in cs:
        if out and out[-1][1]==c-1: out[-1][1]=c
        else: out.append([c,c])
    return out
def by_removed(pt):
    hit=[]
    for i in range(0,len(cps),CH):
        part=cps[i:i+CH]; s=''.join(map(chr,part))
        keep=set()
        for piece,(a,b) in pt.pre_tokenize_str(s): keep.update(range(a,b))
        hit+= [c for j,c in enumerate(part) if j not in keep]
    return hit
def rx(p): return by_removed(P.Split(Regex(p),'removed'))
out={}
for g in 'Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No'.split():
    out[g]=rx(r'\p{%s}+'%g)
for n,p in dict(onig_s=r'\s+').items():
    try: out[n]=rx(p)
    except Exception as e: print(n,e)
# rust side
def by_pred(fn):
    return [c for c in cps if fn(chr(c))]
out['rust_numeric']=by_pred(lambda c: len(P.Digits(True).pre_tokenize_str('a'+c))==2)
out['rust_space']=by_pred(lambda c: len(P.WhitespaceSplit().pre_tokenize_str('a'+c+'b'))==2)
out['rust_punct']=by_pred(lambda c: len(P.Punctuation().pre_tokenize_str('a'+c))==2)
out['regex_w']=by_pred(lambda c: len(P.Whitespace().pre_tokenize_str('a'+c))==1 and P.Whitespace().pre_tokenize_str('a'+c)[0][0]=='a'+c)
out['regex_s']=by_pred(lambda c: len(P.Whitespace().pre_tokenize_str('a'+c+'b'))==2)
sa=N.StripAccents(); out['strip_accents']=by_pred(lambda c: sa.normalize_str('a'+c)=='a')
bc=N.BertNormalizer(clean_text=True,handle_chinese_chars=False,strip_accents=False,lowercase=False)
out['bert_control']=by_pred(lambda c: bc.normalize_str('a'+c+'b')=='ab')
out['bert_space']=by_pred(lambda c: bc.normalize_str('a'+c+'b')=='a b')
bm=N.BertNormalizer(clean_text=False,handle_chinese_chars=False,strip_accents=True,lowercase=False)
out['bert_mark']=by_pred(lambda c: bm.normalize_str('a'+c) in('a',))
lo=N.Lowercase(); low={c:lo.normalize_str(chr(c)) for c in cps}
res={k:ranges(v) for k,v in out.items()}
res['lower']={str(c):[ord(x) for x in s] for c,s in low.items() if s!=chr(c)}
for k in('NFD','NFKD','NFC','NFKC'):
    n=getattr(N,k)(); res[k]={}
    for c in cps:
        s=n.normalize_str(chr(c))
        if s!=chr(c): res[k][str(c)]=[ord(x) for x in s]
# which marks reorder (ccc != 0): q + U+0334 (1) ... test two probes
# order classes: x sorts before U+0345 (240)?  x after U+0334 (1)?
d=N.NFD()
res['ccc_lt240']=ranges([c for c in cps if d.normalize_str('q\u0345'+chr(c))!='q\u0345'+d.normalize_str(chr(c))])
res['ccc_gt1']=ranges([c for c in cps if d.normalize_str('q'+chr(c)+'\u0334')!='q'+d.normalize_str(chr(c))+'\u0334'])
json.dump(res,open('hf.json','w'))
for k,v in res.items(): print(k,len(v))

# Second part: writes unicode.txt from the answers above.

import json,unicodedata
d=json.load(open('hf.json'))
def S(k): return {c for a,b in d[k] for c in range(a,b+1)}
def rng(cs):
    out=[]
    for c in sorted(cs):
        if out and out[-1][1]==c-1: out[-1][1]=c
        else: out.append([c,c])
    return ' '.join('%X'%a if a==b else '%X-%X'%(a,b) for a,b in out)
o=[]
o.append('# Classes of code points as Hugging Face tokenizers 0.23.3 has them, found by asking it for every code point (testdata/unicode_probe.py).')
o.append('# class NAME RANGES: general categories of its Oniguruma (Unicode 16), then sets of its other engines.')
for g in 'Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No'.split(): o.append('class %s %s'%(g,rng(S(g))))
for k,n in [('onig_s','space'),('regex_w','word'),('rust_numeric','numeric'),('rust_punct','punctuation'),('strip_accents','accent'),('bert_control','bert_control'),('bert_mark','bert_mark')]:
    s=S(k)
    if k=='bert_mark':
        s={c for c in s if str(c) not in d['NFD']}
    if k=='strip_accents': pass
    o.append('class %s %s'%(n,rng(s)))
o.append('# ccc CLASS RANGES: canonical combining classes, Unicode 9; what came later counts as 0 there.')
c=S('ccc_lt240')|S('ccc_gt1'); by={}
for x in c:
    if str(x) in d['NFD']: continue
    v=unicodedata.combining(chr(x)); assert v, hex(x)
    by.setdefault(v,set()).add(x)
for v in sorted(by): o.append('ccc %d %s'%(v,rng(by[v])))
h=lambda l:'+'.join('%X'%x for x in l)
hang=lambda c: 0xAC00<=c<0xAC00+11172
def maps(name,m): o.append(name+' '+' '.join('%X=%s'%(int(k),h(v)) for k,v in sorted(m.items(),key=lambda t:int(t[0]))))
nfd={k:v for k,v in d['NFD'].items() if not hang(int(k))}
o.append('# nfd, nfkd, lower: what a code point becomes (Hangul by rule); nfkd where it is not nfd.')
maps('nfd',nfd)
maps('nfkd',{k:v for k,v in d['NFKD'].items() if not hang(int(k)) and d['NFD'].get(k)!=v})
assert all(k in d['NFKD'] for k in nfd)
# composites: NFD changes, NFC does not
comp=[int(k) for k in nfd if k not in d['NFC']]
o.append('# composite: decomposable code points that normal form C composes again.')
o.append('composite '+rng(comp))
maps('lower',d['lower'])
open('unicode.txt','w').write('\n'.join(o)+'\n')
