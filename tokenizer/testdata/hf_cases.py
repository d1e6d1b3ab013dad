# Makes the files of testdata/hf: random tokenizers of all kinds, and what Hugging Face tokenizers 0.23.3 answers on random texts.
# usage: python hf_cases.py SEED FOLDER COUNT TEXTS.jsonl
import json,random,sys,os
from tokenizers import Tokenizer,AddedToken,Regex,models,trainers,normalizers as N,pre_tokenizers as P,decoders as D,processors as R
seed=int(sys.argv[1]); out=sys.argv[2]; random.seed(seed); os.makedirs(out,exist_ok=True)
texts=[json.loads(l)['text'][:3000] for l in open(sys.argv[4])]
random.shuffle(texts); train=texts[:120]
alpha=["a","b","the ","ing"," ","  ","\n","\t","\r\n","'s","'LL","!","...","1","23","4567","é","É","ß","İ","Ж","ﬁ","½","²","Ⅷ","漢","字","。","한글","न","े","्","ن","👩‍👧","😀","\u0301","\u0323","\u00a0","\u3000","\u200b","\u00ad","ſ","ǅ","ﷺ","™","Å","\u1e9b\u0323","<s>","</s>","<unk>","[MASK]","  [MASK] ","tok","TOK","\u0000","\ufffd","\ufeff","_","-","▁","#","##","$","+","\u2028","ｶﾞ","가","\u1100\u1161","\u07fd","\u0898","𐐀","ა","ᲀ","Ა","ȺⱥꟊꞫ"]
def rtext():
    r=random.random()
    if r<.3:
        t=random.choice(texts); i=random.randrange(len(t)+1); return t[i:i+random.randrange(200)]
    if r<.9: return ''.join(random.choice(alpha) for _ in range(random.randrange(1,30)))
    return ''.join(chr(random.choice([random.randrange(32,127),random.randrange(0x80,0x3000),random.randrange(0x3000,0xd800),random.randrange(0xe000,0x11000),random.randrange(0x1f000,0x1fb00)])) for _ in range(random.randrange(1,20)))
def rnorm():
    L=[N.NFC(),N.NFD(),N.NFKC(),N.NFKD(),N.Lowercase(),N.Strip(random.random()<.5,random.random()<.5),N.StripAccents(),N.Nmt(),N.Prepend('▁'),N.Replace(' ','▁'),N.Replace(Regex(r'\s+'),' '),N.Replace('a','xyz'),N.Replace(Regex('[0-9]'),''),N.BertNormalizer(random.random()<.5,random.random()<.5,random.choice([None,True,False]),random.random()<.5)]
    r=random.random()
    if r<.25: return None
    if r<.6: return random.choice(L)
    return N.Sequence(random.sample(L,random.randrange(2,4)))
REG=[r"\p{L}+",r"[^\s]+|\s+",r"\s+(?!\S)|\s+",r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",r" ?[^(\s|[.,!?…。，、।۔،])]+",r"[0-9][0-9][0-9]",r"[一-龥぀-ゟ゠-ヿ]+",r"\p{Han}+|[a-z&&[^aeiou]]+",r"(?<=a)b|\bt\w*",r"\d{2}|[[:punct:]]|\h{4}",r"(?:ab|a)*?b|x{0,2}y",r"\p{N}",r"^.|.$",r"(?m:.)(?!\n)",r"[A-Z]|(?=[0-9])"]
BEH=['removed','isolated','merged_with_previous','merged_with_next','contiguous']
def rpre(bl):
    L=[lambda:P.Digits(random.random()<.5),lambda:P.Punctuation(random.choice(BEH)),lambda:P.Whitespace(),lambda:P.WhitespaceSplit(),lambda:P.Split(random.choice([' ','a','.','\n']),random.choice(BEH),random.random()<.3),lambda:P.Split(Regex(random.choice(REG)),random.choice(BEH),random.random()<.3),lambda:P.Metaspace('▁',random.choice(['always','never','first']),random.random()<.5),lambda:P.BertPreTokenizer(),lambda:P.CharDelimiterSplit('-'),lambda:P.FixedLength(random.randrange(1,9))]
    B=lambda:P.ByteLevel(random.random()<.4,random.random()<.5,random.random()<.6)
    if bl:
        k=[f() for f in random.sample(L,random.randrange(0,3))]+[B()]
        return P.Sequence(k) if len(k)>1 else k[0]
    r=random.random()
    if r<.15: return None
    k=[f() for f in random.sample(L,random.randrange(1,3))]
    return P.Sequence(k) if len(k)>1 else k[0]
def radded(sp):
    return [AddedToken(c,single_word=random.random()<.3,lstrip=random.random()<.3,rstrip=random.random()<.3,normalized=random.random()<.5,special=sp) for c in random.sample(["<s>","</s>","[MASK]","tok","TOK","the","  ","é","ab","a","漢","ing the","<unk>","▁a"],random.randrange(0,6))]
n=0
for it in range(int(sys.argv[3])):
    kind=random.choice(['bpe','bpe','bpebyte','bpebyte','unigram','wordpiece','wordlevel'])
    nm=rnorm()
    if kind=='unigram' and random.random()<.5 and os.path.exists('charsmap.bin'):
        nm=N.Precompiled(open('charsmap.bin','rb').read())
        if random.random()<.5: nm=N.Sequence([nm,N.Replace(Regex(' {2,}'),' ')])
    try:
        if kind.startswith('bpe'):
            bl=kind=='bpebyte'
            kw={}
            if not bl:
                kw=dict(unk_token='<unk>' if random.random()<.7 else None,fuse_unk=random.random()<.5,byte_fallback=random.random()<.4)
                if random.random()<.2: kw['continuing_subword_prefix']='##'
                if random.random()<.2: kw['end_of_word_suffix']='</w>'
            t=Tokenizer(models.BPE(**kw)); t.normalizer=nm; t.pre_tokenizer=rpre(bl)
            sp=(['<unk>'] if not bl else [])+(['<0x%02X>'%i for i in range(256)] if kw.get('byte_fallback') else [])
            tr=trainers.BpeTrainer(vocab_size=random.choice([300,600,1500])+len(sp),special_tokens=sp,show_progress=False,initial_alphabet=P.ByteLevel.alphabet() if bl and random.random()<.8 else [],**({} if bl else {"limit_alphabet":60}),**{k:v for k,v in kw.items() if k in('continuing_subword_prefix','end_of_word_suffix')})
            t.train_from_iterator(train,tr)
            j=json.loads(t.to_str()); j['model'].update({k:v for k,v in kw.items() if v is not None}); j['model']['ignore_merges']=random.random()<.3
            if kw.get('byte_fallback'): j['added_tokens']=[a for a in j['added_tokens'] if not a['content'].startswith('<0x')]
            t=Tokenizer.from_str(json.dumps(j))
        elif kind=='unigram':
            t=Tokenizer(models.Unigram()); t.normalizer=nm; t.pre_tokenizer=rpre(False)
            bf=random.random()<.3
            t.train_from_iterator(train,trainers.UnigramTrainer(vocab_size=900+(256 if bf else 0),unk_token='<unk>',special_tokens=['<unk>','<s>']+(['<0x%02X>'%i for i in range(256)] if bf else []),show_progress=False))
            if bf:
                j=json.loads(t.to_str()); j['model']['byte_fallback']=True; j['added_tokens']=[a for a in j['added_tokens'] if not a['content'].startswith('<0x')]; t=Tokenizer.from_str(json.dumps(j))
        elif kind=='wordpiece':
            t=Tokenizer(models.WordPiece(unk_token='[UNK]',max_input_chars_per_word=random.choice([10,100]))); t.normalizer=nm; t.pre_tokenizer=rpre(False)
            t.train_from_iterator(train,trainers.WordPieceTrainer(vocab_size=800,special_tokens=['[UNK]','[CLS]','[SEP]'],show_progress=False))
        else:
            t=Tokenizer(models.WordLevel(unk_token='<unk>')); t.normalizer=nm; t.pre_tokenizer=rpre(False)
            t.train_from_iterator(train,trainers.WordLevelTrainer(vocab_size=800,special_tokens=['<unk>'],show_progress=False))
        for a in radded(True): t.add_special_tokens([a])
        for a in radded(False): t.add_tokens([a])
        r=random.random()
        if r<.5: t.decoder=random.choice([D.ByteLevel(),D.WordPiece('##',random.random()<.5),D.Metaspace('▁',random.choice(['always','never','first'])),D.BPEDecoder('</w>'),D.Sequence([D.Replace('▁',' '),D.ByteFallback(),D.Fuse(),D.Strip(' ',1,0)]),D.Sequence([D.Replace(Regex('[aeiou]'),'_'),D.Fuse()]),D.CTC(),D.ByteFallback()])
        r=random.random(); v=t.get_vocab(); a,b=random.sample(sorted(v),2)
        if r<.2: t.post_processor=R.ByteLevel(random.random()<.5,random.random()<.7)
        elif r<.4: t.post_processor=R.TemplateProcessing(single=a+' $A '+b,pair='$A $B',special_tokens=[(a,v[a]),(b,v[b])]) if ' ' not in a+b and '$' not in a+b and ':' not in a+b else None
        elif r<.5: t.post_processor=R.RobertaProcessing((a,v[a]),(b,v[b]),random.random()<.5,random.random()<.5)
        elif r<.6: t.post_processor=R.BertProcessing((a,v[a]),(b,v[b]))
        elif r<.7: t.post_processor=R.Sequence([R.ByteLevel(False,True),R.BertProcessing((a,v[a]),(b,v[b]))])
        if random.random()<.2: t.enable_truncation(random.randrange(4,20),direction=random.choice(['left','right']))
        if random.random()<.2: t.enable_padding(direction=random.choice(['left','right']),pad_id=1,pad_token=a,length=random.choice([None,10,30]),pad_to_multiple_of=random.choice([None,8]))
        s=t.to_str(); t=Tokenizer.from_str(s)
    except BaseException as e:
        if 'Interrupt' in repr(e): raise
        print('skip',kind,repr(e)[:150]); continue
    cases=[]
    for _ in range(60):
        x=rtext()
        try: e=t.encode(x,add_special_tokens=False); e2=t.encode(x,add_special_tokens=True)
        except BaseException as ex: continue
        c=dict(text=x,ids=e.ids,offsets=e.offsets,ids2=e2.ids,offsets2=e2.offsets)
        try: c['decoded']=t.decode(e2.ids,skip_special_tokens=False); c['skip']=t.decode(e2.ids,skip_special_tokens=True)
        except BaseException: pass
        ids=[random.randrange(t.get_vocab_size()) for _ in range(random.randrange(12))]
        try: c['rids']=ids; c['rdec']=t.decode(ids,skip_special_tokens=False)
        except BaseException: c.pop('rids')
        cases.append(c)
    json.dump(dict(kind=kind,tokenizer=s,cases=cases),open(f'{out}/{seed}_{it}.json','w')); n+=1
print(n)
