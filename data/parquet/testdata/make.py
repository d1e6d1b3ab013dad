"""Makes the files of this folder with pyarrow 26, and types.jsonl, what pyarrow
reads from types-*.parquet. Usage: make.py FOLDER"""
import json, sys, datetime, decimal, uuid
import pyarrow as pa, pyarrow.parquet as pq
out=sys.argv[1]
ts=datetime.datetime(2024,5,6,7,8,9,123456,tzinfo=datetime.timezone.utc)
rows=[
 dict(id="a",text="Grüße \"quoted\"\nline",url="http://x/1",score=0.5,n=7,flag=True,tags=["x",None,"z"],nested={"k":1,"l":["p","q"],"m":None},
      pairs=[("u",1),("v",None)],deep=[[1,2],[],None,[3]],when=ts,naive=ts.replace(tzinfo=None),day=datetime.date(2020,2,29),dec=decimal.Decimal("-12.30"),raw=b"\xff\x00",big=2**63+5,structs=[{"a":1,"b":"x"},{"a":None,"b":None},None],time=datetime.time(1,2,3,4)),
 dict(id="b",text="",url=None,score=float("nan"),n=None,flag=None,tags=[],nested=None,pairs=[],deep=[],when=None,naive=None,day=None,dec=None,raw=None,big=None,structs=[],time=None),
 dict(id=None,text="third",url="http://x/3",score=1e300,n=-1,flag=False,tags=None,nested={"k":None,"l":[],"m":"s"},pairs=None,deep=None,when=ts,naive=ts.replace(tzinfo=None,microsecond=0),day=datetime.date(1969,12,31),dec=decimal.Decimal("0.05"),raw=b"text",big=1,structs=None,time=datetime.time(23,59,59)),
 dict(id="d",text=None,url=None,score=0.0,n=0,flag=False,tags=["only"],nested={"k":0,"l":None,"m":""},pairs=[("w",9)],deep=[None],when=None,naive=None,day=None,dec=decimal.Decimal("100000.00"),raw=b"",big=0,structs=[None],time=None),
]
schema=pa.schema([("id",pa.string()),("text",pa.string()),("url",pa.string()),("score",pa.float64()),("n",pa.int32()),("flag",pa.bool_()),
 ("tags",pa.list_(pa.string())),("nested",pa.struct([("k",pa.int64()),("l",pa.list_(pa.string())),("m",pa.string())])),("pairs",pa.map_(pa.string(),pa.int64())),
 ("deep",pa.list_(pa.list_(pa.int64()))),("when",pa.timestamp("us",tz="UTC")),("naive",pa.timestamp("ms")),("day",pa.date32()),("dec",pa.decimal128(12,2)),("raw",pa.binary()),("big",pa.uint64()),
 ("structs",pa.list_(pa.struct([("a",pa.int64()),("b",pa.string())]))),("time",pa.time64("us"))])
r1=[dict(r) for r in rows]
for r in r1:
  if r["naive"]: r["naive"]=r["naive"].replace(microsecond=123000 if r["naive"].microsecond else 0)
t=pa.Table.from_pylist(r1,schema=schema)
for comp in ["zstd","snappy","gzip","none","brotli"]:
  pq.write_table(t,f"{out}/types-{comp}.parquet",compression=comp,row_group_size=3 if comp=="zstd" else 100,data_page_version="2.0" if comp=="gzip" else "1.0",use_dictionary=comp!="none")
import base64, math
def plain(v):
    if isinstance(v, datetime.datetime): return v.isoformat().replace("+00:00","Z").replace(".123000",".123")
    if isinstance(v,(datetime.date,datetime.time)): return v.isoformat()
    if isinstance(v,decimal.Decimal): return float(v)
    if isinstance(v,bytes):
        try: return v.decode()
        except UnicodeDecodeError: return base64.b64encode(v).decode()
    if isinstance(v,float) and math.isnan(v): return None
    if isinstance(v,list) and v and isinstance(v[0],tuple): return {k:plain(x) for k,x in v}
    if isinstance(v,list): return [plain(x) for x in v]
    if isinstance(v,dict): return {k:plain(x) for k,x in v.items()}
    return v
with open(out+"/types.jsonl","w") as f:
    for row in t.to_pylist():
        row={k:plain(v) for k,v in row.items()}
        if row["pairs"]==[]: row["pairs"]={}
        f.write(json.dumps(row,ensure_ascii=False)+"\n")
# what datatrove and datasets write: metadata as a struct; fineweb-like flat columns; ints as ids, large_string
m=pa.Table.from_pylist([dict(text="one",id="i1",metadata={"dump":"CC","score":0.25}),dict(text="two",id="i2",metadata={"dump":None,"score":None})])
pq.write_table(m,f"{out}/metadata-struct.parquet",compression="snappy")
m=pa.table({"text":pa.array(["eins","zwei"],pa.large_string()),"id":pa.array([10,11],pa.int64()),"metadata":pa.array(['{"a": [1, 2]}',"no json"]),"source":["s",None],"attributes":['{"x":[[0,1,1.0]]}',None],"version":pa.array([3,None],pa.int8()),"created":pa.array([ts,None],pa.timestamp("us",tz="UTC"))})
pq.write_table(m,f"{out}/flat.parquet",compression="zstd")
# short floats, alone and in lists
m=pa.table({"half":pa.array([0.5,None,-65504.0,float("nan")],pa.float16()),"single":pa.array([0.1,7.0,None,float("inf")],pa.float32()),"halves":pa.array([[1.5,None],[],None,[6e-8]],pa.list_(pa.float16()))})
pq.write_table(m,f"{out}/short.parquet",compression="none")
